"""A published run resumes from storage to the bytes of an uninterrupted run, wherever it is cut off."""

import shutil
from collections.abc import Iterator
from concurrent.futures import Future, wait
from threading import Event

import pytest
from searches import contents, search
from searches import resume as resume_here
from storages import place, resume, stored, tree
from waiting import PATIENCE, awaited

from distsearch.errors import OvertakenError, RunError, SettingError, StorageError
from distsearch.runs.directory import StoredRun
from distsearch.search import resumption
from distsearch.search.assembly import Assembly
from distsearch.storage import Publisher, fetch
from distsearch.storage import publisher as publishing
from distsearch.storage.index import INDEX, Index, read_index
from distsearch.storage.places import Place

ROUNDS = 60
BEGUN = 7  # accesses to storage before the search begins


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, object]:
    """The contents of a run that was never interrupted."""
    return contents(search(tmp_path_factory.mktemp("whole"), rounds=ROUNDS)[0].path)


class Cut(Place):
    """A place whose accesses fail from one number to another; if `deaf`, they take effect all the same."""

    def __init__(self, inner: Place, accesses: Iterator[int], begin: float, end: float, deaf: bool) -> None:
        self._inner, self._accesses, self._begin, self._end, self._deaf = inner, accesses, begin, end, deaf

    def _during(self, action, *arguments):
        fails = self._begin <= next(self._accesses) < self._end
        outcome = None if fails and not self._deaf else action(*arguments)
        if fails:
            raise StorageError("the storage has gone")
        return outcome

    def where(self, name):
        return self._inner.where(name)

    def chunks(self, name):
        return self._during(self._inner.chunks, name)

    def write(self, name, chunks):
        self._during(self._inner.write, name, chunks)

    def delete(self, name):
        self._during(self._inner.delete, name)

    def names(self, prefix):
        return self._during(self._inner.names, prefix)


@pytest.fixture
def cut(monkeypatch):
    """Makes storage fail from its `begin`-th access until its `end`-th."""
    original = publishing.Storage.run_at

    def between(begin: float, end: float = float("inf"), deaf: bool = False) -> None:
        accesses = iter(range(1_000_000))
        monkeypatch.setattr(
            publishing.Storage, "run_at", lambda self, name: Cut(original(self, name), accesses, begin, end, deaf)
        )

    yield between
    monkeypatch.setattr(publishing.Storage, "run_at", original)


@pytest.mark.slow
def test_a_published_run_that_had_workers_is_continued_here_and_elsewhere(tmp_path, ray_with_three_cpus):
    storage = str(tmp_path / "shared")
    flags = {"data": "digits", "layers": [16], "strategy": "hill-climb", "population": 64}
    path = search(tmp_path / "here", name="a", rounds=3, workers=2, storage=storage, **flags)[0].path
    assert StoredRun(path).manifest.events[-1].workers > 0
    resume_here(path, rounds=2)
    elsewhere = fetch(f"{storage}/a", tmp_path / "there")
    resume_here(elsewhere, rounds=3)
    assert contents(elsewhere) == contents(search(tmp_path / "whole", name="a", rounds=8, **flags)[0].path)
    assert contents(fetch(f"{storage}/a", tmp_path / "here")) == contents(elsewhere)


def test_a_run_comes_back_byte_for_byte(tmp_path, storage, whole):
    run, _ = search(tmp_path / "runs", name="a", rounds=ROUNDS, storage=storage)
    there = fetch(stored(storage), tmp_path / "elsewhere")
    assert contents(there) == contents(run.path) == whole
    without_previous = {path.name: content for path, content in tree(run.path).items()}
    assert {path.name: content for path, content in tree(there).items()} | without_previous == {
        path.name: content for path, content in tree(there).items()
    }
    assert StoredRun(there).result == run.result


def test_it_is_resumed_elsewhere_and_published_again(tmp_path, storage, whole):
    for number, rounds in enumerate((20, 25, 15)):
        folder = tmp_path / f"cluster-{number}"
        if number == 0:
            path = search(folder, name="a", rounds=rounds, storage=storage)[0].path
        else:
            path = resume(stored(storage), folder, rounds)
    assert contents(path) == whole
    assert contents(fetch(stored(storage), tmp_path / "last")) == whole


