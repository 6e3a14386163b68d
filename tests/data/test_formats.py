"""The same table from Excel, Parquet, Arrow, JSON Lines, a folder of parts and standard input; and damaged files."""

import bz2
import gzip
import io
import json
import lzma
import os
import random
import re
import tracemalloc
import zipfile
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from features import read_features
from programs import ran, succeeded
from pyarrow import feather, ipc, parquet

from distsearch.data import datasets
from distsearch.data.datasets import feature_chunks, load
from distsearch.data.raw import Selection
from distsearch.data.readers import dialect, read
from distsearch.errors import DataError, TooLargeError
from distsearch.testing import check_reader

ROWS = [
    {"x": 1.5, "city": "Rome", "on": True, "seen": datetime(2024, 1, 1, 12), "t": "b"},
    {"x": None, "city": "Oslo", "on": False, "seen": datetime(2024, 1, 2), "t": "a"},
    {"x": -2.0, "city": None, "on": True, "seen": datetime(2024, 1, 3), "t": "b"},
]
INPUTS = ("x", "x missing", "city=Oslo", "city=Rome", "city missing", "on", "seen")
EXPECTED = [[1.5, 0, 0, 1, 0, 1, 19723.5], [-0.25, 1, 1, 0, 0, 0, 19724], [-2, 0, 1, 0, 1, 1, 19725]]
TABLE = pa.Table.from_pylist(ROWS)


def xlsx(rows, before="") -> bytes:
    """A workbook of a sheet with these rows, perhaps after an empty one in such a state."""

    def cell(value) -> str:
        if value is None:
            return "<c/>"
        if isinstance(value, bool):
            return f'<c t="b"><v>{int(value)}</v></c>'
        if isinstance(value, datetime):
            return f'<c s="1"><v>{(value - datetime(1899, 12, 30)).total_seconds() / 86400}</v></c>'
        return f"<c><v>{value}</v></c>" if isinstance(value, float) else f'<c t="inlineStr"><is><t>{value}</t></is></c>'

    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    first = f'<sheet name="none" sheetId="2" state="{before}" r:id="s2"/>' if before else ""
    lines = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    members = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" Type="{office}/'
        'officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{first}<sheet name="one" sheetId="1" '
        'r:id="s"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="s" '
        f'Type="{office}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="s2" Type="{office}/worksheet" '
        f'Target="worksheets/sheet2.xml"/><Relationship Id="t" Type="{office}/styles" Target="styles.xml"/>'
        "</Relationships>",
        "xl/styles.xml": f'<styleSheet xmlns="{main}"><cellXfs><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs>'
        "</styleSheet>",
        "xl/worksheets/sheet2.xml": f'<worksheet xmlns="{main}"><sheetData/></worksheet>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{lines}</sheetData></worksheet>',
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def arrow(kind) -> bytes:
    file = io.BytesIO()
    if kind == "parquet":
        parquet.write_table(TABLE, file)
    elif kind == "feather":
        feather.write_feather(TABLE, file)
    else:
        with (ipc.new_stream if kind == "stream" else ipc.new_file)(file, TABLE.schema) as writer:
            writer.write_table(TABLE)
    return file.getvalue()


LINES = "\n".join(json.dumps(row, default=str) for row in ROWS).replace("12:00:00", "12:00").replace(", ", ",  ") + "\n"
CSV = "x,city,on,seen,t\n1.5,Rome,True,2024-01-01 12:00,b\n,Oslo,no,2024-01-02,a\n-2,,yes,2024-01-03,b\n"
FILES = {
    "a.xlsx": xlsx([list(ROWS[0]), *(list(row.values()) for row in ROWS)]),
    "a.parquet": arrow("parquet"),
    "a.feather": arrow("feather"),
    "a.arrow": arrow("file"),
    "stream.arrow": arrow("stream"),
    "a.jsonl": LINES.encode(),
    "a.json": f"[{','.join(LINES.splitlines())}]".encode(),
    "a.jsonl.gz": gzip.compress(LINES.encode()),
    "a.csv": CSV.replace("no", "False").replace("yes", "True").encode(),
}


