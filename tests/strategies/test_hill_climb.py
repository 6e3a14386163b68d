import math
from dataclasses import replace

import numpy as np
import pytest
from problems import create, told

from distsearch.randomness import Stream, noise
from distsearch.strategies.base import LARGEST_SIGMA, Answer
from distsearch.strategies.ladder import SMALLEST_SIGMA


def state_of(strategy, weights_count: int = 5):
    return strategy.init(np.arange(weights_count, dtype=np.float32), 3)


def test_candidates_are_the_center_plus_steps_of_a_ladder():
    strategy = create("hill-climb", {"population": 8, "sigma": 0.1, "ladder": 3})
    state = state_of(strategy)
    steps = strategy.ask(state, 0, 8).dense() - state.center
    drawn = noise(3, Stream.CANDIDATES, 0, 0, 8, 5)
    assert np.divide(steps[1:], drawn[1:]).mean(axis=1) == pytest.approx(
        [0.2, 0.1, 0.05, 0.2, 0.1, 0.05, 0.2], rel=1e-4
    )


def test_one_rung_without_adaptation_is_the_chapter_s_search():
    strategy = create("hill-climb", {"population": 4, "sigma": 0.05, "ladder": 1, "adapt": False})
    state = state_of(strategy)
    steps = strategy.ask(state, 0, 4).dense() - state.center
    assert steps[1:] == pytest.approx(0.05 * noise(3, Stream.CANDIDATES, 0, 1, 4, 5), abs=1e-6)
    assert told(strategy, state, [Answer(np.array([1.0, 2, 2, 2]))]).sigma == 0.05


def test_the_lowest_loss_is_accepted_if_it_beats_the_best_or_else_reverted():
    strategy = create("hill-climb", {"population": 4})
    first = state_of(strategy)
    accepted = told(strategy, first, [Answer(np.array([5.0, 4.0, 3.0, 4.5]))])
    assert (accepted.best.loss, accepted.best.round, accepted.best.index) == (3.0, 0, 2)
    assert accepted.center.tobytes() == strategy.ask(first, 2, 3).dense()[0].tobytes()
    reverted = told(strategy, accepted, [Answer(np.array([3.0, 3.5, 3.1, 4.0]))])
    assert reverted.center is accepted.center
    assert reverted.best is accepted.best
    assert reverted.round == 2


def test_a_candidate_equal_to_the_center_replaces_it_and_leaves_the_best_unchanged():
    strategy = create("hill-climb", {"population": 4})
    first = told(strategy, state_of(strategy), [Answer(np.array([3.0, 4.0, 5.0, 4.5]))])
    second = told(strategy, first, [Answer(np.array([3.0, 4.0, 3.0, 3.0]))])
    assert second.best is first.best
    assert second.center.tobytes() == strategy.ask(first, 2, 3).dense()[0].tobytes()


def test_a_non_finite_candidate_is_never_equal_to_the_center():
    strategy = create("hill-climb", {"population": 4})
    first = told(strategy, state_of(strategy), [Answer(np.array([3.0, 4.0, 5.0, 4.5]))])
    second = told(strategy, first, [Answer(np.array([3.0, np.nan, np.inf, 4.0]))])
    assert second.center is first.center


@pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf])
def test_a_center_with_the_only_finite_loss_stays(loss):
    strategy = create("hill-climb", {"population": 4})
    state = state_of(strategy)
    assert told(strategy, state, [Answer(np.array([3.0, loss, loss, loss]))]).center is state.center


@pytest.mark.parametrize("better", [0, 1, 2, 10])
@pytest.mark.parametrize("loss", [1.0, 1.5])
def test_the_step_follows_the_share_of_losses_not_above_the_center_s(better, loss):
    """It grows when more than a tenth of the others are not above it."""
    strategy = create("hill-climb", {"population": 16, "sigma": 0.2})
    losses = np.full(16, 2.0)
    losses[0], losses[1 : 1 + better] = 1.5, loss
    sigma = told(strategy, state_of(strategy), [Answer(losses)]).sigma
    assert sigma == pytest.approx(0.2 * math.exp(0.3 * (better / 15 - 0.1)))


@pytest.mark.parametrize(("bound", "others"), [(SMALLEST_SIGMA, 2.0), (LARGEST_SIGMA, 1.0)])
def test_the_step_stays_within_bounds(bound, others):
    strategy = create("hill-climb", {"population": 4})
    state = replace(state_of(strategy), sigma=bound)
    assert told(strategy, state, [Answer(np.array([1.5, others, others, others]))]).sigma == bound
