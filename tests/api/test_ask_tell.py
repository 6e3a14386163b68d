"""`distsearch.Optimizer`: ask for candidates, tell it their losses."""

import math

import numpy as np
import pytest
from problems import ellipsoid, sphere

import distsearch
from distsearch import strategies
from distsearch.errors import DataError, ObjectiveError, RunError, SettingError, UserError
from distsearch.strategies.population import PopulationStrategy

ASKED = [name for name, kind in strategies.STRATEGIES.own.items() if issubclass(kind, PopulationStrategy)]


def run(optimizer, rounds: int, function=ellipsoid):
    for _ in range(rounds):
        optimizer.tell([function(weights) for weights in optimizer.ask()])
    return optimizer


@pytest.mark.parametrize(("strategy", "size"), [*((name, 8) for name in ASKED), ("cma-es", 300)])
def test_it_finds_the_same_weights_as_minimize(strategy, size):
    """Of a covariance of 300 weights, BLAS would compute parts on several threads."""
    start = np.full(size, 0.5)
    optimizer = run(distsearch.Optimizer(strategy, start, seed=3, rounds=30), 30)
    found = distsearch.minimize(ellipsoid, start, strategy=strategy, seed=3, rounds=30, workers=0)
    assert optimizer.best.tobytes() == found.weights.tobytes()
    assert optimizer.best_loss == found.loss
    assert (optimizer.rounds, optimizer.done) == (30, True)


@pytest.mark.parametrize("strategy", ASKED)
def test_saved_mid_search_it_continues_to_the_same_weights(tmp_path, strategy):
    whole = run(distsearch.Optimizer(strategy, np.zeros(5), sigma=np.float32(0.5), rounds=20), 20)
    half = run(distsearch.Optimizer(strategy, np.zeros(5), sigma=np.float32(0.5), rounds=20), 9)
    half.ask()
    half.save(tmp_path / "half")
    again = distsearch.Optimizer.load(tmp_path / "half")
    assert again.ask().tobytes() == half.ask().tobytes()
    assert run(again, 11).best.tobytes() == whole.best.tobytes()
    assert again.done


def test_it_is_done_once_the_target_is_reached():
    optimizer = distsearch.Optimizer("cma-es", np.zeros(3), sigma=0.5, target_loss=1e-3)
    rounds = 0
    while not optimizer.done:
        assert optimizer.best_loss > 1e-3
        rounds = run(optimizer, 1, sphere).rounds
        assert rounds < 1000
    assert optimizer.best_loss <= 1e-3
    assert sphere(optimizer.best) == optimizer.best_loss


def test_it_is_done_after_the_given_number_of_evaluations(tmp_path):
    settings = {"population": 6, "max_evaluations": 20, "seed": 2}
    optimizer = distsearch.Optimizer("snes", np.zeros(3), **settings)
    while not optimizer.done:
        run(optimizer, 1, sphere)
        optimizer.save(tmp_path / "saved")
        optimizer = distsearch.Optimizer.load(tmp_path / "saved")
    assert (optimizer.evaluations, optimizer.rounds) == (21, 3)  # whole pairs and the center: 7 a round
    found = distsearch.minimize(sphere, np.zeros(3), strategy="snes", workers=0, **settings)
    assert (found.summary.reason, found.summary.candidates) == ("evaluations", 21)
    assert found.weights.tobytes() == optimizer.best.tobytes()


def test_changing_its_arrays_has_no_effect():
    optimizer = distsearch.Optimizer("snes", np.zeros(4), population=6)
    for array in (optimizer.ask(), optimizer.best, optimizer.center):
        array[:] = 7
    assert optimizer.ask().max() < 7
    assert optimizer.best.tolist() == optimizer.center.tolist() == [0, 0, 0, 0]
    assert optimizer.best_loss == math.inf


def test_its_repr_says_how_far_it_is():
    optimizer = distsearch.Optimizer("hill-climb", np.full(4, 0.5), population=5)
    assert repr(optimizer) == "<distsearch.Optimizer hill-climb, 4 weights, 0 rounds, nothing told yet>"
    assert repr(run(optimizer, 1, lambda weights: 0.25)).endswith("1 round, best loss 0.25>")


