"""What every strategy must do, whichever it is."""

from itertools import pairwise

import numpy as np
import pytest
from problems import create, network_objective, sphere_objective, told

from distsearch.candidates import Dense, Space
from distsearch.checkpoints import flatten, unflatten
from distsearch.errors import ObjectiveError, SettingError
from distsearch.strategies import STRATEGIES
from distsearch.strategies.base import Answer, Best, State, Strategy
from distsearch.strategies.hill_climb import HillClimb

# Loss to be reached on a sphere of 10 weights (10 at the start) and on the course's network, and the rounds for it.
TARGETS = {
    "hill-climb": {"sphere": (1e-4, 300), "vertical": (0.15, 300)},
    "random-search": {"sphere": (3.0, 300), "vertical": (0.9, 300)},
    "annealing": {"sphere": (1e-2, 300), "vertical": (0.15, 300)},
    "snes": {"sphere": (1e-4, 300), "vertical": (0.15, 300)},
    "cma-es": {"sphere": (1e-4, 300), "vertical": (0.15, 300)},
}


@pytest.fixture(params=STRATEGIES)
def strategy(request) -> Strategy:
    return create(request.param, {})


def search(strategy: Strategy, objective, rounds: int, state: State | None = None, seed: int = 0) -> State:
    if state is None:
        state = strategy.init(np.zeros(objective.space.weights_count, np.float32), seed)
    for _ in range(rounds):
        state = told(strategy, state, [strategy.work(state, objective, 0, strategy.units(state))])
    return state


def bytes_of(state: State) -> dict[str, bytes]:
    tensors, scalars = flatten(state)
    return {name: value.tobytes() for name, value in tensors.items()} | {
        name: repr(value).encode() for name, value in scalars.items()
    }


