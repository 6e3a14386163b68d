"""Trackers: what MLflow, TensorBoard and W&B record of a run, read back from their own files."""

import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from problems import sphere
from programs import SHORT, refused
from safetensors.numpy import load_file
from searches import search
from trackers_read import tensorboard_scalars, wandb_records
from waiting import awaited

import distsearch
from distsearch.api.results import SearchResult
from distsearch.callbacks import MLflow, TensorBoard, Tracker, WandB
from distsearch.errors import SettingError
from distsearch.randomness import Stream, noise
from distsearch.runs.directory import StoredRun
from distsearch.runs.history import RoundRecord
from distsearch.search.resumption import prepare_to_resume
from distsearch.search.tracking import trackers
from distsearch.trackers.sending import thinned

FEATURES = noise(5, Stream.DATA, 0, 0, 60, 2)
LABELS = (FEATURES[:, 0] > 0).astype(int)
ROUNDS, MORE = 12, 5


def searched(tmp_path: Path, track: str) -> SearchResult:
    settings = {"layers": [3], "rounds": ROUNDS, "measure_every": 4, "seed": 7, "workers": 0}
    return distsearch.search(FEATURES, LABELS, track=track, runs=tmp_path / "runs", name="a", **settings)


def of_function(**settings):
    return distsearch.minimize(sphere, np.zeros(4), rounds=ROUNDS, workers=0, **settings)


def resumed(tmp_path: Path, **changes) -> list[RoundRecord]:
    """The rounds of the run `a` of the command line, resumed."""
    stored = StoredRun(tmp_path / "runs" / "a")
    prepare_to_resume(stored, MORE, None, 0, False, **changes).run()
    return list(stored.history())


def ran(tmp_path: Path, track: str) -> None:
    """A run that can be resumed, since its data is a file."""
    search(tmp_path / "runs", name="a", data="vertical", layers=[3], rounds=ROUNDS, measure_every=4, track=[track])


class TestMLflow:
    def client(self, tmp_path, folder):
        from mlflow.tracking import MlflowClient

        return MlflowClient(tracking_uri=str(tmp_path / folder))

    def runs(self, tmp_path, folder="mlruns"):
        client = self.client(tmp_path, folder)
        experiment = client.get_experiment_by_name("distsearch")
        return client, client.search_runs([experiment.experiment_id])

    def test_a_run_has_parameters_rounds_tags_and_the_model(self, tmp_path):
        result = searched(tmp_path, f"mlflow:{tmp_path / 'mlruns'}")
        client, [run] = self.runs(tmp_path)
        assert (run.info.run_name, run.info.status) == ("a", "FINISHED")
        assert run.data.params["layers"] == "3"
        assert run.data.params["seed"] == "7"
        assert run.data.params["strategy"] == "node-perturbation"
        stored = StoredRun(tmp_path / "runs" / "a")
        assert run.data.tags["distsearch.fingerprint"] == stored.manifest.fingerprint
        for name in ("best_loss", "sigma", "accuracy"):
            history = client.get_metric_history(run.info.run_id, name)
            recorded = {row.round: getattr(row, name) for row in result.history if getattr(row, name) is not None}
            assert {metric.step: metric.value for metric in history} == recorded
        assert run.data.metrics["result.loss"] == result.loss
        assert {each.path for each in client.list_artifacts(run.info.run_id)} == {
            "config.toml",
            "manifest.json",
            "model.safetensors",
        }
        model = client.download_artifacts(run.info.run_id, "model.safetensors", str(tmp_path))
        assert distsearch.load(model).predict(FEATURES).tolist() == result.predict(FEATURES).tolist()

    def test_a_metric_of_a_column_has_a_name_that_mlflow_takes(self, tmp_path):
        columns = {"a": FEATURES[:, 0], "b": FEATURES[:, 1], "group": np.where(FEATURES[:, 1] > 0, "x", "y")}
        settings = {"layers": [3], "rounds": ROUNDS, "measure_every": 4, "workers": 0, "metrics": "gap(group)"}
        result = distsearch.search(columns, LABELS, track=f"mlflow:{tmp_path / 'mlruns'}", **settings)
        _, [run] = self.runs(tmp_path)
        assert run.info.status == "FINISHED"
        assert run.data.metrics["result.gap-group"] == result.summary.metrics["gap(group)"]

    def test_a_resumed_run_continues_the_tracked_run(self, tmp_path):
        ran(tmp_path, f"mlflow:{tmp_path / 'mlruns'}")
        history = resumed(tmp_path)
        client, [run] = self.runs(tmp_path)
        sent = client.get_metric_history(run.info.run_id, "best_loss")
        assert [(metric.step, metric.value) for metric in sent] == [(row.round, row.best_loss) for row in history]
        assert len(history) == ROUNDS + MORE
        assert run.info.status == "FINISHED"

    def test_a_run_deleted_on_the_server_is_created_again_with_all_its_rounds(self, tmp_path):
        ran(tmp_path, f"mlflow:{tmp_path / 'mlruns'}")
        client, [run] = self.runs(tmp_path)
        client.delete_run(run.info.run_id)
        resumed(tmp_path)
        client, [other] = self.runs(tmp_path)
        assert other.info.run_id != run.info.run_id
        assert len(client.get_metric_history(other.info.run_id, "best_loss")) == ROUNDS + MORE

    def test_a_search_ended_by_an_exception_is_marked_as_failed(self, tmp_path):
        def fails(record):
            if record.round == 3:
                raise ZeroDivisionError("mine")

        with pytest.raises(ZeroDivisionError) as caught:
            of_function(callbacks=[MLflow(str(tmp_path / "mlruns")), fails], runs=tmp_path / "runs", name="a")
        assert caught.value.__notes__[0] == f"The run up to here is kept in {tmp_path / 'runs' / 'a'}."
        _, [run] = self.runs(tmp_path)
        assert run.info.status == "FAILED"
        assert run.data.metrics["passes"] == StoredRun(tmp_path / "runs" / "a").rounds * 32

    def test_inside_an_active_run_it_is_a_child_of_that(self, tmp_path, monkeypatch):
        import mlflow

        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        mlflow.set_tracking_uri(str(tmp_path / "mlruns"))
        try:
            with mlflow.start_run(experiment_id=mlflow.create_experiment("sweep")) as parent:
                of_function(callbacks=[MLflow(str(tmp_path / "mlruns"))])
                of_function(callbacks=[MLflow(str(tmp_path / "elsewhere"))])
            runs = mlflow.MlflowClient().search_runs([parent.info.experiment_id])
        finally:
            mlflow.set_tracking_uri("")
        [child] = [run for run in runs if run.info.run_id != parent.info.run_id]
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert child.data.metrics["passes"] == ROUNDS * 32
        [alone] = self.runs(tmp_path, "elsewhere")[1]
        assert "mlflow.parentRunId" not in alone.data.tags

    def test_an_unreachable_server_is_an_error_before_anything_is_created(self, tmp_path):
        sentence = refused("run", *SHORT, "--track", "mlflow:http://u:secret@127.0.0.1:9", cwd=tmp_path)
        assert "mlflow cannot reach http://…@127.0.0.1:9 (Connection refused)" in sentence

    def test_a_run_may_be_resumed_without_its_tracker(self, tmp_path):
        ran(tmp_path, f"mlflow:{tmp_path / 'mlruns'}")
        with pytest.raises(SettingError, match='or continue without it by --track ""'):
            resumed(tmp_path, track="mlflow:http://127.0.0.1:9")
        assert StoredRun(tmp_path / "runs" / "a").result is not None
        assert len(resumed(tmp_path, track="")) == ROUNDS + MORE


