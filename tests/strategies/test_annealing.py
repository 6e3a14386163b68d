import math

import numpy as np
import pytest
from problems import create, told

from distsearch.objectives.base import Task
from distsearch.randomness import Stream, uniform
from distsearch.strategies import create as created
from distsearch.strategies.annealing import accepts
from distsearch.strategies.base import Answer


def state_of(strategy, seed: int = 3):
    return strategy.init(np.arange(5, dtype=np.float32), seed)


WORSE = Answer(np.array([1.0, 4.0, 2.0, 3.0]))
"""The center has the lowest loss; candidate 2 comes next, by 1."""


def test_lower_or_equal_losses_are_accepted_and_higher_ones_by_the_metropolis_rule():
    assert accepts(2.0, 1.0, 0.0, 0.999)
    assert accepts(2.0, 2.0, 0.0, 0.999)
    assert not accepts(2.0, 3.0, 0.0, 0.0)
    assert accepts(2.0, 3.0, 0.5, math.exp(-2) - 1e-9)
    assert not accepts(2.0, 3.0, 0.5, math.exp(-2) + 1e-9)
    assert accepts(math.nan, 3.0, 1.0, 0.999)
    assert not accepts(2.0, math.nan, 1.0, 0.0)
    assert not accepts(math.inf, math.inf, 1.0, 0.0)


@pytest.mark.parametrize(("temperature", "share"), [(1e-9, 0.0), (0.5, math.exp(-2)), (1.0, math.exp(-1)), (1e9, 1.0)])
def test_the_share_of_accepted_worse_rounds_follows_the_temperature(temperature, share):
    strategy = create("annealing", {"population": 4, "temperature": temperature})
    starts = [state_of(strategy, seed) for seed in range(1000)]
    moved = sum(told(strategy, state, [WORSE]).center is not state.center for state in starts)
    assert moved / 1000 == pytest.approx(share, abs=0.05)


def test_every_round_draws_its_own_random_number():
    strategy = create("annealing", {"population": 4, "temperature": 1.0, "cooling": 0.999999, "adapt": False})
    state, moves = state_of(strategy), []
    for _ in range(300):
        after = told(strategy, state, [WORSE])
        moves.append(after.center is not state.center)
        state = after
    assert np.mean(moves) == pytest.approx(math.exp(-1), abs=0.1)


@pytest.mark.parametrize(("temperature", "grows"), [(0.5, False), (1.5, True)])
def test_the_step_grows_when_many_losses_are_within_a_temperature_of_the_center(temperature, grows):
    strategy = create("annealing", {"population": 4, "temperature": temperature})
    assert (told(strategy, state_of(strategy), [WORSE]).sigma > strategy.settings.sigma) == grows


def test_the_desired_share_of_successful_steps_can_be_set():
    """One of the three others is within a temperature of 1.5."""
    strategy = create("annealing", {"population": 4, "temperature": 1.5, "wanted": 0.5, "sigma": 0.2})
    after = told(strategy, state_of(strategy), [WORSE])
    assert after.sigma == pytest.approx(0.2 * math.exp(0.3 * (1 / 3 - 0.5)))


def test_the_lowest_other_candidate_is_accepted_and_the_best_is_kept():
    strategy = create("annealing", {"population": 4, "temperature": 1e9})
    before = state_of(strategy)
    after = told(strategy, before, [WORSE])
    assert after.center.tobytes() == strategy.ask(before, 2, 3).dense()[0].tobytes()
    assert (after.best.loss, after.best.index) == (1.0, 0)


def test_at_temperature_zero_it_is_hill_climbing():
    cold = create("annealing", {"population": 16, "temperature": 1e-30})
    climb = create("hill-climb", {"population": 16})
    first, second = state_of(cold), state_of(climb)
    generator = np.random.default_rng(0)
    for _ in range(20):
        answers = [Answer(generator.normal(size=16))]
        first, second = told(cold, first, answers), told(climb, second, answers)
        assert first.center.tobytes() == second.center.tobytes()
        assert first.sigma == second.sigma


def test_the_temperature_falls_geometrically_to_its_final_share_at_the_horizon():
    strategy = create("annealing", {"horizon": 200, "cooling": 0.01})
    assert [strategy.temperature(5.0, at) for at in (0, 100, 200, 300)] == pytest.approx([5, 0.5, 0.05, 0.005])


@pytest.mark.parametrize(("settings", "rounds", "horizon"), [({}, None, 1000), ({}, 70, 70), ({"horizon": 5}, 70, 5)])
def test_the_horizon_is_the_number_of_rounds_if_known(settings, rounds, horizon):
    assert created("annealing", settings, Task(10, rounds=rounds)).settings.horizon == horizon


@pytest.mark.parametrize("unit", [1.0, 5e307, 1e-300, -1e307])
def test_the_initial_temperature_is_a_share_of_the_spread_of_the_first_losses(unit):
    strategy = create("annealing", {"population": 5})
    first = told(strategy, state_of(strategy), [Answer(unit * np.array([1.0, 3.0, 1.0, 3.0, np.nan]))])
    assert first.first_temperature == pytest.approx(0.1 * abs(unit))
    second = told(strategy, first, [Answer(unit * np.array([1.0, 3.5, 1.0, 3.5, np.nan]))])
    assert second.first_temperature == first.first_temperature


def test_a_flat_first_round_postpones_the_choice_of_temperature():
    strategy = create("annealing", {"population": 4})
    flat = told(strategy, state_of(strategy), [Answer(np.full(4, 2.0))])
    assert flat.first_temperature == 0
    assert told(strategy, flat, [WORSE]).first_temperature > 0


def test_the_random_number_is_uniform_and_a_pure_function_of_seed_and_round():
    chances = np.array([uniform(5, Stream.ACCEPTANCE, number) for number in range(4000)])
    assert chances[17] == uniform(5, Stream.ACCEPTANCE, 17)
    assert len(np.unique(chances)) == 4000
    assert uniform(6, Stream.ACCEPTANCE, 17) != chances[17] != uniform(5, Stream.BATCHES, 17)
    assert (chances >= 0).all()
    assert (chances < 1).all()
    assert np.histogram(chances, 4, (0, 1))[0] == pytest.approx([1000] * 4, abs=110)