@pytest.mark.parametrize("name", FILES)
def test_the_same_table_in_every_format_is_the_same_data(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(FILES[name])
    data = load(str(path), numbers=None, dates="days")
    assert data.schema.inputs == INPUTS
    assert data.train.features.tolist() == EXPECTED
    assert data.schema.classes == ("a", "b")
    assert read_features(str(path), data.schema).tolist() == EXPECTED
    chunks = list(feature_chunks(str(path), data.schema, keep=("t",)))
    assert [row for features, _ in chunks for row in features.tolist()] == EXPECTED
    assert [str(value) for _, beside in chunks for value in beside["t"]] == ["b", "a", "b"]
    check_reader(lambda path, selection: read(path, selection), str(path))


def test_a_folder_of_parts_is_one_table_and_its_folders_are_columns(tmp_path):
    for number, year in enumerate((2023, 2024)):
        folder = tmp_path / "sales" / f"year={year}"
        folder.mkdir(parents=True)
        parquet.write_table(TABLE.drop(["seen"]), folder / f"part-{number}.parquet")
    (tmp_path / "sales" / "_SUCCESS.parquet").touch()
    raw = read(str(tmp_path / "sales"), Selection(target="t"))
    assert raw.names == ("x", "city", "on", "year")
    assert raw.features.columns[3].tolist() == [2023] * 3 + [2024] * 3
    assert raw.targets.tolist() == ["b", "a", "b"] * 2
    parquet.write_table(pa.table({"x": ["text"], "city": ["p"], "on": [True], "t": ["b"]}), folder / "part-2.parquet")
    with pytest.raises(DataError, match="expected one type in column 'x', got double and string in its parts"):
        read(str(tmp_path / "sales"), Selection(target="t"))


def long_table(path: Path, rows: int) -> str:
    """The path of a file of that many rows, in parts as large as files have them."""
    numbers = {name: [0.123456789, 1234.56789] * (rows // 2) for name in "xyz"}
    table = pa.table({**numbers, "t": [0, 1] * (rows // 2)})
    match path.suffix:
        case ".parquet":
            parquet.write_table(table, path, row_group_size=1_000, compression="none", use_dictionary=False)
        case ".arrow":
            feather.write_feather(table, path, chunksize=1_000, compression="uncompressed")
        case ".jsonl":
            path.write_text('{"x": 0.12345, "y": 1.56789, "t": 0}\n{"x": 1, "y": 2.5, "t": 1}\n' * (rows // 2))
        case _:
            write = gzip.open if path.suffix == ".gz" else open
            with write(path, "wt") as file:
                file.write("x,y,z,t\n" + "0.123456789,1234.56789,-0.987654321,1\n0.5,0.25,0.125,0\n" * (rows // 2))
    return str(path)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.parquet", "a.arrow"])
def test_predictions_read_a_table_in_constant_memory(tmp_path, monkeypatch, name):
    monkeypatch.setattr(datasets, "CHUNK_ROWS", 1_000)
    monkeypatch.setattr(dialect, "BLOCK", 4_096)
    schema = load(long_table(tmp_path / name, 20), numbers=False).schema
    peaks = []
    for rows in (4_000, 16_000):
        path = long_table(tmp_path / name, rows)
        tracemalloc.start()
        try:
            assert sum(len(features) for features, _ in feature_chunks(path, schema)) == rows
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.jsonl", '{"x": 1, "t": "a"}\n[1]\n', "line 2: expected a JSON object, such as {"),
        ("a.jsonl", '{"x": 1, "t": "a"}\n{"x": 1', "line 2: expected a JSON object"),
        ("a.jsonl", '{"x": [1], "t": "a"}\n', "line 1: expected one number in column 'x', got 1 in a list"),
        ("a.jsonl", "[" * 5000, "expected an array of JSON objects"),
        ("a.jsonl", '{"x": 1, "t": {}}\n', "line 1: expected a target in column 't', got {}"),
        ("a.jsonl", '{"x": NaN, "t": 1}\n', "malformed: invalid character (byte 6); JSON has no NaN: write null"),
        ("a.json", '{"x": {"0": 1}, "t": {"0": 2}}', "for each example, got a single one that holds lists or objects"),
        ("a.csv", '{"x": 1, "t": 2}\n{"x": 2, "t": 3}\n', "it is JSON: rename it to .jsonl, or add --reader jsonl"),
        ("a.csv", "\n<!DOCTYPE html><title>404</title>", "it is a web page or XML: download or save the table itself"),
        ("a.csv", "version https://git-lfs.github.com/spec/v1\noid sha256:4d\n", "Git LFS, not the data: type git lfs"),
        ("a.dat", "x,t\n1,a\n", "does not begin like an IDX file; if it is a text table, add --reader csv"),
        ("a.npz", "PAR1", "expected {path} to be an NPZ file, but it is a Parquet file: rename it to .parquet"),
        ("a.jsonl", "", "expected a target column besides the features, but there is none"),
        ("a.xlsx", "no archive", "to be an Excel file (.xlsx), but it is something else or damaged"),
        ("a.arrow", "no table", "to be a Parquet or Arrow file, but it is something else or damaged"),
    ],
)
def test_unusable_files_are_refused(tmp_path, name, content, sentence):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        load(str(path), numbers=None)
    assert sentence.replace("{path}", str(path)) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (
            "a.csv",
            xlsx([["x", "t"], [1.0, "a"]]),
            "a ZIP archive, as Excel files are: rename it to .xlsx, or unpack it",
        ),
        ("a.csv.bz2", bz2.compress(b"x,t\n1,a\n"), "compressed by bzip2: unpack it first, or compress it with gzip"),
        ("a.csv", lzma.compress(b"x,t\n1,a\n"), "compressed by xz: unpack it first, or compress it with gzip"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel file of the old format (.xls): save it as .xlsx"),
    ],
    ids=["xlsx", "bzip2", "xz", "xls"],  # an archive has the time in it, and every process makes its own
)
def test_what_another_program_wrote_is_called_by_its_name(write, name, content, sentence):
    with pytest.raises(DataError, match=re.escape(f"but it is {sentence}")):
        load(write(content, name), numbers=None)


def test_an_address_and_a_folder_of_tables_are_refused_with_what_to_do(tmp_path):
    with pytest.raises(DataError, match="s3://b/a.csv does not exist; download it first"):
        load("s3://b/a.csv", numbers=None)
    (tmp_path / "a.csv").touch()
    with pytest.raises(DataError, match="without train-images…; put tables that belong together into one file"):
        load(str(tmp_path), numbers=None)


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
def test_hidden_sheets_are_not_read(tmp_path, state):
    (tmp_path / "a.xlsx").write_bytes(xlsx([["x", "t"], [1.0, "a"], [2.0, "b"]], before=state))
    data = load(str(tmp_path / "a.xlsx"), numbers=False)
    assert (data.train.features.tolist(), data.notes) == ([[1], [2]], ())
    (tmp_path / "b.xlsx").write_bytes(xlsx([["x", "t"], [1.0, "a"]], before="visible"))
    with pytest.raises(DataError, match="b.xlsx is empty"):
        load(str(tmp_path / "b.xlsx"), numbers=False)


def test_a_sheet_may_begin_with_an_empty_column_and_have_an_index(tmp_path):
    head, *rows = [None, 2019.0, "y"], [4.0, 1.5, "a"], [9.0, 2.5, "b"]
    for name, first, said in (("index.xlsx", 0, 1), ("empty.xlsx", None, 0)):
        cells = [row if first == 0 else [None, *row[1:]] for row in (head, *rows)]
        (tmp_path / name).write_bytes(xlsx(cells))
        data = load(str(tmp_path / name), numbers=False)
        assert (data.schema.features, data.train.features.tolist()) == (("2019",), [[1.5], [2.5]])
        assert len(data.notes) == said


def test_the_target_of_json_is_the_last_name_of_the_first_line(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"x": 1, "t": "a"}\n{"x": 2, "t": "b", "z": 5}\n{"x": 3, "z": 7, "t": "a"}\n')
    data = load(str(tmp_path / "a.jsonl"), numbers=False)
    assert (data.schema.features, data.schema.target) == (("x", "z"), "t")
    assert data.train.features[:, 1:].tolist() == [[6, 1], [5, 0], [7, 0]]


def test_an_array_of_json_may_be_one_long_line(tmp_path, monkeypatch):
    monkeypatch.setattr(dialect, "LONGEST_LINE", 1000)
    rows = [{"x": number, "t": "ab"[number % 2]} for number in range(200)]
    (tmp_path / "a.json").write_text(f"\ufeff  {json.dumps(rows)}\n")
    data = load(str(tmp_path / "a.json"), numbers=False)
    assert data.train.features[:, 0].tolist() == list(range(200))


def test_nanoseconds_are_left_out_of_times_in_parquet(tmp_path):
    moments = pa.array([1_700_000_000_123_456_789, 1_700_086_400_123_456_789], pa.timestamp("ns", "UTC"))
    parquet.write_table(pa.table({"t": moments, "y": ["a", "b"]}), tmp_path / "a.parquet")
    data = load(str(tmp_path / "a.parquet"), numbers=False, dates="days", scale=False)
    assert data.train.features[:, 0] == pytest.approx([19675.926, 19676.926], abs=1e-3)


def test_every_example_of_json_may_bring_a_column(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "CHUNK_ROWS", 2)
    path = tmp_path / "a.jsonl"
    rows = [{"x": number, "y": number % 3, "t": "ab"[number % 2]} for number in range(8)]
    for row in rows[:3]:
        del row["y"]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    schema = load(str(path), numbers=False).schema
    parts = list(feature_chunks(str(path), schema, everything=True))
    found = np.concatenate([features for features, _ in parts])
    assert found.tolist() == load(str(path), numbers=False).train.features.tolist()
    assert np.concatenate([beside["y"] for _, beside in parts]).tolist() == [None, None, None, 0, 1, 2, 0, 1]


def test_an_error_in_a_sheet_names_the_row_and_column(tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(xlsx([["x", "t"], [1.0, "a"], [None, None], [2.0, "b"], ["many", "b"], [3.0, "a"]]))
    with pytest.raises(DataError, match=r"a.xlsx, row 5: expected a number in column 'x', got 'many'"):
        load(str(path), numbers=None)


def test_a_file_that_would_unpack_to_more_than_memory_is_refused_first(tmp_path, monkeypatch):
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * 30_000_000)
    monkeypatch.setattr("distsearch.machine.memory.available", lambda: 100_000_000)
    with pytest.raises((DataError, TooLargeError), match="would take 120 MB of memory, but only 100 MB is available"):
        load(str(path), numbers=None)


def mutated(content: bytes, chance: random.Random) -> bytes:
    """The content with bytes changed, cut out, doubled or moved."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at, size = chance.randrange(len(changed) + 1), chance.randrange(1, 20)
        match chance.randrange(4):
            case 0:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del changed[at : at + size]
            case 2:
                changed[at:at] = chance.choice([b",", b";", b'"', b"\n", b"\0", b"\xff", b"#", b"NaN", b"1e999", b"{"])
            case 3:
                changed[at:at] = changed[: chance.randrange(len(changed) + 1)][-size:]
        if not changed:
            break
    return bytes(changed)


@pytest.mark.parametrize(("name", "times"), [("a.csv", 900), ("a.jsonl", 300), ("a.parquet", 400), ("a.xlsx", 400)])
def test_damaged_tables_raise_nothing_but_a_data_error(tmp_path, name, times):
    schema_path = tmp_path / f"whole-{name}"
    schema_path.write_bytes(FILES[name])
    schema = load(str(schema_path), numbers=None, dates="days").schema
    path, chance = tmp_path / name, random.Random(7)  # noqa: S311  (nothing depends on how good it is)
    for _ in range(times):
        path.write_bytes(mutated(FILES[name], chance))
        for reading in (
            lambda: load(str(path), numbers=None, dates="days", scale=None),
            lambda: list(feature_chunks(str(path), schema, everything=True)),
        ):
            try:
                reading()
            except DataError as error:
                assert "\n" not in str(error)


# The commands


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with data.csv and a run called a."""
    folder = tmp_path_factory.mktemp("predictions")
    rows = [f"{index},{index % 7},{'pq'[index % 2]},{'yes' if index % 7 > 3 else 'no'}" for index in range(60)]
    (folder / "data.csv").write_text("who,x,c,ill\n" + "\n".join(rows) + "\n")
    settings = ("--id", "who", "--workers", "0", "--rounds", "200", "--name", "a")
    succeeded("run", "--data", "data.csv", *settings, cwd=folder)
    return folder


def test_predictions_keep_the_requested_columns(trained):
    lines = succeeded("predict", "a", "data.csv", cwd=trained).stdout.splitlines()
    assert lines[0] == "who,ill,probability"
    assert len(lines) == 61
    joined = succeeded("predict", "a", "data.csv", "--join", "--probabilities", cwd=trained).stdout.splitlines()
    assert joined[0] == "who,x,c,ill,predicted ill,probability of no,probability of yes"
    assert [line.split(",")[0] for line in joined[1:]] == [str(index) for index in range(60)]
    kept = succeeded("predict", "a", "data.csv", "--keep", "c,x", "--format", "jsonl", cwd=trained).stdout
    assert json.loads(kept.splitlines()[1])["c"] == "q"
    assert set(json.loads(kept.splitlines()[1])) == {"who", "x", "c", "ill", "probability"}
    succeeded("predict", "a", "data.csv", "--output", "out.parquet", cwd=trained)
    assert parquet.read_table(trained / "out.parquet").column("ill").to_pylist() == [
        line.split(",")[1] for line in lines[1:]
    ]


def test_joined_columns_of_parquet_keep_their_types(trained):
    table = pa.table(
        {
            "who": pa.array([2**53 + 1, None, 7]),
            "x": [1.0, 2.0, 6.0],
            "c": ["p", "q", "p"],
            "on": [datetime(2024, 1, 31), None, datetime(2024, 2, 29)],
            "tags": [["a"], [], None],
        }
    )
    parquet.write_table(table, trained / "typed.parquet")
    succeeded("predict", "a", "typed.parquet", "--join", "--output", "joined.parquet", cwd=trained)
    found = parquet.read_table(trained / "joined.parquet")
    assert found.select(table.column_names) == table
    assert found.column_names == [*table.column_names, "ill", "probability"]
    lines = succeeded("predict", "a", "typed.parquet", cwd=trained).stdout.splitlines()
    assert [line.split(",")[0] for line in lines] == ["who", "9007199254740993", "", "7"]
    assert parquet.read_table(trained / "joined.parquet").column("ill").to_pylist() == [
        line.split(",")[1] for line in lines[1:]
    ]


def test_a_header_that_begins_like_a_zip_file_is_that_of_a_table(tmp_path):
    (tmp_path / "t.csv").write_text("PK_ID,x,t\n" + "".join(f"{n},{n % 7},{'ab'[n % 2]}\n" for n in range(20)))
    with (tmp_path / "t.csv").open() as file:
        done = ran("run", "--data", "-", "--workers", "0", "--rounds", "2", cwd=tmp_path, stdin=file)
    assert done.returncode == 0, done.stderr


def test_standard_input_is_predicted(trained):
    with (trained / "data.csv").open() as file:
        found = ran("predict", "a", "-", cwd=trained, stdin=file)
    assert found.stdout == succeeded("predict", "a", "data.csv", cwd=trained).stdout


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--keep", "why"), "expected names of columns, but there is no column 'why'"),
        (("--output", "data.csv"), "--output: expected another file than 'data.csv', which is read"),
        (("--format", "xlsx"), "--format: unknown format 'xlsx': expected one of csv, jsonl, parquet"),
        (("--format", "parquet"), "--format parquet: expected a file to write it to: add --output"),
        (
            ("--output", "p.xlsx"),
            "--output: expected a .csv, .jsonl or .parquet file, got 'p.xlsx'; name it so, or say",
        ),
    ],
)
def test_impossible_options_of_predict_are_refused(trained, flags, sentence):
    before = sorted(os.listdir(trained))
    found = ran("predict", "a", "data.csv", *flags, cwd=trained)
    assert (found.returncode, found.stdout) == (2, "")
    assert sentence in found.stderr
    assert sorted(os.listdir(trained)) == before


def test_cross_validation_tests_on_every_example_once(trained):
    settings = ("--id", "who", "--workers", "0", "--rounds", "100", "--folds", "3", "--json")
    found = succeeded("run", "--data", "data.csv", *settings, cwd=trained)
    results = json.loads(found.stdout)
    assert [result["test_accuracy"] > 0.5 for result in results] == [True] * 3
    words = [line.split() for line in found.stderr.splitlines()]
    assert [line[0] for line in words[-5:]] == ["1", "2", "3", "mean", "deviation"]
    mean = sum(result["test_loss"] for result in results) / 3
    assert float(words[-2][1]) == pytest.approx(mean, rel=1e-4)
    with pytest.raises(AssertionError, match="--folds: expected no other examples to be set aside"):
        succeeded("run", "--data", "data.csv", "--folds", "3", "--test-share", "0.2", cwd=trained)


def test_quiet_folds_say_no_more_than_warnings(trained):
    flags = ("--data", "data.csv", "--target", "ill", "--id", "who", "--folds", "2", "--rounds", "1", "--workers", "0")
    done = succeeded("run", *flags, "--quiet", cwd=trained)
    assert (done.stdout, done.stderr.count("\n"), "fold" in done.stderr) == ("", 1, False)
    assert "fold 2 of 2: 1 round, test loss" in succeeded("run", *flags, cwd=trained).stderr


def test_a_model_evaluates_several_metrics_with_spaces_between(trained):
    flags = ("--data", "data.csv", "--metrics", "f1, recall", "--json")
    [scores] = json.loads(succeeded("evaluate", "a", *flags, cwd=trained).stdout).values()
    assert {"f1", "recall"} <= scores.keys()
    empty = trained / "empty.csv"
    empty.write_text((trained / "data.csv").read_text().splitlines()[0] + "\n")
    refusal = ran("evaluate", "a", "--data", "empty.csv", cwd=trained)
    assert (refusal.returncode, "expected at least one example" in refusal.stderr) == (2, True)


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx", "a.jsonl", "a.parquet"])
def test_codes_learnt_as_numbers_are_pointed_out_whatever_holds_them(write, name):
    codes, labels = ["007", "012", "013"], ["a", "b", "a"]
    table = pa.table({"x": codes, "t": labels})
    content = {
        "a.csv": "x,t\n" + "".join(f"{code},{label}\n" for code, label in zip(codes, labels, strict=True)),
        "a.xlsx": xlsx([["x", "t"], *map(list, zip(codes, labels, strict=True))]),
        "a.jsonl": "".join(json.dumps(row) + "\n" for row in table.to_pylist()),
        "a.parquet": b"",
    }[name]
    path = write(content, name)
    if name == "a.parquet":
        parquet.write_table(table, path)
    data = load(path, numbers=False, scale=False)
    assert data.train.features.tolist() == [[7], [12], [13]]
    [note] = data.notes
    assert "column 'x' is learnt as a number, but '007' looks like a code: leave it out with --drop x" in note
    assert read_features(path, data.schema).tolist() == [[7], [12], [13]]