@pytest.mark.parametrize("problem", ["sphere", "vertical"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_loss_falls_to_a_stated_threshold(strategy, problem, seed):
    objective = sphere_objective() if problem == "sphere" else network_objective()
    threshold, rounds = TARGETS[strategy.name][problem]
    state = search(strategy, objective, rounds, seed=seed)
    assert state.best.loss <= threshold


@pytest.mark.parametrize("problem", ["sphere", "vertical"])
def test_a_flipped_sign_misses_the_threshold(strategy, problem):
    objective = sphere_objective() if problem == "sphere" else network_objective()
    threshold, rounds = TARGETS[strategy.name][problem]
    right = objective.losses
    objective.losses = lambda candidates, round_number: -right(candidates, round_number)
    state = search(strategy, objective, rounds)
    assert float(right(Dense(state.center[np.newaxis]), 0)[0]) > threshold


def best_weights_have_the_best_loss(strategy) -> bool:
    objective = network_objective()
    state = search(strategy, objective, 50)
    return float(objective.losses(Dense(state.best.weights[np.newaxis]), 0)[0]) == state.best.loss


def test_the_best_weights_have_the_best_loss(strategy):
    assert best_weights_have_the_best_loss(strategy)


def test_best_weights_that_alias_the_live_ones_would_be_caught():
    """The chapter's script: `best = weights` keeps no copy, `weights += step` moves both, and nothing ever reverts."""

    class Aliasing(HillClimb):
        def init(self, weights, seed):
            live = weights.copy()
            return State(seed, 0, live, 0.05, Best(live, np.inf, 0, 0))

        def ask(self, state, lo, hi):
            candidates = super().ask(state, lo, hi)
            state.center[:] = candidates.weights[-1]
            return candidates

        def weights_of(self, state, index):
            return state.center

    assert not best_weights_have_the_best_loss(Aliasing(create("hill-climb", {}).settings, Space(21)))


def test_any_split_of_ask_equals_the_whole(strategy):
    state = search(strategy, sphere_objective(), 3)
    units = strategy.units(state)
    whole = strategy.ask(state, 0, units).dense()
    assert whole.shape == (units, 10)
    assert np.isfinite(whole).all()
    for cut in (1, units // 3, units - 1):
        parts = strategy.ask(state, 0, cut).dense(), strategy.ask(state, cut, units).dense()
        assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_candidate_0_is_the_center_and_all_others_differ(strategy):
    state = search(strategy, sphere_objective(), 3)
    weights = strategy.ask(state, 0, strategy.units(state)).dense()
    assert weights[0].tobytes() == state.center.tobytes()
    assert len(np.unique(weights, axis=0)) == len(weights)


def test_ask_work_and_tell_are_pure(strategy):
    objective = sphere_objective()
    state = search(strategy, objective, 3)
    before = bytes_of(state)
    first = strategy.work(state, objective, 0, strategy.units(state))
    second = strategy.work(state, objective, 0, strategy.units(state))
    assert first.losses.tobytes() == second.losses.tobytes()
    assert bytes_of(told(strategy, state, [first])) == bytes_of(told(strategy, state, [second]))
    assert bytes_of(state) == before


def test_the_answers_may_come_in_any_number_of_parts(strategy):
    objective = sphere_objective()
    state = search(strategy, objective, 3)
    units = strategy.units(state)
    whole = told(strategy, state, [strategy.work(state, objective, 0, units)])
    cuts = [0, 1, units // 2, units]
    parts = [strategy.work(state, objective, lo, hi) for lo, hi in pairwise(cuts)]
    assert bytes_of(told(strategy, state, parts)) == bytes_of(whole)


def test_a_stored_state_goes_on_as_if_it_had_never_been_stored(strategy):
    objective = sphere_objective()
    half = search(strategy, objective, 10)
    stored = unflatten(type(half), *flatten(half))
    assert bytes_of(search(strategy, objective, 10, stored)) == bytes_of(search(strategy, objective, 20))


def test_kept_weights_cannot_be_written_to_and_later_rounds_leave_them_alone(strategy):
    """The chapter's script fails this: its best weights are the live ones, so that it never goes back."""
    objective = sphere_objective()
    start = np.zeros(10, np.float32)
    state = strategy.init(start, 0)
    start += 1
    assert not state.center.any()
    state = search(strategy, objective, 10, state)
    kept = state.best.weights.copy()
    with pytest.raises(ValueError, match="read-only"):
        state.best.weights += 1
    search(strategy, objective, 10, state)
    assert state.best.weights.tobytes() == kept.tobytes()


def test_a_candidate_without_a_finite_loss_never_wins(strategy):
    state = strategy.init(np.zeros(10, np.float32), 0)
    units = strategy.units(state)
    losses = np.full(units, 7.0)
    losses[1], losses[2], losses[3], losses[5] = np.nan, np.inf, -np.inf, 3.0
    best = told(strategy, state, [Answer(losses)]).best
    assert (best.loss, best.index) == (3.0, 5)


def test_a_round_without_a_finite_loss_ends_the_search(strategy):
    state = strategy.init(np.zeros(10, np.float32), 0)
    with pytest.raises(ObjectiveError, match="none of the .* candidates has a finite loss"):
        told(strategy, state, [Answer(np.full(strategy.units(state), np.nan))])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"population": 1}, "population: expected a whole number >= 2, got 1"),
        ({"sigma": 0.0}, "sigma: expected a number > 0"),
        ({"sigma": float("nan")}, "sigma: expected a finite number, got nan"),
        ({"sgima": 1.0}, "unknown setting 'sgima': did you mean 'sigma'"),
    ],
)
def test_settings_that_do_not_fit_are_named(strategy, settings, sentence):
    with pytest.raises(SettingError, match=sentence):
        create(strategy.name, settings)


def test_an_unknown_strategy_is_refused_with_the_nearest():
    with pytest.raises(SettingError, match="did you mean 'hill-climb'"):
        create("hill-clim", {})
