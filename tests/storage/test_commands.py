"""Shared storage as a user meets it: real processes, killed ones among them, and a real S3 server."""

import builtins
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import bound_by_permissions
from searches import contents, search
from storages import CREDENTIALS, asked, environment, free_port, place, stored

from distsearch.config import from_flags
from distsearch.errors import RunError, SettingError, StorageError
from distsearch.runs.directory import StoredRun
from distsearch.search import resumption
from distsearch.search.assembly import assemble
from distsearch.storage import Address, Storage, fetch, object_stores
from distsearch.storage.index import INDEX

ROUNDS = 400


def command(*arguments: str, cwd: Path, server: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "distsearch", *arguments],
        cwd=cwd,
        env=environment(server),
        capture_output=True,
        text=True,
        timeout=120,
    )


def refused(*arguments: str, cwd: Path, server: str) -> str:
    """The last line of a command that is refused with exit code 2, before anything runs."""
    done = command(*arguments, cwd=cwd, server=server)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert not list((cwd / "runs").glob("*"))
    lines = done.stderr.splitlines()
    assert lines[-1].startswith("distsearch: ")
    assert len(lines) <= 2
    return lines[-1]


PROGRAM = (  # checkpoints as often as can be, and rounds that leave time for several
    "import time; from distsearch.runs import directory; directory.SAVE_SECONDS = 0.0; directory.SAVE_SHARE = 1e9;"
    "record = directory.Run.record; directory.Run.record = lambda *a: (time.sleep(0.004), record(*a))[1];"
    "from distsearch.__main__ import main; main()"
)


