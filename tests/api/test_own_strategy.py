"""A strategy given as a class, to everything in Python that takes the name of one."""

from dataclasses import replace

import numpy as np
import pytest
from problems import sphere

import distsearch
from distsearch.errors import SettingError
from distsearch.strategies.hill_climb import HillClimb
from distsearch.strategies.snes import Snes


class Cautious(HillClimb):
    """Its step size is halved in every round."""

    name = "cautious"

    def advance(self, state, result, best):
        return replace(super().advance(state, result, best), sigma=state.sigma / 2)


def test_it_searches_and_is_resumed_and_verified(tmp_path):
    settings = {"strategy": Cautious, "sigma": 0.5, "workers": 0, "runs": tmp_path, "name": "mine"}
    found = distsearch.minimize(sphere, np.zeros(10), rounds=3, **settings)
    assert [row.sigma for row in found.history] == [0.5, 0.25, 0.125]
    further = distsearch.resume(tmp_path / "mine", function=sphere, rounds=1)
    assert further.history[-1].sigma == 0.0625
    assert distsearch.verify(tmp_path / "mine", function=sphere).identical

    optimizer = distsearch.Optimizer(Cautious, np.zeros(10), sigma=0.5, rounds=3)
    while not optimizer.done:
        optimizer.tell([sphere(weights) for weights in optimizer.ask()])
    optimizer.save(tmp_path / "optimizer")
    assert optimizer.best.tobytes() == found.weights.tobytes()
    assert distsearch.Optimizer.load(tmp_path / "optimizer").best_loss == found.loss


def test_an_estimator_takes_it_and_other_spellings_of_ours():
    X, y = np.linspace(-1, 1, 30)[:, np.newaxis], np.arange(30) > 12
    fits = {
        strategy: distsearch.SearchClassifier(strategy=strategy, rounds=5, random_state=0).fit(X, y).result_
        for strategy in (Cautious, Snes, "snes", "Node_Perturbation", "node-perturbation")
    }
    assert [row.sigma for row in fits[Cautious].history] == pytest.approx([0.05 / 2**times for times in range(5)])
    assert fits[Snes].weights.tobytes() == fits["snes"].weights.tobytes()
    assert fits["Node_Perturbation"].weights.tobytes() == fits["node-perturbation"].weights.tobytes()


@pytest.mark.parametrize("given", [dict, 3])
def test_what_is_none_is_refused(given):
    with pytest.raises(SettingError, match="^strategy"):
        distsearch.minimize(sphere, np.zeros(10), strategy=given, workers=0)
    with pytest.raises(ValueError, match="^strategy"):
        distsearch.SearchRegressor(strategy=given).fit([[0.0], [1.0]], [0.5, 1.0])
