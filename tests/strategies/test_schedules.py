import math
from dataclasses import replace

import numpy as np
import pytest
from problems import create, network_objective, sphere_objective, told

from distsearch.strategies.base import Answer
from distsearch.strategies.schedules import AtPlateaus, Constant, Cosine, Plateau

BOTH = {"schedule": "plateau", "sigma_schedule": "plateau"}


def test_a_plateau_is_a_number_of_rounds_without_a_loss_lower_by_a_thousandth():
    plateau, counts = Plateau(), []
    for number, loss in enumerate([5.0, 4.0, 4.5, 3.999, 4.1, 3.9, math.nan, 3.9, 3.9, 3.9, 3.9, 1.0]):
        plateau = plateau.after(loss, number, 3)
        counts.append(plateau.count)
    assert counts == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    assert plateau == Plateau(1.0, 11, 2)


def test_with_rare_measurements_a_plateau_takes_three_of_them():
    plateau, counts = Plateau(), []
    for number, loss in enumerate([5.0, 5.0, 5.0, 5.0, 4.0, 4.0, 4.0, 4.0]):
        plateau = plateau.after(loss, 50 * number, 20)
        counts.append(plateau.count)
    assert counts == [0, 0, 0, 1, 1, 1, 1, 2]


def test_negative_and_non_finite_losses_reach_plateaus_too():
    assert Plateau(-5.0, 0).after(-5.1, 9, 3) == Plateau(-5.1, 9)
    assert Plateau(-5.0, 0, in_vain=2).after(-5.004, 9, 3) == Plateau(-5.0, 9, 1)
    assert Plateau(-5.0, 0, in_vain=2).after(-4.9, 9, 3) == Plateau(-5.0, 9, 1)
    assert Plateau().after(-math.inf, 2, 3) == Plateau(in_vain=1)
    assert Plateau(in_vain=2).after(math.nan, 3, 3) == Plateau(math.inf, 3, 1)


def test_a_cosine_schedule_is_half_a_wave():
    cosine = Cosine(8)
    assert [cosine.share(number, 0) for number in (0, 4, 8, 9)] == pytest.approx([1, 0.5, 0, 0])
    assert cosine.share(2, 0) == cosine.share(2, 5) == pytest.approx((1 + math.sqrt(0.5)) / 2)


def test_plateaus_multiply_and_a_constant_schedule_stays():
    assert [AtPlateaus(0.25).share(9, count) for count in range(3)] == [1, 0.25, 0.0625]
    assert Constant().share(9, 2) == 1


def after(strategy, state, losses: list[float]):
    """The state after rounds whose centers have these losses."""
    units = strategy.units(state)
    for loss in losses:
        state = told(strategy, state, [Answer(np.linspace(loss, loss + 1, units))])
    return state


def test_a_plateau_shortens_the_next_step_and_reduces_the_noise():
    chosen = {"optimizer": "momentum", "rate": 100.0, "sigma": 0.2, "plateau_rounds": 2, "plateau_factor": 0.25}
    constant, plateau = (create("evolution-strategy", {**chosen, **settings}) for settings in ({}, BOTH))
    start = np.zeros(10, np.float32)
    usual, shorter = (after(each, each.init(start, 0), [3.0, 3.0]) for each in (constant, plateau))
    assert shorter.center.tobytes() == usual.center.tobytes()
    assert (shorter.sigma, shorter.plateau) == (0.2, Plateau(3.0, 0, in_vain=1))
    usual_next, shorter_next = after(constant, usual, [3.0]), after(plateau, shorter, [3.0])
    change = shorter_next.center - shorter.center
    assert change == pytest.approx(0.25 * (usual_next.center - usual.center), abs=1e-6)
    assert np.abs(change).max() > 1e-2
    assert (usual_next.sigma, shorter_next.sigma) == (0.2, 0.05)
    noise = [strategy.ask(state, 1, 3).dense() for strategy, state in ((constant, usual_next), (plateau, shorter_next))]
    assert noise[1][0] - noise[1][1] == pytest.approx(0.25 * (noise[0][0] - noise[0][1]), abs=1e-6)