@pytest.mark.parametrize("begin", [*range(BEGUN, 32), 60, 90])
def test_storage_cut_off_anywhere_holds_a_whole_publication(tmp_path, whole, in_step, cut, begin):
    """As when the driver dies: nothing more reaches the storage."""
    storage = str(tmp_path / "shared")
    cut(begin)
    with pytest.raises(StorageError, match="the run is complete in .*a, and `distsearch publish .*a` publishes it"):
        search(tmp_path / "runs", name="a", rounds=ROUNDS, storage=storage)
    assert contents(tmp_path / "runs" / "a") == whole
    cut(float("inf"))
    index = read_index(place(storage))
    if "checkpoint.safetensors" not in index.files:
        with pytest.raises(StorageError, match="never began"):
            fetch(stored(storage), tmp_path / "elsewhere")
        return
    there = fetch(stored(storage), tmp_path / "elsewhere")
    if StoredRun(there).rounds < ROUNDS:
        resume(stored(storage), tmp_path / "elsewhere")
        assert contents(fetch(stored(storage), tmp_path / "third")) == whole
    assert contents(there) == whole


@pytest.mark.parametrize("begin", range(BEGUN))
def test_storage_failing_at_the_start_is_refused_before_anything_runs(tmp_path, cut, begin):
    storage = str(tmp_path / "shared")
    cut(begin)
    with pytest.raises(StorageError, match="^the storage has gone$"):
        search(tmp_path / "runs", watch=never, name="a", rounds=ROUNDS, storage=storage)
    assert not (tmp_path / "runs" / "a").exists()
    cut(float("inf"))
    search(tmp_path / "runs", name="a", rounds=5, storage=storage)
    owner = read_index(place(storage)).owner
    assert all(name.startswith(f"objects/{owner}") for name in place(storage).names("objects"))


def never(row, state, workers) -> None:
    raise AssertionError


@pytest.mark.parametrize("deaf", [False, True])
def test_temporary_failure_of_storage_is_reported_once_and_made_up_for(
    tmp_path, storage, whole, in_step, cut, deaf, said
):
    """Even if what it reports as failed was done: then storage holds this driver's own files."""
    cut(20, 24, deaf)
    search(tmp_path / "runs", name="a", rounds=ROUNDS, storage=storage)
    assert [sentence for sentence in said if "gone" in sentence] == [
        "the storage has gone: the search continues, and each checkpoint tries again"
    ]
    assert contents(fetch(stored(storage), tmp_path / "elsewhere")) == whole


def test_storage_emptied_during_a_run_is_filled_again(tmp_path, storage, whole, in_step):
    def watch(row, state, workers):
        if row.round == 30:
            there = place(storage)
            there.delete(INDEX)
            for name in there.names("objects"):
                there.delete(name)

    search(tmp_path / "runs", watch, name="a", rounds=ROUNDS, storage=storage)
    assert contents(fetch(stored(storage), tmp_path / "elsewhere")) == whole


def test_failed_publications_are_published_later(tmp_path, storage, whole, in_step, cut):
    cut(12)
    with pytest.raises(StorageError):
        search(tmp_path / "runs", name="a", rounds=ROUNDS, storage=storage)
    cut(float("inf"))
    resumption.publish(StoredRun(tmp_path / "runs" / "a"), None)
    there = fetch(stored(storage), tmp_path / "elsewhere")
    assert contents(there) == whole
    assert StoredRun(there).result.rounds == ROUNDS


def test_storage_holds_the_files_of_the_last_two_publications_only(tmp_path, storage, in_step):
    """So that neither a slow reader nor an overtaken driver finds anything missing."""

    def watch(row, state, workers):
        if row.round % 5 == 0:
            indices.append(read_index(place(storage)))
        if row.round % 5 == 0 and row.round:
            before, last = indices[-2:]
            assert last.rounds == row.round
            assert set(place(storage).names("objects")) == last.objects | before.objects
            assert before.objects - last.objects

    indices: list[Index] = []
    search(tmp_path / "runs", watch, name="a", rounds=20, storage=storage)
    assert len(indices) == 4


@pytest.fixture
def uploads(monkeypatch) -> list[Future[None]]:
    """The uploads so far."""
    offer, seen = Publisher.offer, []

    def noted(self: Publisher, rounds: int) -> None:
        offer(self, rounds)
        seen.append(self._upload)

    monkeypatch.setattr(Publisher, "offer", noted)
    return seen


def test_a_run_in_progress_can_be_fetched_at_any_time(tmp_path, storage, whole, often, uploads):
    rounds = []

    def watch(row, state, workers):
        if row.round >= 2 and row.round % 6 == 0:
            awaited("the first checkpoint", lambda: "checkpoint.safetensors" in read_index(place(storage)).files)
            there = fetch(stored(storage), tmp_path / f"at-{row.round}")  # while the next one is on its way
            rounds.append(StoredRun(there).rounds)
            assert len(list(StoredRun(there).history())) >= rounds[-1]
            wait(uploads[-1:], PATIENCE)

    search(tmp_path / "runs", watch, name="a", rounds=ROUNDS, storage=storage)
    assert rounds == sorted(rounds)
    assert rounds[-1] > rounds[0]
    assert contents(resume(stored(storage), tmp_path / "at-6", rounds=1)) != whole
    assert contents(fetch(stored(storage), tmp_path / "at-12"))["history"][:ROUNDS] == whole["history"]


