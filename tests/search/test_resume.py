"""A run that is stopped, killed or damaged, and resumed, ends with the bytes of an undisturbed run."""

import os
import shutil
import signal
import time
from pathlib import Path

import msgspec
import pytest
from programs import ran, started, succeeded
from searches import GATED, Watching, checkpoint_time, contents, resume, search, unwatched
from waiting import PATIENCE, awaited

from distsearch.config import from_flags
from distsearch.errors import RunError, SettingError
from distsearch.runs import checkpoints, directory, files
from distsearch.runs.directory import StoredRun
from distsearch.runs.documents import sealed_json
from distsearch.search import resumption, retrieval, session
from distsearch.search.assembly import assemble
from distsearch.search.resumption import stored_model
from distsearch.workers import place


def run(folder: Path, name: str, watch=unwatched, **flags) -> Path:
    return search(folder, watch, name=name, **flags)[0].path


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, object]:
    """The contents of a run of 200 rounds that was never interrupted."""
    return contents(run(tmp_path_factory.mktemp("whole"), "whole", rounds=200))


@pytest.mark.parametrize("after", [1, 9, 10, 137, 199])
def test_a_finished_run_can_be_resumed(tmp_path, whole, after):
    path = run(tmp_path, "part", rounds=after)
    resume(path, rounds=200 - after)
    assert contents(path) == whole
    assert StoredRun(path).result.rounds == 200
    assert StoredRun(path).result.candidates == StoredRun(path).result.passes == 200 * 32


@pytest.mark.parametrize("limit", [{"rounds": 30}, {"target_loss": 0.9}])
def test_a_run_killed_before_its_result_was_written_gets_it(tmp_path, limit):
    path = run(tmp_path, "killed", **limit)
    expected, result = contents(path), StoredRun(path).result
    (path / "result.json").unlink()
    resume(path)
    assert contents(path) == expected
    assert StoredRun(path).result == result
    with pytest.raises(RunError, match="has reached its limit"):
        resume(path)


KILLED = """
import os
from distsearch.config import from_flags
from distsearch.search import session
from distsearch.search.assembly import Assembly, assemble
Assembly.pool = lambda *arguments: os.kill(os.getpid(), 9)  # while its workers start
session.run(assemble(from_flags({"runs": ".", "workers": 0, "name": "a", "rounds": 20})))
"""


def test_a_run_killed_before_its_first_save_begins_when_it_is_resumed(tmp_path):
    assert ran(cwd=tmp_path, program=KILLED).returncode == -signal.SIGKILL
    stored = StoredRun(tmp_path / "a")
    assert not (stored.path / "checkpoint.safetensors").exists()
    for needed in (stored.best, lambda: stored.rounds):
        with pytest.raises(RunError, match="a has not begun to search: it is still starting, or was killed; resume it"):
            needed()
    shown = succeeded("show", "a", "--runs", ".", cwd=tmp_path).stdout
    assert shown.splitlines()[-1] == "The search was killed, or failed: `distsearch resume a` continues it."
    resume(stored.path)
    assert contents(stored.path) == contents(run(tmp_path, "whole", rounds=20))


def test_weights_of_a_run_that_has_not_ended_are_said_to_be_those_of_its_checkpoint(tmp_path, said):
    path = run(tmp_path, "part", rounds=7)
    stored_model(StoredRun(path))
    assert said == []
    (path / "result.json").unlink()
    stored_model(StoredRun(path))
    (path / "checkpoint.safetensors").write_bytes(b"")
    stored_model(StoredRun(path))
    sentence = "part has not ended: its weights are those of its last checkpoint"
    assert said == [f"{sentence}, after 7 rounds", sentence]


def test_a_run_that_has_lost_its_checkpoint_does_not_begin_again(tmp_path):
    path = run(tmp_path, "a", rounds=20)
    for name in ("checkpoint", "previous", "best"):
        (path / f"{name}.safetensors").unlink()
    with pytest.raises(RunError, match=r"expected checkpoint.safetensors in the run .*a, but it is missing"):
        resume(path)


SCHEDULES = {
    "plateaus": {"schedule": "plateau", "sigma_schedule": "plateau", "rate": 0.5, "plateau_rounds": 7},
    "growing decay": {"decay": 0.1, "decay_growth": 1.5, "rate": 0.5, "plateau_rounds": 7},
    "cosines": {"schedule": "cosine", "sigma_schedule": "cosine", "horizon": 90},
}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("batch", [150, 40])
@pytest.mark.parametrize("strategy", ["evolution-strategy", "node-perturbation"])
def test_a_run_resumes_in_the_middle_of_its_schedule(tmp_path, strategy, batch, schedule):
    flags = {"data": "iris", "layers": [4], "start": "he", "strategy": strategy, "batch": batch, "measure_every": 3}
    flags |= {"scale": "no", **SCHEDULES[schedule]}
    expected = run(tmp_path, "whole", rounds=100, **flags)
    path = run(tmp_path, "part", rounds=63, **flags)
    resume(path, rounds=37)
    assert contents(path) == contents(expected)
    scalars = checkpoints.read(path / "checkpoint.safetensors")[1]
    assert (scalars["sigma"] < StoredRun(path).config.settings["sigma"]) == (schedule != "growing decay")
    assert (scalars["plateau.count"] > 2) == (schedule != "cosines")


