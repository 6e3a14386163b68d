"""What each built-in strategy must reach and refuse; what any strategy must do is in `distsearch.testing`."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from problems import Aliasing, create, ellipsoid_objective, network_objective, sphere_objective, told

from distsearch import strategies
from distsearch.candidates.base import Dense
from distsearch.errors import ObjectiveError, SettingError
from distsearch.objectives.base import Task
from distsearch.strategies import STRATEGIES
from distsearch.strategies.base import Answer, State, Strategy
from distsearch.strategies.population import PopulationStrategy

# The loss to reach, and in how many rounds: on a sphere of 10 weights (10 at the start), on an ellipsoid of as many
# (condition 1000; 1865 at the start), on the course's network, and on the spiral with 16 hidden neurons (ln 3 = 1.0986
# at the start, where random search stays).
TARGETS = {
    "hill-climb": {"sphere": (1e-4, 300), "ellipsoid": (1, 300), "vertical": (0.15, 300), "spiral": (1.07, 300)},
    "random-search": {"sphere": (3, 300), "ellipsoid": (150, 300), "vertical": (0.9, 300), "spiral": (1.0987, 300)},
    "annealing": {"sphere": (1e-2, 300), "ellipsoid": (5, 300), "vertical": (0.12, 300), "spiral": (1.06, 300)},
    "snes": {"sphere": (1e-8, 200), "ellipsoid": (1e-5, 200), "vertical": (0.12, 300), "spiral": (0.9, 300)},
    "evolution-strategy": {
        "sphere": (1e-2, 200),
        "ellipsoid": (5, 300),
        "vertical": (0.14, 200),
        "spiral": (0.95, 300),
    },
    "node-perturbation": {"vertical": (0.14, 200), "spiral": (0.75, 300)},
    "cma-es": {"sphere": (1e-8, 200), "ellipsoid": (1e-4, 200), "vertical": (0.12, 300), "spiral": (1.0, 300)},
}
PROBLEMS = {
    "sphere": sphere_objective,
    "ellipsoid": ellipsoid_objective,
    "vertical": network_objective,
    "spiral": lambda: network_objective("spiral", (16,)),
}


CASES = [(name, problem) for name, problems in TARGETS.items() for problem in problems]
OF_CANDIDATES = [name for name, strategy in STRATEGIES.own.items() if issubclass(strategy, PopulationStrategy)]


@pytest.fixture(params=STRATEGIES.own)
def name(request) -> str:
    return request.param


@pytest.fixture
def objective(name):
    """What the strategy is tested on: a function of ten weights, or a network for those that need one."""
    return sphere_objective() if name in OF_CANDIDATES else network_objective("digits", (5,), batch=300)


@pytest.fixture
def strategy(name, objective) -> Strategy:
    return create(name, {}, objective)


def first(strategy: Strategy, objective, seed: int = 0) -> State:
    """A first state: at zero or, for strategies that move nodes, at weights where the nodes differ."""
    zeros = np.zeros(strategy.task.weights_count, np.float32)
    return strategy.init(objective.network.start("he", seed) if strategy.sums else zeros, seed)


def search(strategy: Strategy, objective, rounds: int, state: State | None = None, seed: int = 0) -> State:
    state = first(strategy, objective, seed) if state is None else state
    for _ in range(rounds):
        state = told(strategy, state, [strategy.work(state, objective, 0, strategy.units(state))])
        if strategy.sums and state.round % 10 == 0:
            state = strategy.measured(state, objective.measure(strategy.proposed(state)).loss)
    return state


def test_every_strategy_has_a_threshold():
    assert set(TARGETS) == set(STRATEGIES.own)


@pytest.mark.parametrize(("name", "problem"), CASES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_loss_falls_to_a_stated_threshold(name, problem, seed):
    objective = PROBLEMS[problem]()
    threshold, rounds = TARGETS[name][problem]
    state = search(create(name, {}, objective), objective, rounds, seed=seed)
    assert state.best.loss <= threshold


class Downhill:
    """Nodes whose losses and gradients have the wrong sign."""

    def __init__(self, right) -> None:
        self.right = right

    def experiments(self, *given):
        experiments = self.right.experiments(*given)
        gradient, experiments.loss = experiments.gradient, -experiments.loss

        def flipped(*given):
            gradient(*given)
            np.negative(given[-1], out=given[-1])

        experiments.gradient = flipped
        return experiments


@pytest.mark.parametrize(("name", "problem"), CASES)
def test_a_flipped_sign_misses_the_threshold(name, problem):
    objective = PROBLEMS[problem]()
    threshold, rounds = TARGETS[name][problem]
    right = objective.losses
    objective.losses = lambda candidates, round_number: -right(candidates, round_number)
    if objective.nodes is not None:
        objective.nodes = Downhill(objective.nodes)
    state = search(create(name, {}, objective), objective, rounds)
    assert not float(right(Dense(state.center[np.newaxis]), 0)[0]) <= threshold


def best_weights_have_the_best_loss(strategy, objective) -> bool:
    state = search(strategy, objective, 50)
    return float(objective.losses(Dense(state.best.weights[np.newaxis]), 0)[0]) == state.best.loss


def test_the_best_weights_have_the_best_loss(name):
    objective = network_objective()
    assert best_weights_have_the_best_loss(create(name, {}, objective), objective)


def test_best_weights_that_alias_the_live_ones_would_be_caught():
    aliasing = Aliasing(create("hill-climb", {}).settings, Task(21))
    assert not best_weights_have_the_best_loss(aliasing, network_objective())


@pytest.mark.parametrize("name", OF_CANDIDATES)
def test_on_a_minibatch_the_best_is_what_was_measured(name):
    strategy = strategies.create(name, {}, Task(10, examples=100, batch=10))
    state = search(strategy, sphere_objective(), 20)
    assert state.best.loss == np.inf
    measured = strategy.measured(state, 5.0)
    assert (measured.best.loss, measured.best.round) == (5.0, 20)
    assert measured.best.weights.tobytes() == strategy.proposed(state).tobytes()
    assert search(strategy, sphere_objective(), 5, measured).best is measured.best


@pytest.mark.parametrize("batch", [None, 60])
def test_losses_that_count_errors_are_lowered_with_and_without_minibatches(name, batch):
    """The error of step neurons has no gradient anywhere; with three classes, guessing is wrong two times in three."""
    if name == "random-search" and batch:
        pytest.skip("the lowest of a round on few examples is luck, and nothing keeps it")
    objective = network_objective(activation="step", loss="classification-error", batch=batch)
    strategy = create(name, {"sigma": 0.5}, objective)
    state = search(strategy, objective, 200)
    weights = state.center if batch else state.best.weights
    assert objective.measure(weights).loss < 0.45


def test_a_strategy_is_pickled_without_the_cache_of_its_latest_round(name):
    objective = network_objective("digits", (16,))
    strategy = create(name, {}, objective)
    state = first(strategy, objective)
    strategy.work(state, objective, 0, strategy.units(state))
    assert len(pickle.dumps(strategy)) < state.center.nbytes


def test_a_round_without_a_finite_loss_ends_the_search(strategy, objective):
    state = first(strategy, objective)
    lost = [Answer(np.full(strategy.units(state), np.nan))]
    with pytest.raises(ObjectiveError, match="none of the .* has a finite loss, not even the first .*start"):
        told(strategy, state, lost)
    with pytest.raises(ObjectiveError, match=f"; try a smaller --{strategy.step}$"):
        told(strategy, replace(state, round=1), lost)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"sigma": 0.0}, "sigma: expected a number > 0"),
        ({"sigma": float("nan")}, "sigma: expected a finite number, got nan"),
        ({"sgima": 1.0}, "unknown setting 'sgima': did you mean 'sigma'"),
    ],
)
def test_invalid_settings_are_named(name, objective, settings, sentence):
    with pytest.raises(SettingError, match=sentence):
        create(name, settings, objective)


@pytest.mark.parametrize("name", OF_CANDIDATES)
@pytest.mark.parametrize("population", [None, 20, 21])
def test_the_population_is_the_number_of_candidates_each_costing_one_pass(name, objective, population):
    """One of them is the center; populations of pairs are rounded up to whole pairs."""
    strategy = create(name, {} if population is None else {"population": population}, objective)
    state, evaluated, losses = first(strategy, objective), 0, objective.losses

    def counted(candidates, round_number):
        nonlocal evaluated
        evaluated += len(candidates)
        return losses(candidates, round_number)

    objective.losses = counted
    strategy.work(state, objective, 0, strategy.units(state))
    assert evaluated == strategy.units(state) == strategy.settings.population == strategy.passes(state)
    assert population is None or evaluated == population + (strategy.mirrored and population % 2 == 0)


@pytest.mark.parametrize("name", OF_CANDIDATES)
def test_a_population_of_one_is_refused(name, objective):
    with pytest.raises(SettingError, match="population: expected a whole number >= 2, got 1"):
        create(name, {"population": 1}, objective)


def test_an_unknown_strategy_is_refused_with_the_nearest():
    with pytest.raises(SettingError, match="did you mean 'hill-climb'"):
        create("hill-clim", {})
