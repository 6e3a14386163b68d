"""Searches that begin from given weights: arrays, results, runs."""

import shutil

import numpy as np
import pandas as pd
import pytest
from problems import sphere
from programs import refused, succeeded

import distsearch
from distsearch.errors import DataError, SettingError
from distsearch.randomness import Stream, noise
from distsearch.runs.directory import StoredRun
from distsearch.strategies import STRATEGIES

FEATURES = noise(5, Stream.DATA, 0, 0, 120, 3)
LABELS = np.digitize(FEATURES[:, 0], [-0.5, 0.5])
SETTINGS = {"layers": [4], "strategy": "hill-climb", "workers": 0}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A result, and the folder of its run."""
    runs = tmp_path_factory.mktemp("trained")
    result = distsearch.search(FEATURES, LABELS, rounds=60, runs=runs, name="a", **SETTINGS)
    return result, runs / "a"


@pytest.mark.parametrize("batch", [None, 40])
@pytest.mark.parametrize("strategy", STRATEGIES.own)
def test_the_result_is_never_worse_than_the_start(trained, strategy, batch):
    settings = {**SETTINGS, "strategy": strategy, "batch": batch, "rounds": 1}
    if strategy in ("evolution-strategy", "node-perturbation"):
        settings["rate"] = 10.0  # far away from where it is good
    found = distsearch.search(FEATURES, LABELS, start=trained[0].weights, **settings)
    assert found.loss <= trained[0].loss
    assert np.isfinite(found.predict_proba(FEATURES)).all()


def test_an_array_a_result_a_run_or_its_tensors_give_the_same_start(trained):
    result, run = trained
    starts = [result.weights, result.weights.tolist(), result, run, str(run), result.model.tensors]
    found = [distsearch.search(FEATURES, LABELS, start=start, rounds=5, seed=3, **SETTINGS) for start in starts]
    assert len({each.weights.tobytes() for each in found}) == 1
    assert found[0].loss < result.loss
    again = distsearch.search(FEATURES, LABELS, start="a", runs=run.parent, name="b", rounds=5, seed=3, **SETTINGS)
    assert again.weights.tobytes() == found[0].weights.tobytes()


def test_other_data_of_the_same_shape_can_be_learnt_from_there(trained):
    result, run = trained
    moved = FEATURES + np.float32(0.1)
    tuned = distsearch.search(moved, LABELS, start=run, rounds=5, **SETTINGS)
    fresh = distsearch.search(moved, LABELS, rounds=5, **SETTINGS)
    assert tuned.loss < fresh.loss
    assert tuned.loss <= result.evaluate(moved, LABELS).loss


@pytest.mark.parametrize("strategy", ["hill-climb", "node-perturbation"])
def test_the_run_keeps_its_start_and_no_longer_needs_the_original(trained, tmp_path, strategy):
    original = tmp_path / "original"
    shutil.copytree(trained[1], original)
    settings = {**SETTINGS, "strategy": strategy, "runs": tmp_path, "seed": 4}
    whole = distsearch.search(FEATURES, LABELS, start=original, name="whole", rounds=12, **settings)
    distsearch.search(FEATURES, LABELS, start=original, name="part", rounds=7, **settings)
    shutil.rmtree(original)
    part = distsearch.resume(tmp_path / "part", FEATURES, LABELS, rounds=5)
    assert part.weights.tobytes() == whole.weights.tobytes()
    verdict = distsearch.verify(tmp_path / "part", FEATURES, LABELS, rounds="all")
    assert (verdict.identical, verdict.rounds, len(verdict.tried)) == (True, 12, 12)


def test_columns_in_another_order_than_those_of_the_start_are_refused(tmp_path):
    frame = pd.DataFrame(FEATURES, columns=["a", "b", "c"])
    first = distsearch.search(frame, LABELS, rounds=60, runs=tmp_path, name="a", **SETTINGS)
    for start in (first, tmp_path / "a"):
        sentence = (
            "^start: expected the inputs in the order of .*, in which 'b' is number 2, got 'c' there: put the columns"
        )
        with pytest.raises(DataError, match=sentence):
            distsearch.search(frame[["a", "c", "b"]], LABELS, start=start, rounds=1, **SETTINGS)
        renamed = frame.rename(columns={"b": "other"})
        for other in (frame, renamed):
            assert distsearch.search(other, LABELS, start=start, rounds=1, **SETTINGS).loss <= first.loss


def test_a_changed_start_is_noticed(trained, tmp_path):
    distsearch.search(FEATURES, LABELS, start=trained[0], runs=tmp_path, name="a", batch=40, rounds=3, **SETTINGS)
    distsearch.search(FEATURES, LABELS, start=np.zeros(31), runs=tmp_path, name="b", batch=40, rounds=3, **SETTINGS)
    shutil.copy(tmp_path / "b" / "start.safetensors", tmp_path / "a")
    assert not distsearch.verify(tmp_path / "a", FEATURES, LABELS).identical


def test_a_function_starts_from_a_result_or_a_run(tmp_path):
    first = distsearch.minimize(sphere, np.zeros(4), rounds=30, workers=0, runs=tmp_path, name="a")
    for start in (first, first.weights, tmp_path / "a", str(tmp_path / "a")):
        second = distsearch.minimize(sphere, start, rounds=1, workers=0)
        assert second.loss <= first.loss


@pytest.mark.parametrize(
    ("start", "error", "sentence"),
    [
        (np.zeros(5), DataError, r"start: expected finite weights of shape \(31,\), got the shape \(5,\)"),
        (np.full(31, np.nan), DataError, r"shape \(n,\), got nan at index 0"),
        ({"dense1.weights": np.zeros((3, 4), np.float32)}, DataError, r"this one \(dense1.weights 3×4, dense1.biases"),
        ("herz", SettingError, "unknown start 'herz': did you mean 'he'.* or a run or .safetensors file to take"),
        ("no/such/run", SettingError, "file to take weights from, but there is none at no/such/run"),
        ("abc", SettingError, "unknown start 'abc'"),
        ("", SettingError, "unknown start ''"),
        ("given", SettingError, "start: these initial weights came from Python"),
        ([[1.0], [1.0, 2.0]], DataError, "expected finite weights of shape"),
        (np.ma.array([0.0, 1.0], mask=[0, 1]), DataError, "expected finite weights of shape .* got masked ones"),
        ([1j], DataError, "expected finite weights of shape"),
        ({1: 2}, DataError, "expected the weights of a network like this one"),
        (1e300, DataError, r"got the shape \(\)$"),
        (np.zeros((2, 3)), DataError, r"got the shape \(2, 3\); give it flat, as start.ravel\(\) is$"),
    ],
)
def test_an_invalid_start_is_refused_in_one_sentence(start, error, sentence):
    with pytest.raises(error, match=sentence):
        distsearch.search(FEATURES, LABELS, start=start, rounds=1, **SETTINGS)


@pytest.mark.parametrize("start", ["abc", ["a"], [[1], [1, 2]], None, [1j], 3, [1e300], {"a": 1}, [np.nan], []])
def test_an_invalid_start_of_a_function_is_refused_in_one_sentence(start):
    with pytest.raises((DataError, SettingError), match="^start: expected"):
        distsearch.minimize(sphere, start, workers=0)


def test_a_run_of_another_network_is_refused_with_the_shapes(trained):
    with pytest.raises(DataError, match=r"like this one \(dense1.weights 3×6.*give it the same layers"):
        distsearch.search(FEATURES, LABELS, start=trained[1], layers=[6], workers=0, rounds=1)


@pytest.mark.slow
def test_the_command_line_starts_from_a_run(tmp_path):
    options = ["--workers", "0", "--layers", "4"]
    succeeded("run", "--name", "first", "--rounds", "40", *options, cwd=tmp_path)
    succeeded("run", "--name", "second", "--rounds", "1", "--start", "first", *options, cwd=tmp_path)
    first, second = (StoredRun(tmp_path / "runs" / name) for name in ("first", "second"))
    assert second.result.loss <= first.result.loss
    shutil.rmtree(first.path)
    assert "identical" in succeeded("verify", "second", cwd=tmp_path).stdout
    assert "none at frist" in refused("run", "--start", "frist", *options, cwd=tmp_path)
