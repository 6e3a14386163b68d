import errno
import fcntl
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
import pytest
from problems import create

from distsearch.config import from_flags
from distsearch.errors import RunError
from distsearch.runs import checkpoints, files
from distsearch.runs.claims import lock
from distsearch.runs.directory import Manifest, Result, Run, StoredRun
from distsearch.runs.history import RoundRecord
from distsearch.runs.layout import run_paths
from distsearch.strategies.base import State

MANIFEST = Manifest(
    created="2026-01-01", machine={"numpy": "2"}, weights=3, examples=9, fingerprint="sha256:0", data={}
)
STRATEGY = create("hill-climb", {})
LOSSES = np.arange(32.0)
STATE = STRATEGY.init(np.array([1, 2, 3], np.float32), 0)

RESULT = Result(
    run="a", reason="rounds", rounds=1, candidates=32, seconds=1.5, loss=0.1, accuracy=0.9,
    test_loss=None, test_accuracy=None, best_round=0, best_index=7,
)  # fmt: skip


def record(number: int) -> RoundRecord:
    return RoundRecord(number, 32 * (number + 1), 0.1 * number, 2.0, 1.0 / 3, True, 0.05)


@pytest.fixture
def new_run(tmp_path):
    made = []

    def make(**flags) -> Run:
        made.append(Run.create(from_flags({"runs": str(tmp_path / "runs"), **flags}), STRATEGY.settings, MANIFEST))
        return made[-1]

    yield make
    for run in made:
        run.close()


def test_a_run_is_read_back_as_written(new_run):
    run = new_run(sigma=0.25, layers=[4, 5])
    rows = [record(number) for number in range(20)]
    for row in rows:
        run.record(row, LOSSES)
    run.save(STATE, checkpoints.best_content(STATE.best, {"weights": STATE.center}))
    run.close()
    stored = StoredRun(run.path)
    assert list(stored.history()) == rows
    assert stored.manifest == MANIFEST
    assert stored.config.network.layers == (4, 5)
    assert stored.best()["weights"].tolist() == [1, 2, 3]
    assert stored.state(State).center.tolist() == [1, 2, 3]
    assert stored.result is None


def test_a_result_is_read_back_as_written(new_run):
    run = new_run()
    run.finish(RESULT)
    run.close()
    assert StoredRun(run.path).result == RESULT


def test_generated_names_are_never_reused(new_run):
    names = [new_run(data="data/my.table.csv", strategy="hill-climb").path.name for _ in range(3)]
    assert names == ["my-hill-climb-1", "my-hill-climb-2", "my-hill-climb-3"]


def test_an_existing_run_is_never_overwritten(new_run):
    path = new_run(name="first").path
    before = {file: file.read_bytes() for file in path.iterdir()}
    with pytest.raises(RunError, match="first already exists: choose another --name"):
        new_run(name="first")
    assert {file: file.read_bytes() for file in path.iterdir()} == before


@pytest.mark.parametrize("name", ["a/b", "..", ".", "/absolute"])
def test_a_name_that_escapes_the_folder_is_refused(new_run, tmp_path, name):
    with pytest.raises(RunError, match="expected a plain name"):
        new_run(name=name)
    assert not list(tmp_path.iterdir())


@contextmanager
def full_disk() -> Iterator[None]:
    """While entered, no file can grow."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def descriptors() -> set[str]:
    """The open file descriptors of this process, and what they refer to."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of the listing itself
            found.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
    return found


def test_a_run_that_cannot_be_written_leaves_nothing(new_run, tmp_path):
    before = descriptors()
    with (
        full_disk(),
        pytest.raises(RunError, match=r"cannot write to the folder .* \(File too large\): choose another"),
    ):
        new_run(name="first")
    assert not list((tmp_path / "runs").iterdir())
    assert descriptors() == before
    new_run(name="first")


def test_any_failure_while_a_run_is_created_leaves_nothing(new_run, tmp_path, monkeypatch):
    def broken_off(*arguments):
        raise KeyboardInterrupt

    before = descriptors()
    monkeypatch.setattr(files, "write_whole", broken_off)
    with pytest.raises(KeyboardInterrupt):
        new_run(name="first")
    assert not list((tmp_path / "runs").iterdir())
    assert descriptors() == before


def test_a_directory_that_cannot_be_locked_is_closed(tmp_path, monkeypatch):
    def no_locks(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    before = descriptors()
    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(OSError, match="No locks available"):
        lock(tmp_path)
    assert descriptors() == before


def test_a_run_that_cannot_be_reopened_is_released(new_run):
    run = new_run(name="first")
    run.save(STATE, checkpoints.best_content(STATE.best, {"weights": STATE.center}))
    run.close()
    stored, before = StoredRun(run.path), descriptors()
    with full_disk(), pytest.raises(RunError, match="cannot write to the run .*: its last checkpoint is intact"):
        Run.reopen(stored, 0, stored.config, STRATEGY.settings)
    assert descriptors() == before
    Run.reopen(stored, 0, stored.config, STRATEGY.settings).close()


def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write to the folder .*choose another with --runs"):
        Run.create(from_flags({"runs": str(tmp_path / "file" / "runs")}), STRATEGY.settings, MANIFEST)


def test_a_history_that_ends_before_the_result_is_named(new_run):
    run = new_run()
    for number in range(3):
        run.record(record(number), LOSSES)
    run.finish(RESULT)
    run.close()
    with pytest.raises(RunError, match="the history of .* is damaged: it has 3 rounds, but the result says 1"):
        list(StoredRun(run.path).history())


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "is not a distsearch run: it has no manifest.json"),
        ("{", "damaged or was not written by distsearch"),
        ('{"name": "another program\'s manifest"}', "damaged or was not written by distsearch"),
        ({"program": "other"}, "is a run of other, not of distsearch"),
        ({"format": 99}, "written by a newer distsearch"),
    ],
)
def test_a_foreign_directory_is_refused(tmp_path, content, sentence):
    import msgspec

    if isinstance(content, dict):
        content = json.dumps({**msgspec.to_builtins(MANIFEST), **content})
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(RunError, match=sentence):
        StoredRun(tmp_path)


def test_a_missing_directory_is_refused(tmp_path):
    with pytest.raises(RunError, match="expected a run's directory"):
        StoredRun(tmp_path / "none")


def test_runs_are_listed_by_age_and_other_folders_skipped(new_run, tmp_path):
    first, second = new_run(name="b").path, new_run(name="a").path
    os.utime(first / "manifest.json", (1, 1))
    (tmp_path / "runs" / "other").mkdir()
    assert run_paths(tmp_path / "runs") == [first, second]
    assert run_paths(tmp_path / "nowhere") == []
