"""Shared storage as a user meets it: real processes, some of them killed, and a real S3 server."""

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from processes import bound_by_permissions
from programs import Program, ran, started
from searches import contents, search
from storages import BUCKET, CREDENTIALS, access, asked, free_port, place, served, stored
from waiting import PATIENCE, awaited

from distsearch.config import from_flags
from distsearch.errors import RunError, SettingError, StorageError
from distsearch.runs.directory import StoredRun
from distsearch.search import resumption
from distsearch.search.assembly import assemble
from distsearch.storage import Address, Storage, fetch, object_stores
from distsearch.storage.index import read_index

ROUNDS = 400


def command(*arguments: str, cwd: Path, server: str) -> subprocess.CompletedProcess[str]:
    return ran(*arguments, cwd=cwd, variables=access(server))


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


PROGRAM = """
import time
from concurrent.futures import wait
from pathlib import Path

from distsearch.__main__ import main
from distsearch.runs import directory
from distsearch.storage import Publisher

def gated(run, row, losses):
    time.sleep(0.004)
    while row.round >= {gate} and not Path("open").exists():
        time.sleep(0.004)
    record(run, row, losses)

def in_step(publisher, rounds):
    offer(publisher, rounds)
    wait([publisher._upload])

directory.SAVE_SECONDS, directory.SAVE_SHARE = 0.0, 1e9
record, directory.Run.record = directory.Run.record, gated
offer = Publisher.offer
if {waits}:
    Publisher.offer = in_step
main()
"""


def start(*arguments: str, cwd: Path, server: str, gate: int, waits: bool = False) -> AbstractContextManager[Program]:
    """A program that saves after each round and does not pass round `gate` until a file `open` exists.

    If it waits, then for each upload.
    """
    program = PROGRAM.format(gate=gate, waits=waits)
    return started(*arguments, cwd=cwd, program=program, environment={**os.environ, **access(server)})


def published_rounds(there) -> int:
    index = read_index(there)
    return index.rounds if index else 0


@pytest.mark.slow
def test_a_driver_killed_while_it_publishes_is_resumed_from_storage_to_the_same_bytes(tmp_path, storage, s3_server):
    """Each kill -9 comes at another point, and each time the driver's disk is lost with it."""
    whole = contents(search(tmp_path / "whole", rounds=ROUNDS)[0].path)
    there = place(storage)
    command = ["run", "--workers", "0", "--rounds", f"{ROUNDS}", "--name", "a", "--storage", storage]
    for number, gate in enumerate((ROUNDS // 2, ROUNDS * 3 // 4)):
        before = published_rounds(there)
        with start(*command, cwd=tmp_path, server=s3_server, gate=gate) as process:
            awaited("new rounds in storage", lambda before=before: published_rounds(there) > before)
            time.sleep(0.011 * number)
            assert process.poll() is None
            process.kill()
            process.wait(PATIENCE)
        shutil.rmtree(tmp_path / "runs")
        fetch(stored(storage), tmp_path / f"seen-{number}")
        command = ["resume", stored(storage)]
    (tmp_path / "open").touch()
    with start(*command, cwd=tmp_path, server=s3_server, gate=ROUNDS) as process:
        _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, error
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
def test_storage_lost_during_a_run_is_reported_and_the_run_is_complete(tmp_path):
    command = ["run", "--workers", "0", "--rounds", "7", "--name", "a", "--storage", f"s3://{BUCKET}"]
    with ExitStack() as stack:
        with served() as server:
            process = stack.enter_context(start(*command, cwd=tmp_path, server=server, gate=5, waits=True))
            awaited("the first checkpoint", (tmp_path / "runs" / "a" / "checkpoint.safetensors").exists)
        (tmp_path / "open").touch()
        _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    told = error.splitlines()
    assert sum("the search continues" in line for line in told) == 1
    assert "cannot be reached" in told[-1]
    assert "the run is complete in runs/a, and `distsearch publish runs/a` publishes it" in told[-1]
    run = StoredRun(tmp_path / "runs" / "a")
    assert (run.result.rounds, run.rounds) == (7, 7)


@pytest.mark.parametrize(
    ("storage", "sentence"),
    [
        ("s3://nobucket/x", "cannot write s3://nobucket/x/a/.*: there is no such bucket: create it first"),
        ("s4://bucket/x", "expected a folder, file://, s3:// or gs:// for storage, got 's4://bucket/x'"),
        ("s3://me:secret@bucket", "without user and password"),
        ("runs", "expected a folder other than that of the runs, got '.*runs'"),
        ("file", "cannot read .*/file/index.json in storage: Not a directory"),
    ],
)
def test_unusable_storage_is_refused_at_the_start(tmp_path, s3_server, storage, sentence):
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


def test_a_folder_without_write_permission_is_refused(tmp_path):
    (tmp_path / "shared").mkdir(mode=0o500)
    arguments = ["run", "--workers", "0", "--runs", f"{tmp_path}/runs", "--storage", f"{tmp_path}/shared"]
    done = bound_by_permissions(*arguments)
    assert done.returncode == 2, done.stderr
    assert "shared/vertical-hill-climb-1/objects" in done.stderr
    assert done.stderr.endswith("in storage: Permission denied\n")
    assert not list((tmp_path / "runs").iterdir())


def test_a_run_is_refused_as_storage(tmp_path, storage):
    search(tmp_path / "runs", name="a", rounds=5, storage=storage)
    with pytest.raises(StorageError, match="expected storage, but .* is a run in it: give"):
        search(tmp_path / "runs", name="b", rounds=5, storage=stored(storage))


@pytest.mark.parametrize("run", ["s3://bucket/none/a", "s3://bucket", "s4://bucket/a"])
def test_a_missing_run_is_refused(tmp_path, s3_server, run):
    sentence = refused("resume", run, cwd=tmp_path, server=s3_server)
    assert "expected" in sentence


def test_a_local_run_without_storage_says_how_to_publish_it(tmp_path, storage):
    run = search(tmp_path / "runs", name="a", rounds=5)[0]
    with pytest.raises(RunError, match="names no storage: give it one with --storage"):
        resumption.publish(run, None)
    assert resumption.publish(run, storage) == str(Address.parse(storage))
    assert contents(fetch(stored(storage), tmp_path / "elsewhere")) == contents(run.path)


def test_unreachable_google_storage_is_refused(monkeypatch):
    monkeypatch.setattr(object_stores, "RETRY_SECONDS", 1)
    address = f"gs://bucket/x?anonymous=true&scheme=http&endpoint_override=127.0.0.1:{free_port()}"
    with pytest.raises(StorageError, match="cannot read gs://bucket/x/a/index.json.*: it cannot be reached"):
        Storage(Address.parse(address)).has("a")


def test_a_missing_pyarrow_is_reported_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        StorageError, match=r'needs pyarrow, which is not installed; type pip install "distsearch\[storage\]"'
    ):
        Storage(Address.parse("s3://bucket")).has("a")


def test_a_pyarrow_without_the_filesystem_is_reported(monkeypatch):
    from pyarrow import fs

    monkeypatch.delattr(fs, "GcsFileSystem")
    with pytest.raises(StorageError, match="this pyarrow was built without gs://"):
        Storage(Address.parse("gs://bucket")).has("a")


def test_the_setting_is_checked_before_the_search(tmp_path):
    with pytest.raises(SettingError, match="expected a folder"):
        assemble(from_flags({"storage": "ftp://host", "runs": str(tmp_path)}))