def test_an_interrupted_run_resumes_to_its_own_limit(tmp_path, whole):
    def watch(row, state, workers):
        if row.round == 50:
            os.kill(os.getpid(), signal.SIGINT)

    path = run(tmp_path, "part", watch, rounds=200)
    assert StoredRun(path).result.reason == "interrupted"
    resume(path)
    assert contents(path) == whole


@pytest.mark.slow
def test_another_number_of_workers_resumes_to_the_same_bytes(tmp_path, whole, ray_with_three_cpus):
    path = run(tmp_path, "part", rounds=80)
    resume(path, rounds=60, workers=3)
    resume(path, rounds=60, workers=0)
    assert contents(path) == whole


@pytest.mark.slow
def test_a_driver_killed_at_many_points_ends_with_the_same_bytes(tmp_path, whole):
    """Each kill -9 comes at another point: while searching, writing history or writing a checkpoint."""
    path = tmp_path / "runs" / "a"
    command = ["run", "--workers", "0", "--rounds", "200", "--name", "a"]

    for number in range(12):
        before = checkpoint_time(path)
        with started(*command, cwd=tmp_path, program=GATED.format(gate=15 * (number + 1))) as process:
            awaited("a checkpoint", lambda before=before: checkpoint_time(path) != before)
            time.sleep(0.0017 * (number % 7))
            assert process.poll() is None
            process.kill()
        command = ["resume", "a"]
    with started(*command, cwd=tmp_path, program=GATED.format(gate=200)) as process:
        _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, error
    assert contents(path) == whole
    assert not list(path.glob(f"*{files.TEMPORARY}"))


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_a_damaged_checkpoint_falls_back_to_the_previous_one_and_says_so(tmp_path, whole, monkeypatch, said, damage):
    monkeypatch.setattr(directory, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(directory, "SAVE_SHARE", float("inf"))
    path = run(tmp_path, "part", rounds=100)
    newest = path / "checkpoint.safetensors"
    content = bytearray(newest.read_bytes())
    content[-2] ^= 4
    if damage == "gone":
        newest.unlink()
    else:
        newest.write_bytes(content[:-7] if damage == "cut" else content)
    resume(path, rounds=101)
    assert "continuing from the previous checkpoint, at round" in said[0]
    assert contents(path)["history"][:200] == whole["history"]


def test_a_full_disk_ends_the_search_and_the_saved_part_can_be_resumed(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(directory, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(directory, "SAVE_SHARE", float("inf"))
    written = files.write_whole

    def full(path, content, previous=None):
        if path.name == "checkpoint.safetensors" and full.left == 0:
            raise OSError(28, "No space left on device")
        full.left -= path.name == "checkpoint.safetensors"
        written(path, content, previous)

    full.left = 30
    monkeypatch.setattr(files, "write_whole", full)
    with pytest.raises(RunError, match="No space left on device.*last checkpoint is intact"):
        run(tmp_path, "part", rounds=200)
    monkeypatch.setattr(files, "write_whole", written)
    path = tmp_path / "part"
    resume(path)
    assert contents(path) == whole


def test_a_second_driver_on_a_run_is_refused_unless_the_first_is_dead(tmp_path):
    held: list[str] = []

    def watch(row, state, workers):
        if row.round == 5:
            stored = StoredRun(tmp_path / "a")
            with pytest.raises(RunError, match="another process is writing to"):
                directory.Run.reopen(stored, 0, stored.config, prepared.strategy.settings)
            held.append("refused")

    prepared = assemble(from_flags({"runs": str(tmp_path), "workers": 0, "name": "a", "rounds": 20}))
    path = session.run(prepared, [Watching(watch)]).path
    assert held == ["refused"]
    resume(path, rounds=5)
    assert StoredRun(path).result.rounds == 25


def test_resuming_a_run_at_its_limit_says_what_to_type(tmp_path):
    path = run(tmp_path, "a", rounds=5)
    before = {file: file.read_bytes() for file in path.iterdir()}
    with pytest.raises(RunError, match="has reached its limit .rounds.: give it more --rounds$"):
        resume(path)
    assert {file: file.read_bytes() for file in path.iterdir()} == before


def test_other_data_and_other_versions_are_refused(tmp_path):
    table = tmp_path / "a.csv"
    table.write_text("x,y\n" + "".join(f"{number},{number % 2}\n" for number in range(20)))
    path = run(tmp_path, "a", data=str(table), rounds=5)
    table.write_text(table.read_text().replace("7,", "8,"))
    with pytest.raises(RunError, match="is not the data that .* was trained on any more"):
        resume(path, rounds=5)
    table.write_text(table.read_text().replace("8,1", "7,1"))
    manifest = StoredRun(path).manifest
    older = msgspec.structs.replace(manifest, machine={**manifest.machine, "numpy": "1.0"})
    (path / "manifest.json").write_bytes(sealed_json(older))
    with pytest.raises(RunError, match="was made with numpy 1.0, .* --force continues anyway"):
        resume(path, rounds=5)
    resume(path, rounds=5, force=True)
    assert StoredRun(path).result.rounds == 10


@pytest.mark.parametrize("file", ["checkpoint.safetensors", "history.jsonl", "config.toml", "manifest.json"])
def test_a_run_with_a_missing_file_is_refused_and_left_unchanged(tmp_path, file):
    path = run(tmp_path, "a", rounds=5)
    (path / file).unlink()
    (path / "previous.safetensors").unlink(missing_ok=True)
    shutil.copytree(path, tmp_path / "before")
    with pytest.raises(RunError, match=file):
        resume(path, rounds=5)
    assert sorted(each.name for each in path.iterdir()) == sorted(each.name for each in (tmp_path / "before").iterdir())


class Clock:
    """A second passes after each round, and no time otherwise."""

    now = 100.0

    def __call__(self, row, state, workers) -> None:
        self.now += 1


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    return clock


def seconds_of(path: Path) -> list[float]:
    return [row.seconds for row in StoredRun(path).history()]


def test_seconds_continue_where_they_stopped_without_the_time_in_between(tmp_path, clock):
    path = run(tmp_path, "a", clock, rounds=4)
    assert seconds_of(path) == [0, 1, 2, 3]
    clock.now += 1000
    resume(path, rounds=3, watch=clock)
    assert seconds_of(path) == [0, 1, 2, 3, 3, 4, 5]
    assert StoredRun(path).result.seconds == 5


def test_a_time_limit_counts_the_seconds_before_the_stop(tmp_path, clock):
    path = run(tmp_path, "a", clock, rounds=4, seconds=6)
    resume(path, rounds=100, watch=clock)
    assert seconds_of(path) == [0, 1, 2, 3, 3, 4, 5]  # the time is up before the next round
    assert StoredRun(path).result.reason == "seconds"


def test_seconds_on_resume_are_additional(tmp_path, clock):
    path = run(tmp_path, "a", clock, seconds=3)
    assert seconds_of(path) == [0, 1, 2]
    resume(path, seconds=2, watch=clock)
    assert seconds_of(path) == [0, 1, 2, 2, 3]
    assert (StoredRun(path).config.stop.seconds, StoredRun(path).result.reason) == (4, "seconds")


@pytest.mark.parametrize(
    "flags",
    [{"patience": 40}, {"patience": 4, "strategy": "node-perturbation", "rate": 0.5, "batch": 64, "measure_every": 6}],
    ids=["rounds", "measurements"],
)
def test_patience_counts_the_rounds_before_the_stop(tmp_path, flags):
    whole = run(tmp_path, "whole", **flags)
    part = run(tmp_path, "part", **flags, rounds=StoredRun(whole).result.rounds - 15)
    resume(part, rounds=10_000)
    assert StoredRun(whole).result.reason == StoredRun(part).result.reason == "patience"
    assert StoredRun(part).result.rounds == StoredRun(whole).result.rounds > 20


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"rounds": 2**64}, "stop.rounds: expected a whole number below 2"),
        ({"seconds": float("inf")}, "stop.seconds: expected a finite number, got inf"),
        ({"rounds": 1, "workers": 2**64}, "workers.count: expected a whole number below 2"),
    ],
)
def test_options_that_the_configuration_could_not_hold_are_refused_on_resume(tmp_path, more, sentence):
    path = run(tmp_path, "part", rounds=5)
    before = (path / "config.toml").read_bytes()
    with pytest.raises(SettingError, match=sentence):
        resume(path, **more)
    assert (path / "config.toml").read_bytes() == before


def test_too_many_workers_and_unknown_trackers_are_refused_before_the_data_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(place, "ray_is_foreign", lambda: False)
    path = run(tmp_path, "part", rounds=5)
    before = (path / "config.toml").read_bytes()
    monkeypatch.delattr(retrieval, "own_data")
    with pytest.raises(SettingError, match="workers.count: expected at most .*, the cores of this machine, got 1000"):
        resume(path, rounds=1, workers=1000)
    with pytest.raises(SettingError, match="unknown tracker 'mlfow'"):
        resumption.prepare_to_resume(StoredRun(path), 1, None, 0, False, track="mlfow")
    assert (path / "config.toml").read_bytes() == before
