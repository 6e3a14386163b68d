"""What is fetched from storage: whole, undamaged, and never over something else."""

import msgspec
import pytest
from searches import search
from storages import place, resume, stored, tree

from distsearch.errors import RunError, StorageError
from distsearch.runs.directory import StoredRun
from distsearch.runs.documents import sealed_json
from distsearch.storage import fetch, fetching
from distsearch.storage.index import INDEX, read_index


def test_a_local_copy_that_is_up_to_date_is_used(tmp_path, storage):
    path = search(tmp_path, name="a", rounds=20, storage=storage)[0].path
    before = {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in path.iterdir()}
    assert fetch(stored(storage), tmp_path) == path
    assert {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in path.iterdir()} == before


def test_another_run_of_the_same_name_is_left_unchanged(tmp_path, storage):
    search(tmp_path / "first", name="a", rounds=20, storage=storage)
    search(tmp_path / "second", name="a", rounds=5, seed=1)
    before = tree(tmp_path)
    with pytest.raises(StorageError, match="is a different run from .*--runs"):
        fetch(stored(storage), tmp_path / "second")
    assert tree(tmp_path) == before


def test_a_copy_that_is_being_written_is_not_replaced(tmp_path, storage):
    search(tmp_path / "first", name="a", rounds=20, storage=storage)
    fetch(stored(storage), tmp_path / "second")
    resume(stored(storage), tmp_path / "first", rounds=20)
    behind = StoredRun(tmp_path / "second" / "a")
    before = tree(behind.path)
    with behind.held(), pytest.raises(RunError, match="another process is writing to"):
        fetch(stored(storage), tmp_path / "second")
    assert tree(tmp_path / "second") == before
    assert [path.name for path in (tmp_path / "second").iterdir()] == ["a"]


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [flipped, lambda content: content[:-3], None], ids=["flipped", "cut", "gone"])
def test_every_damaged_object_is_named_and_nothing_local_is_changed(tmp_path, storage, damage):
    search(tmp_path / "runs", name="a", rounds=20, storage=storage)
    there = place(storage)
    names = [*sorted(read_index(there).objects), INDEX]
    assert len(names) >= 8
    for name in names:
        content = there.read(name)
        if damage is None:
            there.delete(name)
        else:
            there.write(name, [damage(content)])
        with pytest.raises(StorageError) as refused:
            fetch(stored(storage), tmp_path / "elsewhere")
        if damage is not None or name != INDEX:
            assert there.where(name) in str(refused.value)
        assert tree(tmp_path / "elsewhere") == {}
        there.write(name, [content])
    assert fetch(stored(storage), tmp_path / "elsewhere").is_dir()


def test_a_fetch_that_begins_anew_keeps_nothing_of_the_index_before(tmp_path, storage, monkeypatch):
    """Somebody resumes the run while it is fetched: what it ended with is gone."""
    search(tmp_path / "runs", name="a", rounds=5, storage=storage)
    there, download, indices = place(storage), fetching._download, []
    whole = read_index(there)

    def overtaken(place, index, folder):
        indices.append(index)
        download(place, index, folder)
        if len(indices) == 1:
            left = {name: parts for name, parts in whole.files.items() if name != "result.json"}
            there.write(INDEX, [sealed_json(msgspec.structs.replace(whole, files=left))])
            raise FileNotFoundError("an object")

    monkeypatch.setattr(fetching, "_download", overtaken)
    path = fetch(stored(storage), tmp_path / "elsewhere")
    assert len(indices) == 2
    assert not (path / "result.json").exists()


def test_only_files_of_a_run_are_fetched(tmp_path, storage):
    search(tmp_path / "runs", name="a", rounds=5, storage=storage)
    there = place(storage)
    index = read_index(there)
    for files in ({"../escaped": index.files["config.toml"]}, {"strange": ()}):
        there.write(INDEX, [sealed_json(msgspec.structs.replace(index, files={**index.files, **files}))])
        with pytest.raises(StorageError, match="was not written by distsearch: unexpected"):
            fetch(stored(storage), tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()