def test_the_best_weights_of_a_first_round_that_was_given_up_are_tracked(tmp_path, monkeypatch):
    """Its loss is 1 at the start, and less at every candidate; only there does time pass."""
    now = [100.0]

    def slow(weights):
        now[0] += 0.2
        return 1 / (1 + float(np.square(weights).sum()))

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    track = f"tensorboard:{tmp_path / 'tb'}"
    settings = {"strategy": "hill-climb", "population": 32, "workers": 0, "seconds": 1}
    found = distsearch.minimize(slow, np.zeros(4), **settings, track=track)
    assert (found.summary.rounds, found.loss < 1) == (0, True)
    [kept] = tmp_path.glob("tb/*/weights.safetensors")
    assert load_file(kept)["weights"].tobytes() == found.weights.tobytes()


def test_tensorboard_has_every_round_including_resumed_ones(tmp_path):
    ran(tmp_path, f"tensorboard:{tmp_path / 'tb'}")
    assert distsearch.load(tmp_path / "tb" / "a" / "model.safetensors").loss < 1.1
    history = resumed(tmp_path)
    [folder] = (tmp_path / "tb").iterdir()
    scalars = tensorboard_scalars(folder)
    assert scalars["best_loss"] == {row.round: pytest.approx(row.best_loss) for row in history}
    assert set(scalars["accuracy"]) == {row.round for row in history if row.accuracy is not None}
    assert list(scalars["result/rounds"].values()) == [ROUNDS, ROUNDS + MORE]


def test_two_searches_of_one_name_get_a_folder_each(tmp_path):
    tracker = TensorBoard(str(tmp_path))
    for _ in range(2):
        of_function(callbacks=[tracker])
    folders = sorted(tmp_path.iterdir())
    assert len(folders) == 2
    assert all((folder / "weights.safetensors").exists() for folder in folders)
    assert [len(tensorboard_scalars(folder)["best_loss"]) for folder in folders] == [ROUNDS, ROUNDS]


