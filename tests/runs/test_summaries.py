"""Summaries of runs: what a list shows, and the disposable index behind it."""

import os
import shutil

import msgspec
import numpy as np
import pytest
from problems import create

from distsearch.config import from_flags
from distsearch.errors import RunError
from distsearch.runs import summaries as summarising
from distsearch.runs import upkeep
from distsearch.runs.claims import lock
from distsearch.runs.directory import Manifest, Result, Run, StoredRun
from distsearch.runs.history import RoundRecord
from distsearch.runs.layout import run_paths
from distsearch.runs.summaries import INTERRUPTED, summaries

STRATEGY = create("hill-climb", {})
MANIFEST = Manifest(
    created="2026-01-01T10:00:00+00:00", machine={"numpy": "2"}, weights=3, examples=9, fingerprint="sha256:0", data={}
)
RESULT = Result(
    run="a", reason="rounds", rounds=0, candidates=0, seconds=1.5, loss=0.1, accuracy=0.9, best_round=0, best_index=7
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(summarising, "WORTH_KEEPING", 1)
    return tmp_path / "runs"


def made(folder, name: str, result: Result | None = RESULT, rounds: int = 0, **flags) -> None:
    settings = from_flags({"runs": str(folder), "name": name, "sigma": 0.25, **flags})
    run = Run.create(settings, STRATEGY.settings, MANIFEST)
    for number in range(rounds):
        run.record(RoundRecord(number, 1, 0.5 * number, 2.0, 1.5, True, 0.05), LOSSES)
    if result:
        run.finish(result)
    run.close()


LOSSES = np.zeros(1)


def listed(folder):
    return {each.run: each for each in summaries(run_paths(folder))}


def test_a_run_is_listed_as_done_stopped_running_killed_or_damaged(folder):
    results = {"done": RESULT, "stopped": msgspec.structs.replace(RESULT, reason=INTERRUPTED)}
    for name in ("done", "stopped", "running", "killed", "damaged"):
        made(folder, name, results.get(name), rounds=2)
    (folder / "damaged" / "config.toml").write_text("not what it was")
    descriptor = lock(folder / "running")
    for _ in range(2):  # read, then from the index
        found = listed(folder)
        assert {name: each.status for name, each in found.items()} == {name: name for name in found}
        assert found["done"].loss == 0.1
        assert found["running"].rounds == found["killed"].rounds == 2
        assert found["running"].loss == 1.5
        assert "config.toml" in found["damaged"].error
    os.close(descriptor)
    assert listed(folder)["running"].status == "killed"


def test_unchanged_runs_are_not_read_again(folder, monkeypatch):
    for name in "abc":
        made(folder, name)
    first = listed(folder)
    assert first["a"].step == 0.05
    reading, read = summarising._read, []
    monkeypatch.setattr(summarising, "_read", lambda path: read.append(path.name) or reading(path))
    assert listed(folder) == first
    assert read == []
    upkeep.rename(StoredRun(folder / "b"), "new")
    assert {each.run for each in listed(folder).values()} == {"a", "c", "new"}
    assert read == ["new"]


def test_a_damaged_or_unwritable_index_is_ignored(folder, monkeypatch, tmp_path):
    made(folder, "a")
    first = listed(folder)
    (index,) = (tmp_path / "cache" / "distsearch").iterdir()
    for rubbish in (b"", b"\xff\x00 rubbish", index.read_bytes()[:-3]):
        index.write_bytes(rubbish)
        assert listed(folder) == first
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/nowhere")
    assert listed(folder) == first


def test_two_folders_of_the_same_name_are_told_apart(folder, tmp_path, monkeypatch):
    made(folder, "a")
    listed(folder)
    made(tmp_path / "elsewhere" / "runs", "b")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert set(listed(folder.__class__("runs"))) == {"b"}
    monkeypatch.chdir(tmp_path)
    (again,) = summaries(run_paths(folder.__class__("runs")))
    assert again.path == "runs/a"


def test_a_run_is_removed_whole_unless_it_is_being_written(folder):
    made(folder, "a")
    descriptor = lock(folder / "a")
    with pytest.raises(RunError, match="another process is writing"):
        upkeep.remove(folder / "a")
    os.close(descriptor)
    (folder / "link").symlink_to(folder / "a")
    with pytest.raises(RunError, match="is a link to a run"):
        upkeep.remove(folder / "link")
    (folder / "a" / "manifest.json").write_text("damaged")
    upkeep.remove(folder / "a")
    (folder / "other").mkdir()
    with pytest.raises(RunError, match="other is not a distsearch run"):
        upkeep.remove(folder / "other")
    (folder / "other").rmdir()
    (folder / "link").unlink()
    assert list(folder.iterdir()) == []


def test_a_renamed_run_is_otherwise_unchanged(folder, tmp_path):
    made(folder, "a", layers=[4, 5])
    shutil.copytree(folder / "a", tmp_path / "before")
    path = upkeep.rename(StoredRun(folder / "a"), 'an "odd" \\1 name')
    assert path.name == 'an "odd" \\1 name'
    stored, before = StoredRun(path), StoredRun(tmp_path / "before")
    assert stored.config.output.name == stored.result.run == path.name
    assert stored.config.network == before.config.network
    assert stored.config.settings == before.config.settings
    assert stored.manifest == before.manifest
    made(folder, "b")
    for name, words in (("b", "already exists"), ("x/y", "plain name"), ("", "plain name")):
        with pytest.raises(RunError, match=words):
            upkeep.rename(stored, name)
    descriptor = lock(path)
    with pytest.raises(RunError, match="another process is writing"):
        upkeep.rename(stored, "c")
    os.close(descriptor)
    assert {each.name for each in run_paths(folder)} == {path.name, "b"}