def test_failed_candidates_lose():
    optimizer = distsearch.Optimizer("hill-climb", np.zeros(4), population=5)
    optimizer.ask()
    optimizer.tell([1.0, math.nan, 0.25, math.inf, 2.0])
    assert optimizer.best_loss == 0.25
    optimizer.ask()
    optimizer.tell(np.ma.array([4, 0, 3, 2, 1], mask=[0, 1, 0, 0, 1]))
    assert optimizer.best_loss == 0.25


@pytest.mark.parametrize(
    ("losses", "error", "sentence"),
    [
        ([1.0] * 4, DataError, r"expected losses of shape \(5,\), one per candidate, got \(4,\)"),
        ([[1.0] * 5], DataError, r"got \(1, 5\)"),
        (["low"] * 5, DataError, "expected a number for each candidate"),
        (None, DataError, r"got \(\)"),
        (["1"] * 5, DataError, "expected a number for each candidate"),
        ([1j] * 5, DataError, "expected a number for each candidate"),
        ([1.0, None, 1.0, 1.0, 1.0], DataError, "expected a number for each candidate"),
        ((1.0 for _ in range(5)), DataError, "expected a number for each candidate, got <generator"),
        ([math.nan] * 5, ObjectiveError, "none of the 5 candidates has a finite loss.*; try another start"),
    ],
)
def test_invalid_losses_leave_the_round_as_it_was(losses, error, sentence):
    optimizer = distsearch.Optimizer("hill-climb", np.zeros(4), population=5)
    before = optimizer.ask()
    with pytest.raises(error, match=sentence):
        optimizer.tell(losses)
    assert (optimizer.rounds, optimizer.ask().tobytes()) == (0, before.tobytes())


def test_losses_without_an_ask_are_refused():
    optimizer = run(distsearch.Optimizer("hill-climb", np.zeros(4), population=5), 1)
    with pytest.raises(DataError, match=r"expected ask\(\) before tell\(\)"):
        optimizer.tell([1.0] * 5)


@pytest.mark.parametrize(
    ("strategy", "start", "settings", "error", "sentence"),
    [
        ("cma-e", [0.0], {}, SettingError, "unknown strategy 'cma-e': did you mean 'cma-es'"),
        ("node-perturbation", [0.0], {}, SettingError, "moves the nodes of a network"),
        ("cma-es", [[0.0]], {}, DataError, "finite weights of shape"),
        ("cma-es", [0.0, math.nan], {}, DataError, "finite weights of shape"),
        ("cma-es", [0.0], {"sigma": -1.0}, SettingError, "sigma: expected a number > 0"),
        ("cma-es", [0.0], {"sigmma": 1.0}, SettingError, "unknown setting 'sigmma': did you mean 'sigma'"),
        ("cma-es", [0.0], {"rate": 1.0}, SettingError, "rate: a setting of evolution-strategy"),
        (
            "cma-es",
            [0.0],
            {"max_evaluations": 0},
            SettingError,
            "^max_evaluations: expected a whole number >= 1, got 0",
        ),
        ("cma-es", [0.0], {"max_evals": 9}, SettingError, "here it is called 'max_evaluations'"),
        ("cma-es", [0.0], {"layers": [3, 4]}, SettingError, "^layers: has no effect here"),
        ("cma-es", [0.0], {"seconds": 1.0}, SettingError, "^seconds: has no effect here"),
    ],
)
def test_invalid_arguments_are_refused_in_one_sentence(strategy, start, settings, error, sentence):
    with pytest.raises(error, match=sentence):
        distsearch.Optimizer(strategy, start, **settings)


def test_a_path_that_cannot_be_written_or_is_none_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    optimizer = distsearch.Optimizer("snes", [0.0])
    for path, sentence in ((tmp_path, "cannot write .*: Is a directory"), (3, "expected the path of a file .*, got 3")):
        with pytest.raises(UserError, match=sentence):
            optimizer.save(path)
    with pytest.raises(SettingError, match="expected the path of a file that Optimizer.save wrote, got None"):
        distsearch.Optimizer.load(None)
    optimizer.save("~/at home")
    assert distsearch.Optimizer.load(tmp_path / "at home").ask().tobytes() == optimizer.ask().tobytes()


def test_a_file_with_other_content_is_refused(tmp_path):
    (tmp_path / "other").write_bytes(b"nothing of the kind")
    with pytest.raises(RunError, match="is damaged or was not written by distsearch"):
        distsearch.Optimizer.load(tmp_path / "other")
    with pytest.raises(RunError, match="expected a file that Optimizer.save wrote, but there is none at .*none$"):
        distsearch.Optimizer.load(tmp_path / "none")
