from dataclasses import replace

import numpy as np
import pytest
from problems import create, network_objective, told

from distsearch.candidates import Space
from distsearch.errors import SettingError
from distsearch.problem.objective import FunctionObjective
from distsearch.randomness import Stream, noise
from distsearch.strategies import create as created
from distsearch.strategies.base import LARGEST_SIGMA, Answer
from distsearch.strategies.cma_es import MOST_WEIGHTS, constants, most


def search(strategy, objective, rounds: int, state=None):
    if state is None:
        state = strategy.init(np.zeros(objective.space.weights_count, np.float32), 0)
    for _ in range(rounds):
        state = told(strategy, state, [strategy.work(state, objective, 0, strategy.units(state))])
    return state


def rotated_ellipsoid(weights_count: int, condition: float) -> FunctionObjective:
    """Σ cᵢ (Q(w − 1))ᵢ², Q a fixed rotation."""
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(weights_count, weights_count)))[0]
    curvature = condition ** np.linspace(0, 1, weights_count)
    return FunctionObjective(
        lambda weights: float(curvature @ np.square(rotation @ (weights.astype(np.float64) - 1))), weights_count
    )


@pytest.mark.parametrize(("n", "population"), [(6, 12), (10, None), (30, 41)])
def test_it_goes_the_way_of_the_reference(n, population):
    """The same steps and losses, told to the `cma` package: mean, sigma, paths and covariance are the same."""
    cma = pytest.importorskip("cma", reason="the reference, `pip install cma`, is not there")
    objective = rotated_ellipsoid(n, 1e4)
    strategy = created("cma-es", {"population": population, "sigma": 0.5}, objective.space)
    state = strategy.init(np.linspace(-1, 1, n, dtype=np.float32), 1)
    count = strategy.units(state) - 1
    gap = constants(n, count).gap
    options = {"popsize": count, "verbose": -9, "CMA_diagonal_decoding": 0, "CMA_mirrors": 0}
    reference = cma.CMAEvolutionStrategy(state.mean, 0.5, options)
    reference.sm.C, reference.sm.B, reference.sm.D = np.eye(n), np.eye(n), np.ones(n)  # its own are not quite equal
    reference.adapt_sigma.initialize(reference)
    reference.adapt_sigma.cs = constants(n, count).c_sigma  # by the tutorial; its own has 3 in place of 5
    reference.adapt_sigma.damps = constants(n, count).d_sigma
    for number in range(60):
        reference.ask(count)  # it does not take solutions before it was asked for some
        z = noise(1, Stream.CANDIDATES, number, 1, count + 1, n).astype(np.float64)
        solutions = state.mean + state.sigma * (z * state.scales) @ state.basis.T.astype(np.float64)
        losses = np.array([objective.function(each) for each in solutions])
        reference.tell(list(solutions), list(losses), check_points=False)
        state = told(strategy, state, [Answer(np.concatenate([[0.0], losses]))])
        if state.decomposed == state.round:
            reference.sm.B, reference.sm.D = state.basis.astype(np.float64), state.scales.astype(np.float64)
        reference.sm.last_update = reference.sm.count_tell  # it decomposes when we do, of what we have
        assert state.mean == pytest.approx(reference.mean, rel=1e-6, abs=1e-6)
        assert state.sigma == pytest.approx(reference.sigma, rel=1e-6)
        assert state.path == pytest.approx(reference.pc, rel=1e-5, abs=1e-5)
        assert state.path_sigma == pytest.approx(reference.adapt_sigma.ps, rel=1e-5, abs=1e-5)
        assert state.covariance == pytest.approx(reference.sm.C, rel=1e-5, abs=1e-5 * reference.sm.C.max())
    assert gap >= 1
    assert state.scales.max() / state.scales.min() > 2  # it has learnt something to compare
