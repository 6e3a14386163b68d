"""A received run appears under its name whole or not at all, wherever the program is killed."""

import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from searches import contents, resume, search

from distsearch.errors import RunError
from distsearch.runs import receiving
from distsearch.runs.directory import StoredRun
from distsearch.runs.receiving import receive as receive_run

pytestmark = pytest.mark.slow

ROUNDS = 60


@pytest.fixture(scope="module")
def versions(tmp_path_factory) -> dict[str, Path]:
    """A run after 20 rounds and after 40, both unfinished, and the whole run."""
    folder = tmp_path_factory.mktemp("versions")
    found = {}

    def watch(row, state, workers):
        if row.round in (20, 40):
            found[str(row.round)] = shutil.copytree(folder / "run", folder / str(row.round))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("distsearch.runs.directory.SAVE_SECONDS", 0.0)
        patch.setattr("distsearch.runs.directory.SAVE_SHARE", float("inf"))
        found["whole"] = search(folder, watch, name="run", rounds=ROUNDS)[0].path
    return found


def fill(scratch: Path, version: Path) -> None:
    for path in version.iterdir():
        shutil.copy(path, scratch / path.name)


def receive(target: Path, version: Path, update: bool = True) -> None:
    with receive_run(target, update=update) as scratch:
        fill(scratch, version)


def resumed(path: Path) -> dict[str, object]:
    """The contents after the run has reached its limit."""
    resume(path)
    return contents(path)


class Killed(BaseException):
    """Ends the program between two steps."""


@pytest.mark.parametrize("version", ["20", "40"])
@pytest.mark.parametrize("steps", range(8))
def test_killed_after_any_step_of_an_update_the_run_resumes_to_the_same_bytes(
    tmp_path, versions, monkeypatch, version, steps
):
    target = shutil.copytree(versions["20"], tmp_path / "run")
    replace, done = Path.replace, []

    def replacing(path: Path, to: Path) -> Path:
        if len(done) == steps:
            raise Killed
        done.append(to.name)
        return replace(path, to)

    monkeypatch.setattr(Path, "replace", replacing)
    try:
        receive(target, versions[version])
    except Killed:
        assert len(done) == steps
    monkeypatch.undo()
    assert resumed(target) == contents(versions["whole"])


@pytest.mark.parametrize("steps", range(8))
def test_killed_in_an_update_a_finished_run_can_still_be_read(tmp_path, monkeypatch, steps):
    """Its result covers fewer rounds than its history will have."""
    target = search(tmp_path, name="run", rounds=20)[0].path
    longer = shutil.copytree(target, tmp_path / "longer")
    resume(longer, rounds=20)
    (longer / "result.json").unlink()
    replace, done = Path.replace, []

    def replacing(path: Path, to: Path) -> Path:
        if len(done) == steps:
            raise Killed
        done.append(to.name)
        return replace(path, to)

    monkeypatch.setattr(Path, "replace", replacing)
    with suppress(Killed):
        receive(target, longer)
    monkeypatch.undo()
    assert len(list(StoredRun(target).history())) in (20, 40)


def test_an_update_replaces_a_run_by_the_received_version(tmp_path, versions):
    target = shutil.copytree(versions["20"], tmp_path / "run")
    receive(target, versions["whole"])
    assert contents(target) == contents(versions["whole"])
    assert StoredRun(target).result == StoredRun(versions["whole"]).result
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("there", [False, True])
def test_an_interrupted_transfer_changes_nothing(tmp_path, versions, there):
    target = tmp_path / "run"
    if there:
        shutil.copytree(versions["20"], target)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with suppress(Killed), receive_run(target, update=True) as scratch:
        (scratch / "manifest.json").write_bytes(b"half a")
        raise Killed
    with pytest.raises(RunError, match="it has no manifest"), receive_run(target, update=True):
        pass
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == (["run"] if there else [])


def test_leftovers_of_a_killed_program_are_recovered(tmp_path, versions):
    (tmp_path / ".run.fetching").mkdir()
    (tmp_path / ".run.fetching" / "half.temporary").write_bytes(b"half")
    receive(tmp_path / "run", versions["whole"], update=False)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == sorted(
        path.name for path in versions["whole"].iterdir()
    )
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_run_that_is_locked_or_not_to_be_updated_is_left_alone(tmp_path, versions):
    target = shutil.copytree(versions["20"], tmp_path / "run")
    with pytest.raises(RunError, match="already exists"):
        receive(target, versions["40"], update=False)
    with StoredRun(target).held(), pytest.raises(RunError, match="another process is writing to"):
        receive(target, versions["40"])
    assert contents(target) == contents(versions["20"])
    assert receiving.WHOLE[-1] == "result.json"
