"""Noisy functions: noticed, reported, and not judged by their luckiest value."""

import numpy as np
import pytest
from problems import sphere

import distsearch
from distsearch.runs.directory import StoredRun
from distsearch.strategies import STRATEGIES

OF_FUNCTIONS = [name for name in STRATEGIES.own if name != "node-perturbation"]


class Noisy:
    """sphere + N(0, 1), and how often it was called."""

    def __init__(self, deviation: float = 1.0):
        self.generator = np.random.default_rng(5)
        self.deviation = deviation
        self.calls = 0

    def __call__(self, weights):
        self.calls += 1
        return sphere(weights) + self.deviation * self.generator.normal()


@pytest.mark.parametrize("strategy", OF_FUNCTIONS)
def test_noise_is_reported_and_the_center_s_mean_returned(strategy, said):
    found = distsearch.minimize(Noisy(), np.zeros(3), strategy=strategy, rounds=40, workers=0, population=12)
    (sentence,) = [each for each in said if "noisy" in each]
    assert "the same weights had the loss" in sentence
    assert found.loss < sphere(found.weights)  # a lucky draw
    assert found.center.shape == (3,)
    assert found.summary.center_evaluations == 16
    assert found.center_loss == pytest.approx(sphere(found.center), abs=5 / np.sqrt(16))
    assert f"center     {found.center_loss:.6g}, the mean of 16: losses are noisy" in repr(found)
    assert found.history[-1].noisy


@pytest.mark.parametrize("strategy", OF_FUNCTIONS)
@pytest.mark.parametrize("vectorized", [False, True])
def test_a_deterministic_function_costs_at_most_one_extra_call(strategy, vectorized, said):
    calls = []

    def function(weights):
        calls.append(len(np.atleast_2d(weights)))
        return np.square(weights - 1).sum(axis=-1) * np.float32(1 + 1e-6 * len(np.atleast_2d(weights)))

    settings = {"strategy": strategy, "rounds": 20, "population": 12, "workers": 0, "vectorized": vectorized}
    found = distsearch.minimize(function, np.zeros(3), **settings)
    assert not any("noisy" in each for each in said)
    assert (found.center_loss, found.summary.center_evaluations) == (None, 0)
    evaluated = found.summary.candidates
    assert sum(calls) in ((evaluated, evaluated + 12, evaluated + 13) if vectorized else (evaluated, evaluated + 1))


def test_a_failure_that_repeats_is_not_noise(said):
    distsearch.minimize(
        lambda weights: np.nan if weights[0] <= 0 else sphere(weights), np.zeros(3), rounds=9, workers=0
    )
    assert not any("noisy" in each for each in said)


def test_one_lucky_draw_does_not_reach_the_target(tmp_path):
    settings = {"strategy": "cma-es", "rounds": 400, "target_loss": 0.5, "workers": 0, "sigma": 0.5}
    lucky = distsearch.minimize(Noisy(), np.zeros(3), runs=tmp_path, name="a", **settings)
    first = next(row.round for row in lucky.history if row.best_loss <= 0.5)
    assert lucky.summary.reason == "target loss"
    assert lucky.summary.rounds > first + 1
    assert np.mean([row.center_loss for row in lucky.history[-10:]]) <= 0.5
    assert np.mean([row.center_loss for row in lucky.history[-11:-1]]) > 0.5
    assert StoredRun(tmp_path / "a").result == lucky.summary


@pytest.mark.parametrize("strategy", OF_FUNCTIONS)
def test_a_lucky_draw_in_the_first_round_does_not_reach_it_either(strategy):
    settings = {"strategy": strategy, "rounds": 3, "target_loss": 2.5, "workers": 0, "sigma": 1e-3}
    found = distsearch.minimize(Noisy(), np.zeros(3), **settings)
    assert found.history[0].best_loss < 2.5
    assert found.summary.reason == "rounds"


def test_a_resumed_run_remembers_that_it_is_noisy(tmp_path):
    settings = {"strategy": "random-search", "target_loss": -0.9, "workers": 0, "runs": tmp_path, "name": "a"}
    part = distsearch.minimize(Noisy(), np.zeros(3), rounds=60, **settings)
    assert part.history[-1].best_loss < -0.9
    again = distsearch.resume(tmp_path / "a", function=Noisy(), rounds=2)
    assert (again.summary.rounds, again.history[-1].noisy) == (62, True)
    assert again.center_loss is not None


def test_small_rounds_evaluate_the_center_few_times():
    function = Noisy()
    found = distsearch.minimize(function, np.zeros(3), rounds=4, population=10, workers=0)
    assert found.summary.center_evaluations == 2  # a twentieth of forty
    assert function.calls <= 40 + 1 + 2
