"""Runs kept by Python: resumed and verified there, or from the command line if a file holds their data."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from problems import sphere
from programs import refused, succeeded
from searches import contents

import distsearch
from distsearch.api import callbacks
from distsearch.errors import DataError, ObjectiveError, RunError, SettingError
from distsearch.randomness import Stream, noise
from distsearch.runs.directory import StoredRun

FEATURES = noise(5, Stream.DATA, 0, 0, 60, 2).astype(np.float64)
LABELS = (FEATURES[:, 0] > 0).astype(int)
SETTINGS = {"layers": [3], "workers": 0, "scale": True, "test_share": 0.2}


def searched(X, y, folder, name="a", rounds=6, **settings):
    return distsearch.search(X, y, runs=folder, name=name, rounds=rounds, **SETTINGS, **settings)


@pytest.mark.parametrize("strategy", ["hill-climb", "node-perturbation", "cma-es"])
def test_a_network_is_resumed_and_verified_with_its_arrays_given_again(tmp_path, strategy):
    whole = searched(FEATURES, LABELS, tmp_path, "whole", rounds=15, strategy=strategy)
    part = searched(FEATURES, LABELS, tmp_path, strategy=strategy)
    heard = []
    again = distsearch.resume(tmp_path / "a", FEATURES.tolist(), LABELS, rounds=9, callbacks=[heard.append])
    assert contents(tmp_path / "a") == contents(tmp_path / "whole")
    assert again.predict(FEATURES).tolist() == whole.predict(FEATURES).tolist()
    assert [row.round for row in again.history] == list(range(15))
    assert (again.history[:6], heard) == (part.history, again.history[6:])
    verdict = distsearch.verify(str(tmp_path / "a"), FEATURES, LABELS, rounds="all")
    assert (verdict.identical, verdict.rounds, verdict.tried) == (True, 15, list(range(15)))


def test_sample_weights_are_part_of_the_data(tmp_path):
    weights = np.linspace(0, 2, len(LABELS))
    searched(FEATURES, LABELS, tmp_path, sample_weight=weights, class_weight="balanced")
    assert distsearch.verify(tmp_path / "a", FEATURES, LABELS, sample_weight=weights).identical
    with pytest.raises(RunError, match="what was given is not the data"):
        distsearch.verify(tmp_path / "a", FEATURES, LABELS)
    with pytest.raises(SettingError, match="sample_weight: expected X and y as well"):
        distsearch.verify(tmp_path / "a", sample_weight=weights)


@pytest.mark.parametrize("vectorized", [False, True])
def test_a_function_is_resumed_and_verified_when_given_again(tmp_path, vectorized, said):
    def function(weights):
        return np.square(weights - 1).sum(axis=-1)

    settings = {"vectorized": vectorized, "strategy": "cma-es", "population": 80, "workers": 0, "runs": tmp_path}
    whole = distsearch.minimize(function, np.zeros(4), rounds=15, name="whole", **settings)
    distsearch.minimize(function, np.zeros(4), rounds=6, name="a", **settings)
    again = distsearch.resume(tmp_path / "a", function=function, rounds=9)
    assert (again.loss, again.weights.tobytes()) == (whole.loss, whole.weights.tobytes())
    assert contents(tmp_path / "a") == contents(tmp_path / "whole")
    assert distsearch.verify(tmp_path / "a", function=function).identical
    assert not [sentence for sentence in said if "same function" in sentence]
    other = distsearch.verify(tmp_path / "a", function=lambda weights: function(weights) + 1, rounds="all")
    assert "losses come out differently" in other.differences[0]
    distsearch.resume(tmp_path / "a", function=lambda weights: function(weights) + 1, rounds=1)
    assert f"it gives {1 + whole.loss:.6g}, but {whole.loss:.6g} was recorded" in " ".join(said)


def test_resuming_in_an_interactive_session_shows_progress(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(callbacks, "is_interactive", lambda: True)
    searched(FEATURES, LABELS, tmp_path)
    assert "6 rounds · loss" in capsys.readouterr().err
    distsearch.resume(tmp_path / "a", FEATURES, LABELS, rounds=3)
    assert "9 rounds · loss" in capsys.readouterr().err


def test_evaluations_on_resume_are_additional(tmp_path):
    settings = {"population": 10, "workers": 0, "runs": tmp_path, "name": "a"}
    distsearch.minimize(sphere, np.zeros(4), max_evaluations=30, **settings)
    shown = succeeded("show", "a", "--runs", ".", cwd=tmp_path).stdout
    assert "a function of 4 weights, hill-climb, seed 0" in shown
    assert re.search(r"^round +calls ", shown, re.MULTILINE)
    assert re.search(r"^calls +30 +of the function, in 3 rounds", shown, re.MULTILINE)
    assert "passes" not in shown
    with pytest.raises(RunError, match=r"its limit \(evaluations\): give it more max_evaluations"):
        distsearch.resume(tmp_path / "a", function=sphere)
    assert distsearch.resume(tmp_path / "a", function=sphere, max_evaluations=20).summary.candidates == 50
    with pytest.raises(
        SettingError, match="^evaluations: is the same setting as max_evaluations: leave one of them out$"
    ):
        distsearch.resume(tmp_path / "a", function=sphere, max_evaluations=20, evaluations=20)
    assert distsearch.resume(tmp_path / "a", function=sphere, evaluations=20).summary.candidates == 70


def test_an_objective_that_raises_leaves_a_resumable_run_and_the_result_so_far(tmp_path):
    calls = 0

    def failing(weights):
        nonlocal calls
        calls += 1
        if calls == 100:
            raise OSError("the simulator is gone")
        return sphere(weights)

    settings = {"workers": 0, "runs": tmp_path, "population": 10}
    whole = distsearch.minimize(sphere, np.zeros(4), rounds=20, name="whole", **settings)
    with pytest.raises(ObjectiveError, match="raised OSError: the simulator is gone") as raised:
        distsearch.minimize(failing, np.zeros(4), rounds=20, name="a", **settings)
    found = raised.value.result
    assert (len(found.history), found.summary.reason, found.summary.rounds) == (9, "failed", 9)
    assert found.loss == sphere(found.weights) == whole.history[8].best_loss
    again = distsearch.resume(tmp_path / "a", function=sphere)
    assert again.weights.tobytes() == whole.weights.tobytes()


def test_frame_columns_may_be_reordered_but_other_data_is_refused(tmp_path):
    frame = pd.DataFrame(FEATURES, columns=["a", "b"])
    searched(frame, LABELS, tmp_path)
    shuffled = frame.assign(b=frame["b"])[["b", "a"]]
    assert distsearch.verify(tmp_path / "a", shuffled, LABELS).identical
    assert distsearch.verify(tmp_path / "a", FEATURES, LABELS).identical
    with pytest.raises(RunError, match="what was given is not the data that .* was trained on: expected the same ex"):
        distsearch.resume(tmp_path / "a", frame + 1, LABELS, rounds=1)
    with pytest.raises(DataError, match="there is no column 'a'"):
        distsearch.resume(tmp_path / "a", frame.rename(columns={"a": "c"}), LABELS, rounds=1)


@pytest.mark.parametrize(
    ("given", "error", "sentence"),
    [
        ({}, RunError, r"arrays from Python, .*distsearch.resume\('.*', X, y\).* or as a file with data"),
        ({"X": FEATURES}, SettingError, "expected X and y, .* but y is missing"),
        ({"X": FEATURES, "y": LABELS, "function": sphere}, SettingError, "only the one that the run needs"),
        ({"function": sphere}, RunError, "trains a network: expected its data again, X and y, got a function"),
        ({"function": 3}, SettingError, "function: expected one that maps weights"),
        ({"data": "no.csv"}, DataError, "no.csv"),
    ],
)
def test_arguments_a_network_s_run_does_not_take_are_refused(tmp_path, given, error, sentence):
    searched(FEATURES, LABELS, tmp_path)
    for again in (distsearch.resume, distsearch.verify):
        with pytest.raises(error, match=sentence):
            again(tmp_path / "a", **given)


def test_arguments_a_function_s_run_does_not_take_are_refused(tmp_path):
    distsearch.minimize(sphere, np.zeros(4), rounds=3, workers=0, runs=tmp_path, name="a")
    with pytest.raises(RunError, match=r"minimises a function, .* distsearch.resume\('.*', function=…\) continues it"):
        distsearch.resume(tmp_path / "a", rounds=3)
    with pytest.raises(RunError, match="minimises a function: it has no data"):
        distsearch.verify(tmp_path / "a", FEATURES, LABELS)
    with pytest.raises(SettingError, match="rounds: expected a number of rounds to evaluate again, or 'all', got -1"):
        distsearch.verify(tmp_path / "a", function=sphere, rounds=-1)
    for path in (3, None, b"a"):
        with pytest.raises(SettingError, match="path: expected the path of a run's folder, got"):
            distsearch.resume(path, function=sphere)
    for more, sentence in (
        ({"rounds": "5"}, "rounds: expected a whole number, got '5'"),
        ({"seconds": -1}, "seconds: "),
    ):
        with pytest.raises(SettingError, match=f"^{sentence}"):
            distsearch.resume(tmp_path / "a", function=sphere, **more)
    with pytest.raises(RunError, match="expected a run's directory"):
        distsearch.verify(tmp_path / "b", function=sphere)


@pytest.mark.slow
def test_the_command_line_resumes_a_run_of_arrays_given_a_file_of_them(tmp_path):
    searched(FEATURES, LABELS, tmp_path / "runs")
    whole = searched(FEATURES, LABELS, tmp_path / "runs", "whole", rounds=8)
    for command in ("resume", "verify", "evaluate"):
        assert "or as a file with --data FILE" in refused(command, "a", cwd=tmp_path)
    table = pd.DataFrame(FEATURES, columns=["left", "right"]).assign(label=LABELS)
    table.to_csv(tmp_path / "table.csv", index=False)
    (table + 1).to_csv(tmp_path / "other.csv", index=False)
    assert "other.csv is not the data that" in refused("verify", "a", "--data", "other.csv", cwd=tmp_path)
    succeeded("resume", "a", "--rounds", "2", "--data", "table.csv", cwd=tmp_path)
    scores = json.loads(succeeded("evaluate", "whole", "--data", "table.csv", "--json", cwd=tmp_path).stdout)
    assert scores["train"] == {"loss": whole.loss, "accuracy": whole.accuracy, "examples": 48}
    assert scores["test"]["accuracy"] == whole.summary.test_accuracy
    assert "no column 'x0'" in refused("evaluate", "whole", "--data", "other.csv", cwd=tmp_path)
    assert contents(tmp_path / "runs" / "a") == contents(tmp_path / "runs" / "whole")
    (tmp_path / "elsewhere").mkdir()
    assert "identical" in succeeded("verify", tmp_path / "runs" / "a", cwd=tmp_path / "elsewhere").stdout
    assert StoredRun(tmp_path / "runs" / "a").result.loss == whole.loss


@pytest.mark.slow
def test_a_run_of_a_file_is_resumed_from_any_folder_or_after_the_file_moved(tmp_path):
    (tmp_path / "first").mkdir()
    table = pd.DataFrame(FEATURES, columns=["left", "right"]).assign(label=LABELS)
    table.to_csv(tmp_path / "first" / "table.csv", index=False)
    succeeded("run", "--data", "table.csv", "--name", "a", "--rounds", "3", "--workers", "0", cwd=tmp_path / "first")
    run = tmp_path / "first" / "runs" / "a"
    assert StoredRun(run).manifest.source == str(tmp_path / "first" / "table.csv")
    distsearch.resume(run, rounds=2)
    shutil.move(tmp_path / "first" / "table.csv", tmp_path / "moved.csv")
    with pytest.raises(RunError, match=r"table.csv, on which .* was trained, is gone: say where it is now with data"):
        distsearch.resume(run, rounds=2)
    assert distsearch.verify(run, data=tmp_path / "moved.csv", rounds="all").identical
    assert distsearch.verify(run, FEATURES, LABELS, rounds="all").identical
    succeeded("resume", run, "--data", "../moved.csv", "--rounds", "2", cwd=tmp_path / "first")
    assert distsearch.resume(run, rounds=1).summary.rounds == 8


@pytest.mark.slow
def test_the_command_line_says_how_to_resume_a_function_s_run(tmp_path):
    distsearch.minimize(sphere, np.zeros(4), rounds=3, workers=0, runs=tmp_path / "runs", name="a")
    for command in ("resume", "verify"):
        assert "minimises a function, which is not kept with it: in Python" in refused(command, "a", cwd=tmp_path)
    for command in (["evaluate", "a"], ["predict", "a", "x.csv"], ["export", "a", "--to", "x.json"]):
        assert "the run of a function" in refused(*command, cwd=tmp_path)
    succeeded("replay", "a", "--to", "again.safetensors", cwd=tmp_path)
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "runs" / "a" / "best.safetensors").read_bytes()
    succeeded("show", "a", cwd=tmp_path)
