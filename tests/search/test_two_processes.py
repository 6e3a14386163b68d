"""A run that another process continues is not resumed from what was read of it before."""

from pathlib import Path

import pytest
from searches import resume, search

from distsearch.errors import RunError
from distsearch.runs.directory import StoredRun
from distsearch.search import resumption
from distsearch.search.resumption import prepare_to_resume, publish


def run(folder: Path) -> Path:
    return search(folder, name="a", rounds=5)[0].path


def test_a_run_that_is_still_searched_is_refused_before_its_data_is_read(tmp_path, monkeypatch):
    path = run(tmp_path)
    stored = StoredRun(path)
    monkeypatch.setattr(resumption, "own_assembly", lambda *arguments: pytest.fail("the data was read"))
    with stored.held(), pytest.raises(RunError, match="another process is writing to"):
        prepare_to_resume(StoredRun(path), 5, None, 0, False)


def test_a_run_that_was_continued_in_the_meantime_is_left_as_it_is(tmp_path):
    path = run(tmp_path)
    ready = prepare_to_resume(StoredRun(path), 5, None, 0, False)
    resume(path, rounds=3)
    before = {file: file.read_bytes() for file in path.iterdir()}
    with pytest.raises(RunError, match="was continued by another process in the meantime: resume it again"):
        ready.run()
    assert {file: file.read_bytes() for file in path.iterdir()} == before


def test_a_run_in_the_folder_one_is_in_has_its_name(tmp_path, monkeypatch):
    path = run(tmp_path)
    monkeypatch.chdir(path)
    resume(Path("."), rounds=2)
    assert StoredRun(path).result.run == "a"
    publish(StoredRun(Path(".")), str(tmp_path / "shared"))
    assert (tmp_path / "shared" / "a" / "index.json").exists()
