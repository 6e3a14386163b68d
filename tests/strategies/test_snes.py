from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from problems import create, told

from distsearch.objectives.base import Task
from distsearch.objectives.function import FunctionObjective
from distsearch.randomness import Stream, noise
from distsearch.strategies import create as created
from distsearch.strategies.base import LARGEST_SIGMA, NOISE_RANGE, Answer
from distsearch.strategies.snes import SMALLEST_SIGMA, utilities
from distsearch.strategies.sums import merge, total


def test_the_utilities_match_the_paper():
    """By hand for λ = 4: ln 3 − ln i is 1.0986, 0.4055, 0, −0.2877; the negative one counts nothing."""
    assert utilities(4) == pytest.approx([1.0986 / 1.5041 - 0.25, 0.4055 / 1.5041 - 0.25, -0.25, -0.25], abs=1e-4)
    assert utilities(16).sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("population", "tried"), [(2, 3), (3, 3), (32, 33), (33, 33)])
def test_the_population_is_the_center_plus_whole_pairs(population, tried):
    strategy = create("snes", {"population": population})
    assert strategy.units(strategy.init(np.zeros(10, np.float32), 0)) == strategy.settings.population == tried


def test_candidates_are_mirrored_pairs_with_a_step_size_for_every_weight():
    strategy, state = stretched()
    steps = strategy.ask(state, 0, 9).dense() - state.center
    drawn = noise(3, Stream.CANDIDATES, 0, 0, 4, 5)
    assert not steps[0].any()
    assert steps[1::2] == pytest.approx(state.sigmas * drawn, abs=1e-5)
    assert steps[2::2] == pytest.approx(-state.sigmas * drawn, abs=1e-5)


def stretched(population: int = 9):
    """A strategy for five weights and its first state, but with unequal step sizes."""
    strategy = created("snes", {"population": population}, Task(5))
    state = strategy.init(np.arange(5, dtype=np.float32), 3)
    return strategy, replace(state, sigmas=np.array([0.1, 0.2, 0.4, 0.8, 1.6], np.float32))


@pytest.mark.parametrize("population", [9, 101])
def test_a_round_is_the_update_of_the_paper(population):
    """Algorithm 6 of Wierstra et al. 2014, written down with every candidate's own noise."""
    strategy, state = stretched(population)
    losses = np.random.default_rng(0).normal(size=population)
    after = told(strategy, state, [Answer(losses)])

    pairs = (population - 1) // 2
    drawn = noise(3, Stream.CANDIDATES, 0, 0, pairs, 5).astype(np.float64)
    s = np.stack([drawn, -drawn], axis=1).reshape(-1, 5)  # (λ, n), in the order of the candidates
    u = np.empty(population - 1)
    u[np.argsort(losses[1:])] = utilities(population - 1)
    eta_sigma = (3 + np.log(5)) / (5 * np.sqrt(5))
    assert after.center == pytest.approx(state.center + state.sigmas * (u @ s), rel=1e-5)
    assert after.sigmas == pytest.approx(state.sigmas * np.exp(eta_sigma / 2 * (u @ (s**2 - 1))), rel=1e-5)
    assert after.sigma == pytest.approx(np.exp(np.log(after.sigmas).mean()))


def test_sums_over_noise_do_not_depend_on_how_the_range_is_split():
    strategy, state = stretched(2 * 5 * NOISE_RANGE + 1)
    coefficients = np.random.default_rng(0).normal(size=(5 * NOISE_RANGE, 2)).astype(np.float32)
    whole = strategy.weighted_noise(state, coefficients)
    parts = [strategy.noise_sums(state, coefficients, lo, hi) for lo, hi in pairwise([0, 1, 4, 5])]
    assert whole.shape == (2, 5)
    assert total(merge(subtree for part in parts for subtree in part)).tobytes() == whole.tobytes()


def test_the_step_size_shrinks_where_the_curvature_is_high():
    curvature = np.array([1.0, 1e4])
    objective = FunctionObjective(lambda weights: float(curvature @ np.square(weights - 1.0)), 2)
    strategy = create("snes", {}, objective)
    state = strategy.init(np.zeros(2, np.float32), 0)
    for _ in range(40):
        state = told(strategy, state, [strategy.work(state, objective, 0, strategy.units(state))])
    assert state.sigmas[0] / state.sigmas[1] == pytest.approx(100, rel=0.9)  # √10⁴


def test_equal_losses_move_nothing():
    strategy, state = stretched()
    after = told(strategy, state, [Answer(np.full(9, 2.0))])
    assert after.center == pytest.approx(state.center, abs=1e-6)
    assert after.sigmas == pytest.approx(state.sigmas, rel=1e-6)


@pytest.mark.parametrize(("bound", "best"), [(SMALLEST_SIGMA, np.argmin), (LARGEST_SIGMA, np.argmax)])
def test_step_sizes_stay_within_bounds(bound, best):
    """The lowest losses are those of the pair with the smallest steps, or with the largest."""
    strategy, state = stretched()
    state = replace(state, sigmas=np.full(5, bound, np.float32))
    lengths = np.square(strategy.noise(state, 0, 4)).sum(axis=1)
    losses = np.full(9, 2.0)
    losses[1 + 2 * best(lengths) :][:2] = 1.0
    after = told(strategy, state, [Answer(losses)])
    assert after.sigmas.min() * (1 + 1e-6) >= SMALLEST_SIGMA
    assert after.sigmas.max() <= LARGEST_SIGMA
    assert (after.sigmas == np.float32(bound)).any()


def test_the_first_step_has_the_same_length_in_any_network():
    assert created("snes", {}, Task(100)).settings.sigma == pytest.approx(0.3)
    assert created("snes", {"sigma": 0.7}, Task(100)).settings.sigma == 0.7