def start(*arguments: str, cwd: Path, server: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=cwd,
        env=environment(server),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def published(there) -> bytes:
    try:
        return there.read(INDEX)
    except FileNotFoundError:
        return b""


@pytest.mark.slow
def test_a_driver_killed_while_it_publishes_is_resumed_from_storage_to_the_same_bytes(tmp_path, storage, s3_server):
    """Each kill -9 comes somewhere else, and each time all that the driver had on its disk goes with it."""
    whole = contents(search(tmp_path / "whole", rounds=ROUNDS)[0].path)
    there = place(storage)
    process = start(
        "run", "--workers", "0", "--rounds", f"{ROUNDS}", "--name", "a", "--storage", storage, cwd=tmp_path,
        server=s3_server,
    )  # fmt: skip
    kills = 0
    for number in range(2):
        published_before = published(there)
        changes = 0
        while changes < 2 and process.poll() is None:  # of the index; what stands for the new run is one
            if (now := published(there)) != published_before:
                published_before, changes = now, changes + 1
            time.sleep(0.02)
        time.sleep(0.011 * number)
        kills += process.poll() is None
        process.kill()
        process.wait()
        process.stderr.close()
        shutil.rmtree(tmp_path / "runs")
        rounds = StoredRun(fetch(stored(storage), tmp_path / f"seen-{number}")).rounds
        if rounds == ROUNDS:
            break
        process = start("resume", stored(storage), cwd=tmp_path, server=s3_server)
    else:
        _, error = process.communicate(timeout=60)
        assert process.returncode == 0, error
    assert kills >= 1
    assert contents(fetch(stored(storage), tmp_path / "elsewhere")) == whole


def test_commands_take_runs_in_storage(tmp_path, s3_storage, s3_server):
    uri = s3_storage.partition("?")[0]
    done = command(
        "run", "--workers", "0", "--rounds", "20", "--name", "a", "--storage", uri, cwd=tmp_path, server=s3_server
    )
    assert done.returncode == 0, done.stderr
    assert f"kept in runs/a and in {uri}" in done.stderr
    shutil.rmtree(tmp_path / "runs")
    for arguments in (["show"], ["resume", "--rounds", "5", "--workers", "0"], ["publish"]):
        done = command(arguments[0], f"{uri}/a", *arguments[1:], cwd=tmp_path, server=s3_server)
        assert done.returncode == 0, done.stderr
    kept = (tmp_path / "runs" / "a" / "config.toml").read_text()
    assert f'storage = "{uri}"' in kept
    assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in kept + (tmp_path / "runs" / "a" / "manifest.json").read_text()
    assert StoredRun(fetch(stored(s3_storage), tmp_path / "elsewhere")).rounds == 25


@pytest.mark.slow
def test_storage_that_goes_away_in_mid_run_ends_in_a_sentence_and_the_run_is_whole(tmp_path):
    port = free_port()
    server = f"127.0.0.1:{port}"
    moto = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", f"{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not asked(server, "bucket", "PUT"):
            time.sleep(0.05)
        process = start(
            "run", "--workers", "0", "--rounds", "300", "--name", "a", "--storage", "s3://bucket", cwd=tmp_path,
            server=server,
        )  # fmt: skip
        while not (tmp_path / "runs" / "a" / "checkpoint.safetensors").exists():
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        moto.kill()
        moto.wait()
    _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    told = error.decode().splitlines()
    assert sum("the search continues" in line for line in told) == 1
    assert "cannot be reached" in told[-1]
    assert "the run is complete in runs/a, and `distsearch publish runs/a` publishes it" in told[-1]
    run = StoredRun(tmp_path / "runs" / "a")
    assert (run.result.rounds, run.rounds) == (300, 300)


@pytest.mark.parametrize(
    ("storage", "sentence"),
    [
        ("s3://nobucket/x", "cannot write s3://nobucket/x/a/.*: there is no such bucket: create it first"),
        ("s4://bucket/x", "expected a folder, file://, s3:// or gs:// for storage, got 's4://bucket/x'"),
        ("s3://me:secret@bucket", "without user and password"),
        ("runs", "expected another folder than that of the runs, got '.*runs'"),
        ("file", "cannot read .*/file/index.json in storage: Not a directory"),
    ],
)
def test_storage_that_cannot_be_used_is_refused_at_the_start(tmp_path, s3_server, storage, sentence):
    import re

    (tmp_path / "file").touch()
    arguments = ["run", "--workers", "0", "--rounds", "5", "--name", "a", "--storage", storage]
    assert re.search(sentence, refused(*arguments, cwd=tmp_path, server=s3_server))


def test_a_server_that_does_not_answer_is_refused_at_the_start(tmp_path):
    sentence = refused("run", "--storage", "s3://bucket", cwd=tmp_path, server=f"127.0.0.1:{free_port()}")
    assert "cannot read s3://bucket/index.json: it cannot be reached: check the network" in sentence


def test_missing_permission_is_refused_at_the_start(tmp_path, s3_server):
    assert asked(s3_server, "moto-api/reset-auth", "POST", b"0")
    try:
        sentence = refused("run", "--workers", "0", "--storage", "s3://bucket", cwd=tmp_path, server=s3_server)
    finally:
        assert asked(s3_server, "moto-api/reset-auth", "POST", b"inf")
    assert "s3://bucket/index.json: permission denied: check the credentials" in sentence


def test_a_folder_that_may_not_be_written_is_refused(tmp_path):
    (tmp_path / "shared").mkdir(mode=0o500)
    arguments = ["run", "--workers", "0", "--runs", f"{tmp_path}/runs", "--storage", f"{tmp_path}/shared"]
    done = bound_by_permissions(*arguments)
    assert done.returncode == 2, done.stderr
    assert "shared/vertical-hill-climb-1/objects" in done.stderr
    assert done.stderr.endswith("in storage: Permission denied\n")
    assert not list((tmp_path / "runs").iterdir())


def test_a_run_is_no_storage(tmp_path, storage):
    search(tmp_path / "runs", name="a", rounds=5, storage=storage)
    with pytest.raises(StorageError, match="expected storage, but .* is a run in it: give"):
        search(tmp_path / "runs", name="b", rounds=5, storage=stored(storage))


@pytest.mark.parametrize("run", ["s3://bucket/none/a", "s3://bucket", "s4://bucket/a"])
def test_a_run_that_is_not_there_is_refused(tmp_path, s3_server, run):
    sentence = refused("resume", run, cwd=tmp_path, server=s3_server)
    assert "expected" in sentence


def test_a_local_run_without_storage_says_how_to_publish_it(tmp_path, storage):
    run = search(tmp_path / "runs", name="a", rounds=5)[0]
    with pytest.raises(RunError, match="names no storage: give it one with --storage"):
        resumption.publish(run, None)
    assert resumption.publish(run, storage) == str(Address.parse(storage))
    assert contents(fetch(stored(storage), tmp_path / "elsewhere")) == contents(run.path)


def test_google_s_storage_that_cannot_be_reached_is_refused(monkeypatch):
    monkeypatch.setattr(object_stores, "RETRY_SECONDS", 1)
    address = f"gs://bucket/x?anonymous=true&scheme=http&endpoint_override=127.0.0.1:{free_port()}"
    with pytest.raises(StorageError, match="cannot read gs://bucket/x/a/index.json.*: it cannot be reached"):
        Storage(Address.parse(address)).has("a")


def test_a_missing_pyarrow_is_named_with_the_remedy(monkeypatch):
    original = builtins.__import__

    def without(name, *rest):
        if name.startswith("pyarrow"):
            raise ImportError
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(StorageError, match=r'needs pyarrow: pip install "distsearch\[storage\]"'):
        Storage(Address.parse("s3://bucket")).has("a")


def test_a_pyarrow_without_the_driver_is_named(monkeypatch):
    from pyarrow import fs

    monkeypatch.delattr(fs, "GcsFileSystem")
    with pytest.raises(StorageError, match="this pyarrow was built without gs://"):
        Storage(Address.parse("gs://bucket")).has("a")


def test_the_setting_is_checked_before_the_search(tmp_path):
    with pytest.raises(SettingError, match="expected a folder"):
        assemble(from_flags({"storage": "ftp://host", "runs": str(tmp_path)}))