def test_the_search_never_waits_for_an_upload(tmp_path, often, monkeypatch, whole):
    """An upload that takes for ever is the only one until it is done; the final state follows it."""
    through, begun = Event(), []

    def publish(self, snapshot):
        begun.append(snapshot.rounds)
        assert through.wait(PATIENCE)
        original(self, snapshot)

    def watch(row, state, workers):
        if row.round == ROUNDS - 1:
            through.set()

    original = Publisher._publish
    monkeypatch.setattr(Publisher, "_publish", publish)
    storage = str(tmp_path / "shared")
    search(tmp_path / "runs", watch, name="a", rounds=ROUNDS, storage=storage)
    assert begun[0] == 0
    assert set(begun[1:]) == {ROUNDS}
    assert contents(fetch(stored(storage), tmp_path / "elsewhere")) == whole


def test_an_overtaken_driver_stops(tmp_path, storage, whole, in_step):
    def watch(row, state, workers):
        if row.round == 20:
            resume(stored(storage), tmp_path / "second")

    with pytest.raises(OvertakenError, match="another driver has continued this run in .*: this one stops"):
        search(tmp_path / "first", watch, name="a", rounds=ROUNDS, storage=storage)
    first = StoredRun(tmp_path / "first" / "a")
    assert first.rounds == 30
    assert contents(tmp_path / "second" / "a") == whole
    assert contents(fetch(stored(storage), tmp_path / "third")) == whole
    with pytest.raises(StorageError, match=f"has {ROUNDS} rounds, but .* only {first.rounds}: `distsearch"):
        resumption.prepare_to_resume(first, None, None, 0, False)
    assert contents(fetch(stored(storage), tmp_path / "first")) == whole


def test_a_name_used_in_storage_is_refused_and_a_generated_one_avoids_it(tmp_path, storage):
    search(tmp_path / "first", name="a", rounds=5, storage=storage)
    index = place(storage).read(INDEX)
    with pytest.raises(StorageError, match="a.* already exists: choose another --name or --storage"):
        search(tmp_path / "second", name="a", rounds=5, storage=storage)
    assert not (tmp_path / "second").exists()
    assert place(storage).read(INDEX) == index
    names = [search(tmp_path / f"{n}", rounds=5, storage=storage)[0].path.name for n in range(2)]
    assert names == ["vertical-hill-climb-1", "vertical-hill-climb-2"]


def test_a_search_that_never_began_leaves_nothing_in_storage(tmp_path, storage, monkeypatch):
    def broken(self, done):
        raise RunError("no workers")

    monkeypatch.setattr(Assembly, "pool", broken)
    with pytest.raises(RunError, match="no workers"):
        search(tmp_path / "runs", name="a", rounds=5, storage=storage)
    assert read_index(place(storage)) is None
    assert place(storage).names("objects") == []
    assert not (tmp_path / "runs" / "a").exists()


def test_a_failed_search_publishes_what_was_done(tmp_path, storage, whole):
    def fail(row, state, workers):
        if row.round == 30:
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        search(tmp_path / "runs", fail, name="a", rounds=ROUNDS, storage=storage)
    assert read_index(place(storage)).rounds == 31
    shutil.rmtree(tmp_path / "runs")
    assert contents(resume(stored(storage), tmp_path / "runs")) == whole


def test_a_differing_local_history_is_sent_again(tmp_path, storage, whole):
    """A copy that fell back to the previous checkpoint repeats published rounds, with other times."""
    path = search(tmp_path, name="a", rounds=30, storage=storage)[0].path
    history = path / "history.jsonl"
    sent = {part.object for part in read_index(place(storage)).files["history.jsonl"]}
    shutil.rmtree(path)
    search(tmp_path / "again", name="a", rounds=30)
    history = (tmp_path / "again" / "a" / "history.jsonl").read_bytes()
    fetch(stored(storage), tmp_path)
    (path / "history.jsonl").write_bytes(history)
    resume(stored(storage), tmp_path, rounds=ROUNDS - 30)
    last = read_index(place(storage))
    assert not sent & {part.object for part in last.files["history.jsonl"]}
    assert contents(fetch(stored(storage), tmp_path / "elsewhere")) == whole


@pytest.mark.parametrize("name", ["what?", "a#b"])
def test_a_name_that_is_impossible_in_a_uri_is_refused(tmp_path, s3_storage, name):
    with pytest.raises(SettingError, match="expected a name without"):
        search(tmp_path / "runs", name=name, rounds=5, storage=s3_storage)
    assert not (tmp_path / "runs").exists()
