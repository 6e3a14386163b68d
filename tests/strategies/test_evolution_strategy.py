import numpy as np
import pytest
from problems import create, network_objective, sphere_objective, told

from distsearch.candidates.blocks import Block
from distsearch.candidates.pairs import LowRank
from distsearch.errors import SettingError
from distsearch.objectives.base import Task
from distsearch.strategies import create as created
from distsearch.strategies.base import Answer
from distsearch.strategies.ranks import by_rank


@pytest.mark.parametrize("rank", [0, 1, 3])
def test_the_gradient_is_the_sum_of_the_noise_weighted_by_ranks(rank):
    """Plain momentum's first step is a tenth of rate times gradient: it shows the gradient."""
    objective = network_objective("iris", (8,))
    chosen = {"population": 41, "rank": rank, "sigma": 0.2, "optimizer": "momentum", "rate": 10.0}
    strategy = create("evolution-strategy", chosen, objective)
    state = strategy.init(objective.network.start("he", 0), 0)
    losses = np.random.default_rng(0).normal(size=41)
    steps = (strategy.ask(state, 1, 41).dense() - state.center).astype(np.float64) / 0.2
    gradient = by_rank(losses[1:], np.linspace(-0.5, 0.5, 40)) @ steps / (40 * 0.2)
    after = told(strategy, state, [Answer(losses)])
    assert state.center - after.center == pytest.approx(gradient, abs=2e-5)


def test_pairs_are_mirrored_around_the_center():
    strategy = create("evolution-strategy", {"population": 7})
    state = strategy.init(np.ones(10, np.float32), 0)
    assert strategy.units(state) == 7
    steps = strategy.ask(state, 0, 7).dense() - state.center
    assert not steps[0].any()
    assert steps[1::2] == pytest.approx(-steps[2::2], abs=1e-6)


def test_the_rank_is_chosen_by_the_size_of_the_network():
    assert create("evolution-strategy", {}, network_objective("spiral", (64,))).settings.rank == 0
    wide = create("evolution-strategy", {}, network_objective("digits", (32,)))
    assert wide.settings.rank == 1
    state = wide.init(np.zeros(wide.task.weights_count, np.float32), 0)
    assert isinstance(wide.ask(state, 1, 5), LowRank)


@pytest.mark.parametrize(("inputs", "rank"), [(98, 0), (99, 1)])
def test_noise_is_of_low_rank_from_a_thousand_weights_on(inputs, rank):
    block = Block(0, 10, inputs + 1)
    task = Task(block.size, (block,), examples=30, batch=30)
    assert created("evolution-strategy", {}, task).settings.rank == rank


@pytest.mark.parametrize(("weights", "rate"), [(10, 0.05), (2500, 0.03), (10**6, 0.005)])
def test_the_learning_rate_falls_within_bounds_with_the_number_of_weights(weights, rate):
    assert created("evolution-strategy", {}, Task(weights)).settings.rate == pytest.approx(rate)


@pytest.mark.parametrize("rank", [0, 1])
def test_low_rank_pairs_do_not_include_the_center(rank):
    objective = network_objective("digits", (32,))
    strategy = create("evolution-strategy", {"population": 201, "rank": rank}, objective)
    boundaries = strategy.boundaries(strategy.init(objective.network.start("he", 0), 0), objective)
    assert (boundaries[1] == 1) == (rank > 0)
    assert all(at % 2 for at in boundaries[1:])
    assert boundaries[-1] == 201


@pytest.mark.parametrize(
    ("settings", "objective", "sentence"),
    [
        ({"rank": 1}, sphere_objective(), "expected 0 for a function, which has no layers, got 1"),
        (
            {"rank": 99},
            network_objective("iris", (8,)),
            "expected at most 5, the largest layer's full rank, got 99",
        ),
    ],
)
def test_an_impossible_rank_is_refused(settings, objective, sentence):
    with pytest.raises(SettingError, match=sentence):
        create("evolution-strategy", settings, objective)


def test_low_rank_noise_learns_as_dense_noise_does():
    objective = network_objective("digits", (32,))
    losses = {}
    for rank in (0, 1):
        strategy = create("evolution-strategy", {"rank": rank}, objective)
        state = strategy.init(objective.network.start("he", 0), 0)
        for _ in range(40):
            state = told(strategy, state, [strategy.work(state, objective, 0, strategy.units(state))])
        losses[rank] = state.best.loss
        again = objective.measure(state.best.weights).loss
        assert again == state.best.loss
    assert max(losses.values()) < 0.9  # 2.5 at first
