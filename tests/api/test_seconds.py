"""The time limit holds within a round, and what was evaluated of the first round is not lost."""

import time

import numpy as np
import pytest
from problems import sphere

import distsearch
from distsearch.callbacks import Observer
from distsearch.errors import RunError
from distsearch.runs.directory import StoredRun
from distsearch.search import underway, verification
from distsearch.workers import pieces


class Clock:
    """Time passes only in the function: a fifth of a second per candidate."""

    now = 100.0

    def __call__(self, weights):
        self.now += 0.2 * len(np.atleast_2d(weights))
        return np.square(weights - 1).sum(axis=-1)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    return clock


@pytest.mark.parametrize("strategy", ["hill-climb", "cma-es", "evolution-strategy"])
def test_the_result_is_the_best_candidate_evaluated(tmp_path, clock, strategy, said):
    settings = {"strategy": strategy, "population": 32, "workers": 0, "runs": tmp_path, "sigma": 0.5}
    found = distsearch.minimize(clock, np.zeros(3), seconds=1, name="a", **settings)
    assert clock.now <= 101.2 + 1e-6
    assert (found.summary.reason, found.summary.rounds, found.history) == ("seconds", 0, [])
    whole = distsearch.minimize(sphere, np.zeros(3), rounds=1, name="whole", **settings)
    losses = np.fromfile(tmp_path / "whole" / "losses.bin")[: found.summary.candidates]
    assert 1 < len(losses) < 32
    assert found.loss == pytest.approx(losses.min())
    assert found.loss >= whole.loss
    assert sphere(found.weights) == pytest.approx(found.loss)
    assert f"the result is the best of {len(losses)} of its" in " ".join(said)
    stored = StoredRun(tmp_path / "a")
    assert stored.best()["weights"].tobytes() == found.weights.tobytes()
    assert distsearch.verify(tmp_path / "a", function=Clock()).identical
    with pytest.raises(RunError, match="has not finished one round: nothing is recorded of its best weights"):
        verification.replay(stored)
    resumed = distsearch.resume(tmp_path / "a", function=Clock(), rounds=1, seconds=100)
    assert resumed.weights.tobytes() == whole.weights.tobytes()
    assert distsearch.verify(tmp_path / "a", function=Clock()).identical


def test_a_changed_best_of_an_unfinished_round_is_noticed(tmp_path, clock):
    settings = {"workers": 0, "runs": tmp_path, "seconds": 1, "sigma": 0.5}
    for name, seed in (("a", 1), ("b", 2)):
        distsearch.minimize(clock, np.zeros(3), name=name, seed=seed, **settings)
        clock.now = 100.0
    (tmp_path / "b" / "best.safetensors").rename(tmp_path / "a" / "best.safetensors")
    assert not distsearch.verify(tmp_path / "a", function=Clock()).identical


def test_one_candidate_is_evaluated_however_short_the_limit(clock):
    found = distsearch.minimize(clock, np.zeros(3), seconds=1e-9, workers=0)
    assert (found.loss, found.summary.candidates) == (3.0, 1)
    assert found.weights.tolist() == [0, 0, 0]


def test_no_finite_loss_is_reported(clock, said):
    found = distsearch.minimize(lambda weights: clock(weights) + np.inf, np.ones(3), seconds=1, workers=0)
    assert found.weights.tolist() == [1, 1, 1]
    assert "none of which has a finite loss" in said[-1]


@pytest.mark.parametrize("strategy", ["hill-climb", "evolution-strategy", "node-perturbation"])
def test_the_center_is_measured_where_part_of_a_round_decides_nothing(monkeypatch, strategy):
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 0.0)
    features = np.random.default_rng(3).normal(size=(600, 20))
    settings = {"layers": [300], "strategy": strategy, "workers": 0, "start": "he"}
    found = distsearch.search(features, features[:, 0] > 0, seconds=1e-9, **settings)
    assert (found.summary.rounds, found.summary.reason) == (0, "seconds")
    assert found.evaluate(features, features[:, 0] > 0).loss == found.loss


class Heard(Observer):
    def __init__(self):
        self.parts = []

    def within(self, part):
        self.parts.append(part)


@pytest.mark.slow
def test_workers_keep_the_limit_too_and_are_heard_of_before(ray_with_three_cpus, monkeypatch):
    def slow(weights):
        time.sleep(0.05)
        return float(np.square(weights - 1).sum())

    heard = Heard()
    monkeypatch.setattr(underway, "QUIET_SECONDS", 0.0)
    settings = {"population": 3000, "seconds": 0.5, "workers": 2, "sigma": 0.5, "callbacks": [heard]}
    found = distsearch.minimize(slow, np.zeros(3), **settings)
    assert 0 < heard.parts[-1].answered <= found.summary.candidates
    assert {part.units for part in heard.parts} == {3000}
    assert (found.summary.rounds, found.summary.reason) == (0, "seconds")
    assert 0 < found.summary.candidates < 3000
    assert found.loss == slow(found.weights)
