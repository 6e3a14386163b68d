"""Whatever needs more memory than there is gets refused by its size, before the memory is taken."""

import gzip
import io
import resource
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from waiting import PATIENCE

from distsearch.config import from_flags
from distsearch.errors import DataError, SettingError, TooLargeError, UserError
from distsearch.machine import memory
from distsearch.search import comparison
from distsearch.search.assembly import assemble
from distsearch.search.data import read_data

LITTLE = 2_000_000  # bytes


@pytest.fixture
def little(monkeypatch) -> None:
    """A machine with little memory left."""
    monkeypatch.setattr(memory, "available", lambda: LITTLE)


def test_the_sentence_says_how_much_is_needed_how_much_there_is_and_what_to_do(little):
    memory.require("a small thing", LITTLE, "do nothing")
    with pytest.raises(
        TooLargeError, match=r"^a thing would take 13.4 GB of memory, but only 2 MB is available: cut it$"
    ):
        memory.require("a thing", 13_400_000_000, "cut it")
    with pytest.raises(TooLargeError, match=r"take 1e\+70 QB of memory"):
        memory.require("a huge thing", 10**100, "cut it")


def test_available_memory_respects_the_machine_the_container_and_the_process(tmp_path, monkeypatch):
    assert 0 < memory.available() < 10**15
    files = [str(tmp_path / name) for name in ("memory.max", "memory.current", "memory.stat")]
    (tmp_path / "memory.max").write_text("123456789\n")
    monkeypatch.setattr(memory, "_CGROUPS", ((str(tmp_path / "none"), *files[1:]), files))
    assert memory.available() == 123456789
    (tmp_path / "memory.current").write_text("100000000\n")
    (tmp_path / "memory.stat").write_text("anon 60000000\ninactive_file 30000000\nactive_file 5000000\n")
    assert memory.available() == 123456789 - 65000000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available() > 123456789
    program = (
        "import resource; from distsearch.machine import memory;"
        "resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9)); print(memory.available())"
    )
    limited = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 0 < int(limited.stdout) < 10**9


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (
            {"population": 30_000_000_000},
            "a round of 30,000,000,000 candidates would .*: choose a smaller population",
        ),
        (
            {"population": 2**63, "strategy": "snes"},
            "a round of 9,223,372,036,854,775,809 candidates would take",
        ),
        ({"population": 2**63, "strategy": "evolution-strategy"}, "a round of 9,223,372,036,854,775,80[89] candidates"),
        (
            {"points": 2**63},
            "vertical with 9,223,372,036,854,775,808 points in each of 3 classes would .* fewer --p",
        ),
        ({"classes": 2**63, "data": "spiral"}, "spiral with 100 points in each of 9,223,372,036,854,775,808 classes"),
        ({"layers": 2**63}, "a network of 55,340,232,221,128,654,851 weights would take .* fewer or narrower --layers"),
        ({"layers": [2**40, 2**40], "strategy": "node-perturbation"}, "a network of .* weights would take"),
        *(
            ({name: 99999999999999999999}, f"{name}: expected a whole number below 2\\*\\*64, got 99999999999999999999")
            for name in ("points", "classes", "layers", "population", "rounds", "patience", "seed")
        ),
    ],
)
def test_an_absurdly_large_setting_is_refused(tmp_path, flags, sentence):
    with pytest.raises(UserError, match=sentence):
        assemble(from_flags({"workers": 0, "runs": str(tmp_path), **flags}))


def test_too_many_seeds_are_refused(little):
    with pytest.raises(TooLargeError, match="a plan of 5,000 seeds would take .*: give fewer --seeds"):
        comparison.planned(from_flags({}), ["hill-climb"], 5000)
    with pytest.raises(SettingError, match="seeds below 2\\*\\*64, got 2 from --seed 18446744073709551615 on"):
        comparison.planned(from_flags({"seed": 2**64 - 1}), ["hill-climb"], 2)
    assert len(comparison.planned(from_flags({"seed": 2**64 - 2}), ["hill-climb"], 2)) == 2


def refused(path: Path, **flags) -> str:
    with pytest.raises(DataError) as caught:
        read_data(from_flags({"data": str(path), **flags}))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_too_many_classes_to_encode_are_refused(tmp_path, little):
    rows = "".join(f"{number},{number % 5},name-{number // 2}\n" for number in range(1600))
    (tmp_path / "names.csv").write_text(f"a,b,c\n{rows}")
    config = from_flags({"data": str(tmp_path / "names.csv"), "workers": 0})
    sentence = "1,600 examples of 2 features and 800 classes would take 5.14 MB of memory, .*: merge classes"
    with pytest.raises(TooLargeError, match=sentence):
        assemble(config)