def test_wandb_has_every_round_offline_including_resumed_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_X_DISABLE_STATS", "true")
    ran(tmp_path, "wandb:team/trial")
    history = resumed(tmp_path)
    records = partial(wandb_records, tmp_path / "wandb")
    awaited("wandb's process to have written all", lambda: [kind for kind, _ in records()].count("exit") == 2)
    rows = [row for kind, row in records() if kind == "history"]
    assert [(int(row["_step"]), float(row["best_loss"])) for row in rows] == [
        (each.round, each.best_loss) for each in history
    ]
    kinds = [kind for kind, _ in records()]
    assert kinds.count("artifact") == 3  # the settings, and a model for each end of the run
    assert len({path.stem for path in (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")}) == 1


class Fragile(Tracker):
    """A service that fails now and then."""

    name = "fragile"

    def __init__(self, failing=()):
        super().__init__("here")
        self.failing = set(failing)
        self.rounds, self.how, self.begun = [], None, 0

    def ask(self):
        pass

    def begin(self, search, identity):
        self.begun += 1
        if "begin" in self.failing:
            self.failing.discard("begin")
            raise ConnectionError("not now")
        return "1"

    def log(self, rows):
        if "log" in self.failing:
            raise ConnectionError("the line is\n dead")
        self.rounds += [row.round for row in rows]

    def finish(self, how, figures, files):
        if "finish" in self.failing:
            raise ConnectionError("gone")
        self.how = how


def test_rounds_that_could_not_be_sent_are_sent_later(said):
    tracker = Fragile(["begin"])
    of_function(callbacks=[tracker])
    assert (tracker.rounds, tracker.how) == (list(range(ROUNDS)), "finished")
    assert tracker.begun == 2


@pytest.mark.parametrize("failing", ["log", "finish"])
def test_a_service_that_never_recovers_causes_a_warning(tmp_path, said, failing):
    tracker = Fragile([failing])
    result = of_function(callbacks=[tracker], runs=tmp_path, name="a")
    assert result.summary.reason == "rounds"
    assert StoredRun(tmp_path / "a").result == result.summary
    reason, rounds = ("the line is dead", 0) if failing == "log" else ("gone", ROUNDS)
    lacking = f"it lacks the end of this run, rounds from {rounds} on"
    assert said[-1] == f"fragile: {reason}: {lacking}; the run in {tmp_path / 'a'} has them"


def test_a_tracker_object_can_be_reused_for_several_searches():
    tracker = Fragile()
    for _ in range(2):
        of_function(callbacks=[tracker])
    assert tracker.rounds == 2 * list(range(ROUNDS))


def test_tracking_changes_no_bit(tmp_path):
    assert of_function(callbacks=[Fragile()]).weights.tobytes() == of_function().weights.tobytes()


def test_many_rounds_are_thinned_evenly_keeping_the_last():
    assert thinned(list(range(10)), 4) == [0, 3, 6, 9]
    assert thinned(list(range(9)), 4) == [2, 5, 8]
    assert thinned(list(range(4)), 4) == [0, 1, 2, 3]


@pytest.mark.parametrize("made", [MLflow, TensorBoard, WandB])
def test_a_package_that_is_not_installed_is_named_with_its_extra(monkeypatch, made):
    for package in ("mlflow", "tensorboardX", "wandb"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        SettingError,
        match=rf'{made.name} needs .*, which is not installed; type pip install "distsearch\[{made.name}\]"',
    ):
        of_function(callbacks=[made()])


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingError, match="track: tensorboard cannot write to the folder .*file"):
        of_function(track=f"tensorboard:{tmp_path / 'file'}")


def test_no_tracker_prompts_for_a_password(monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    import wandb

    wandb.teardown()
    try:
        with pytest.raises(SettingError, match="wandb: not logged in: type `wandb login`, or set WANDB_MODE"):
            WandB().check()
    finally:
        monkeypatch.undo()
        wandb.teardown()


def test_the_guide_s_tracker_works(tmp_path, monkeypatch):
    guide = (Path(distsearch.__file__).parent / "guide" / "plugins.md").read_text(encoding="utf-8")
    program = guide.partition("## A tracker")[2].partition("```python\n")[2].partition("```")[0]
    (tmp_path / "guided_tracker.py").write_text(program)
    monkeypatch.syspath_prepend(tmp_path)
    found = of_function(track=f"guided_tracker:Lines:{tmp_path / 'rounds.txt'}")
    lines = (tmp_path / "rounds.txt").read_text().splitlines()
    assert lines == [*(f"{row.round} {row.best_loss}" for row in found.history), "finished"]


def test_custom_trackers_are_named_by_their_module():
    [made] = trackers(["own_tracker:Own:some:place"])
    assert made.place == "some:place"
    with pytest.raises(SettingError, match="unknown tracker 'mlfow': did you mean 'mlflow'?"):
        trackers(["mlfow:http://here"])