def test_a_cosine_schedule_is_evaluated_at_the_round_of_the_step_and_of_the_noise():
    chosen = {"optimizer": "momentum", "rate": 100.0, "sigma": 0.2, "horizon": 4}
    constant, steps, noise = (
        create("evolution-strategy", {**chosen, **settings})
        for settings in ({}, {"schedule": "cosine"}, {"sigma_schedule": "cosine"})
    )
    start = np.zeros(10, np.float32)
    usual, shorter = (after(each, each.init(start, 0), [3.0]) for each in (constant, steps))
    assert shorter.center.tobytes() == usual.center.tobytes()  # it is 1 in round 0
    change = after(steps, shorter, [3.0]).center - shorter.center
    assert change == pytest.approx(
        Cosine(4).share(1, 0) * (after(constant, usual, [3.0]).center - usual.center), abs=1e-5
    )
    assert np.abs(change).max() > 1e-2
    state, sigmas = noise.init(start, 0), []
    for _ in range(4):
        sigmas.append(state.sigma)
        state = after(noise, state, [3.0])
    assert sigmas == pytest.approx([0.2 * Cosine(4).share(number, 0) for number in range(4)])


def test_while_the_loss_falls_nothing_else_does():
    strategy = create("evolution-strategy", {**BOTH, "plateau_rounds": 1})
    state = after(strategy, strategy.init(np.zeros(10, np.float32), 0), [9.0, 8.0, 7.0, 6.0])
    assert (state.sigma, state.plateau.count) == (strategy.settings.sigma, 0)


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_the_step_size_falls_to_a_tenth_and_no_further(schedule):
    chosen = {"sigma": 0.5, "sigma_schedule": schedule, "horizon": 20, "plateau_rounds": 1}
    strategy = create("evolution-strategy", chosen)
    state, sigmas = strategy.init(np.zeros(10, np.float32), 0), []
    for _ in range(30):
        state = after(strategy, state, [1.0])
        sigmas.append(state.sigma)
    assert sigmas == sorted(sigmas, reverse=True)
    assert 0.05 < sigmas[1] < 0.5
    assert sigmas[-1] == 0.05


@pytest.mark.parametrize("name", ["evolution-strategy", "node-perturbation"])
def test_on_minibatches_only_the_measured_loss_makes_plateaus(name):
    objective = network_objective("iris", (4,), batch=32)
    strategy = create(name, {**BOTH, "plateau_rounds": 2, "sigma": 0.2}, objective)
    state = strategy.init(objective.network.start("he", 0), 0)
    for _ in range(6):
        state = told(strategy, state, [strategy.work(state, objective, 0, strategy.units(state))])
    assert state.plateau == Plateau()
    first = strategy.measured(state, 2.0)
    assert (first.plateau, first.sigma) == (Plateau(2.0, 6), 0.2)
    once = strategy.measured(replace(first, round=8), 2.1)
    assert (once.plateau, once.sigma) == (Plateau(2.0, 6, in_vain=1), 0.2)
    twice = strategy.measured(replace(once, round=10), 2.1)
    assert (twice.plateau, twice.sigma) == (Plateau(2.0, 10, 1), 0.1)
    assert twice.best is first.best


def test_plateaus_rescue_a_learning_rate_that_is_too_high():
    objective = sphere_objective()
    lowest = {}
    for schedule in ("constant", "plateau"):
        chosen = {"rate": 0.5, "schedule": schedule, "plateau_rounds": 10}
        strategy = create("evolution-strategy", chosen, objective)
        state = strategy.init(np.zeros(10, np.float32), 0)
        for _ in range(300):
            state = told(strategy, state, [strategy.work(state, objective, 0, strategy.units(state))])
        lowest[schedule] = float(objective.losses(strategy.ask(state, 0, 1), 0)[0])
    assert lowest["plateau"] < 0.1 * lowest["constant"]