def test_labels_that_hardly_repeat_are_not_classes(tmp_path):
    rows = "".join(f"{number},{number % 5},name-{number}\n" for number in range(60_000))
    (tmp_path / "names.csv").write_text(f"a,b,c\n{rows}")
    assert "expected repeated labels, but 60,000 examples have 60,000 distinct ones" in refused(tmp_path / "names.csv")


def test_gzip_without_idx_is_refused_by_its_first_bytes(tmp_path, little):
    with gzip.open(tmp_path / "train-images.gz", "wb", 1) as file:
        for _ in range(50):
            file.write(bytes(1_000_000))
    assert "does not begin like an IDX file" in refused(tmp_path / "train-images.gz")


def test_idx_is_refused_by_the_shape_in_its_header(tmp_path, little):
    head = struct.pack(">HBB3I", 0, 8, 3, 60_000, 28, 28)
    (tmp_path / "a-images").write_bytes(head)
    assert "of shape (60000, 28, 28) would take 235 MB of memory" in refused(tmp_path / "a-images")
    with gzip.open(tmp_path / "b-images.gz", "wb", 1) as file:
        file.write(struct.pack(">HBB3I", 0, 8, 3, 10, 2, 2))
        file.write(bytes(50_000_000))
    assert "expected 56 bytes for shape (10, 2, 2) in its header, got 57 or more" in refused(tmp_path / "b-images.gz")


@pytest.mark.parametrize("line", [b"1,2,3\n", b"0"])
def test_a_table_is_refused_if_it_unpacks_to_more_than_memory(tmp_path, little, line):
    with gzip.open(tmp_path / "a.csv.gz", "wb", 1) as file:
        file.write(b"a,b,c\n" + line * 5_000_000)
    assert "decompresses to more than the 2 MB of available memory" in refused(tmp_path / "a.csv.gz")
    (tmp_path / "a.csv").write_bytes(b"a,b,c\n" + b"1,2,3\n" * 400_000)
    assert "a.csv would take 2.4 MB of memory" in refused(tmp_path / "a.csv")


def test_an_array_of_json_is_refused_if_it_unpacks_to_more_than_memory(tmp_path, little):
    with gzip.open(tmp_path / "a.json.gz", "wb", 1) as file:
        file.write(b"[" + b" " * 50_000_000 + b"]")
    assert "decompresses to more than the 2 MB of available memory" in refused(tmp_path / "a.json.gz")


@pytest.mark.parametrize("content", [b"0," * 20_000_000, b"a,b\n1,2\n" + b"0" * 40_000_000 + b",1\n"])
def test_an_endless_line_is_refused(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    assert "it has an endless line" in refused(tmp_path / "a.csv")


def npy(shape: tuple[int, ...], content: bytes = b"") -> bytes:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return head.getvalue() + content


def test_arrays_are_refused_by_their_size_in_the_archive_and_in_their_headers(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", npy((1_000_000, 5), bytes(40_000_000)))
        archive.writestr("y.npy", npy((1_000_000,), bytes(8_000_000)))
    with zipfile.ZipFile(tmp_path / "lies.npz", "w") as archive:
        archive.writestr("X.npy", npy((10**13, 5), bytes(80)))
        archive.writestr("y.npy", npy((10**13,), bytes(80)))
    assert "needs more memory than is available" in refused(tmp_path / "lies.npz")
    monkeypatch.setattr(memory, "available", lambda: LITTLE)
    assert "the array X of" in refused(tmp_path / "bomb.npz")
    assert "would take 80 MB of memory" in refused(tmp_path / "bomb.npz")


def test_parquet_is_refused_by_its_rows_and_types(tmp_path, little):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    zeros = arrow.array(np.zeros(2_000_000, np.int8))
    parquet.write_table(arrow.table({"x": zeros, "y": zeros}), tmp_path / "a.parquet", compression="zstd")
    assert (tmp_path / "a.parquet").stat().st_size < 20_000
    assert "with 2,000,000 rows would take 64 MB of memory" in refused(tmp_path / "a.parquet")


def test_running_out_of_memory_is_still_one_sentence(tmp_path):
    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (3 * 10**9, 3 * 10**9))

    program = (
        "from distsearch.machine import memory; memory.available = lambda: 10**15;"
        "from distsearch.__main__ import main; main()"
    )
    flags = ["run", "--workers", "0", "--points", "10000000000", "--runs", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", program, *flags], capture_output=True, text=True, timeout=PATIENCE, preexec_fn=bounded
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("distsearch: there is not enough memory for this")
    assert done.stderr.count("\n") == 1
