from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import create, network_objective, sphere_objective, told

from distsearch import strategies
from distsearch.candidates.base import Dense
from distsearch.candidates.blocks import NodeLayer
from distsearch.data import datasets
from distsearch.errors import SettingError
from distsearch.networks.kinds import dense_network
from distsearch.objectives import losses
from distsearch.objectives.network import NetworkObjective, task_of
from distsearch.randomness import Stream, noise
from distsearch.strategies.base import losses_of
from distsearch.strategies.node_parts import Parts
from distsearch.strategies.node_perturbation import NodePerturbation, NodePerturbationSettings
from distsearch.strategies.sums import total
from distsearch.testing import STRATEGY_CHECKS


def searched(objective, rounds: int, seed: int = 0, **settings):
    strategy = create("node-perturbation", settings, objective)
    state = strategy.init(objective.network.start("he", seed), seed)
    for _ in range(rounds):
        state = told(strategy, state, [strategy.work(state, objective, 0, strategy.units(state))])
    return strategy, state


@pytest.mark.parametrize(
    ("activation", "loss", "accuracy"),
    [("relu", "cross-entropy", 0.99), ("step", "cross-entropy", 0.97), ("relu", "classification-error", 0.7)],
)
def test_it_trains_networks_without_gradients(activation, loss, accuracy):
    objective = network_objective("digits", (32,), activation, loss, batch=256)
    strategy, state = searched(objective, 250)
    assert objective.measure(strategy.proposed(state)).accuracy > accuracy


@pytest.mark.parametrize(("activation", "blurred"), [("tanh", 0.3), ("relu", 0.3), ("step", 0.03)])
def test_a_regression_uses_the_blur_that_suits_the_activation(activation, blurred):
    features = noise(0, Stream.DATA, 0, 0, 256, 2)
    waves = datasets.from_arrays(features, np.sin(2 * features[:, 0]) * features[:, 1], numbers=True)
    network = dense_network(2, (16,), 1, activation)
    objective = NetworkObjective.of(waves, network, losses.create("mean-squared-error"))

    def left(**settings: float) -> float:
        """The loss after 400 rounds, summed over three starts."""
        ends = [searched(objective, 400, seed, rate=0.1, **settings) for seed in range(3)]
        return sum(objective.measure(strategy.proposed(state)).loss for strategy, state in ends)

    assert left() < 0.9 * left(sigma=blurred)


def passes_of_a_round(objective, **settings) -> float:
    strategy = create("node-perturbation", settings, objective)
    return strategy.passes(strategy.init(objective.network.start("he", 0), 0))


@pytest.mark.parametrize(
    ("hidden", "passes"),
    [
        ((), 4.0 + 3 * 60 * 3 / (3 * 5)),
        ((5,), 4.0 + (5 + 3) * 60 * 3 / (5 * 5 + 3 * 6)),
        ((5, 6), 4.0 + (5 * (3 * 7 + 60 * (6 + 3)) + (6 + 3) * 60 * 3) / (5 * 5 + 6 * 6 + 3 * 7)),
    ],
)
def test_a_round_costs_more_the_more_layers_are_above_a_node(hidden, passes):
    objective = network_objective("iris", hidden)
    assert passes_of_a_round(objective) == pytest.approx(passes)


def test_a_round_costs_less_in_groups():
    objective = network_objective("iris", (5,))
    cost = 60 * 3 / (5 * 5 + 3 * 6)
    for groups, moved in ((4, 3 + 3), (3, 3 + 3), (2, 2 + 2), (1, 1 + 1)):  # 5 nodes two by two are 3 groups
        assert passes_of_a_round(objective, groups=groups) == pytest.approx(4.0 + moved * cost)


def test_a_small_network_s_unit_is_a_slice_of_the_batch_answering_a_mean_loss_and_one_sum():
    objective = network_objective("digits", (8,), batch=300)
    strategy = create("node-perturbation", {}, objective)
    state = strategy.init(objective.network.start("he", 0), 0)
    assert strategy.units(state) == 3
    answer = strategy.work(state, objective, 0, 3)
    assert [part[:2] for part in answer.sums] == [(1, 0), (0, 2)]
    whole = objective.losses(Dense(state.center[np.newaxis]), 0)[0]
    assert np.average(answer.losses, weights=[128, 128, 44]) == pytest.approx(whole, rel=1e-5)


SHARED = [((1024,), 64), ((128,), 16), ((256, 256), 64), ((), 2)]


@pytest.mark.parametrize(("hidden", "units"), SHARED)
def test_a_round_has_units_for_as_many_workers_as_pay(hidden, units):
    network = dense_network(784, hidden, 10, "relu")
    task = task_of(network, losses.create("cross-entropy"), 60_000, 256)
    strategy = strategies.create("node-perturbation", {}, task)
    assert strategy.units(strategy.init(network.start("he", 0), 0)) == units


def test_parts_of_the_nodes_cost_about_the_same_and_cover_all_weights_in_whole_groups():
    layers = NodeLayer(1000, 5_000.0, 785), NodeLayer(10, 600.0, 1001)
    parts = Parts.of(layers, groups=128)  # groups of 8 nodes, and single outputs
    assert len(parts) == 32
    assert (parts.moves[0], parts.moves[-1], parts.weights[0], parts.weights[-1]) == (0, 1010, 0, 785_000 + 10_010)
    assert all(end % 8 == 0 for end in parts.moves if end <= 1000)
    whole = [hi - lo for lo, hi in pairwise(parts.moves) if hi <= 1000]
    assert max(whole) - min(whole) <= 8
    assert [785 * end for end in parts.moves if end <= 1000] == list(parts.weights[: len(whole) + 1])


@given(cuts=st.sets(st.integers(1, 47)))
@settings(deadline=None, max_examples=20)
def test_any_division_of_the_units_gives_the_same_bits(cuts):
    """Two slices and part of a third, each in sixteen parts: some answers begin or end within a slice."""
    objective = network_objective("digits", (64, 64), batch=300)
    strategy = create("node-perturbation", {}, objective)
    state = strategy.init(objective.network.start("he", 0), 0)
    assert strategy.units(state) == 48
    whole = strategy.work(state, objective, 0, 48)
    answers = [strategy.work(state, objective, lo, hi) for lo, hi in pairwise([0, *sorted(cuts), 48])]
    assert told(strategy, state, answers).center.tobytes() == told(strategy, state, [whole]).center.tobytes()
    assert losses_of(answers).tobytes() == whole.losses.tobytes()


def test_a_step_goes_against_the_mean_gradient_of_the_examples_of_the_round():
    objective = network_objective("digits", (8,), batch=300)
    chosen = {"optimizer": "momentum", "rate": 1.0, "decay": 0.0}
    strategy = create("node-perturbation", chosen, objective)
    state = strategy.init(objective.network.start("he", 0), 0)
    answer = strategy.work(state, objective, 0, 3)
    gradient = total(answer.sums).astype(np.float64) / 300
    assert told(strategy, state, [answer]).center == pytest.approx(state.center - 0.1 * gradient, abs=1e-6)


@pytest.mark.parametrize(
    ("hidden", "settings", "rate"),
    [
        ((32,), {}, 0.28 / 33**0.5),
        ((32, 8), {}, 0.28 / (33 * 2) ** 0.5),
        ((32,), {"activation": "step"}, 0.3 * 0.28 / 33**0.5),
        ((32,), {"loss": "classification-error"}, 0.3 * 0.28 / 33**0.5),
        ((), {}, 0.1),
    ],
)
def test_the_learning_rate_falls_with_width_and_depth_and_where_losses_jump(hidden, settings, rate):
    """32 neurons and a bias are the most inputs of any node; the data has four."""
    objective = network_objective("iris", hidden, **settings)
    assert create("node-perturbation", {}, objective).settings.rate == pytest.approx(rate)


@pytest.mark.parametrize(
    ("loss", "examples", "batch", "validated", "decay"),
    [
        ("cross-entropy", 60_000, 256, True, 0.03),
        ("cross-entropy", 134, 60, True, 0.05),  # twice as many as weights
        ("cross-entropy", 60, 20, True, 0.1),
        ("cross-entropy", 60, 20, False, 0.03),
        ("mean-squared-error", 1_000, 256, False, 0.03),
        ("mean-squared-error", 20_000, 256, True, 0.005),
        ("cross-entropy", 200, 200, True, 0.0),
    ],
)
def test_weights_decay_where_rounds_see_minibatches(loss, examples, batch, validated, decay):
    network = dense_network(4, (8,), 3, "relu")
    task = task_of(network, losses.create(loss), examples, batch, validated=validated)
    chosen = NodePerturbation.resolve(NodePerturbationSettings(), task)
    assert chosen.decay == pytest.approx(decay)
    assert (chosen.decay_growth is not None) == (validated and decay > 0)
    assert NodePerturbation.resolve(NodePerturbationSettings(decay=0.5), task).decay == 0.5


@pytest.mark.parametrize(
    ("activation", "loss", "sigma"),
    [
        ("relu", "cross-entropy", 0.3),
        ("step", "cross-entropy", 0.6),
        ("relu", "classification-error", 1.0),
        ("relu", "mean-squared-error", 0.03),
        ("sign", "mean-squared-error", 0.3),
    ],
)
def test_nodes_are_moved_further_where_losses_jump(activation, loss, sigma):
    objective = network_objective("iris", (4,), activation, loss)
    assert create("node-perturbation", {}, objective).settings.sigma == sigma


def test_the_mean_of_the_centers_is_measured_and_kept():
    objective = network_objective("iris", (4,))
    strategy = create("node-perturbation", {"average": 0.5}, objective)
    state = strategy.init(objective.network.start("he", 0), 0)
    mean = state.center
    for count in range(1, 6):
        state = told(strategy, state, [strategy.work(state, objective, 0, strategy.units(state))])
        memory = min(0.5, count / (count + 9))
        mean = mean * memory + state.center * (1 - memory)
        assert strategy.proposed(state) == pytest.approx(mean, abs=1e-5)
    measured = strategy.measured(state, 0.25)
    assert measured.best.weights.tobytes() == strategy.proposed(state).tobytes()
    assert (measured.best.loss, measured.best.round) == (0.25, 5)
    assert strategy.measured(measured, 0.3) is strategy.measured(measured, 0.25) is measured


@pytest.mark.parametrize("bad", [np.inf, np.nan, -np.inf])
def test_an_example_whose_loss_is_no_number_moves_no_weights(bad):
    """Of 300 examples in two slices one is broken: the step is that of the others."""

    class Breaking(losses.LOSSES.find("mean-squared-error")):
        broken = True

        def each(self, outputs, targets):
            found = super().each(outputs, targets)
            if self.broken:
                found[:, targets[0] > 90] = bad
            return found

    features = noise(3, Stream.DATA, 0, 0, 200, 2)
    targets = features[:, 0].copy()
    targets[0] = 99
    data = datasets.from_arrays(features, targets, numbers=True, degree=None)
    objective = NetworkObjective.of(data, dense_network(2, (4,), 1, "tanh"), Breaking())
    _, state = searched(objective, 3)
    assert np.isfinite(state.center).all()
    assert np.isfinite(state.moments.second).all()
    assert not np.array_equal(state.center, objective.network.start("he", 0))


def test_the_loss_of_a_round_s_center_is_that_of_all_its_examples():
    objective = network_objective("digits", (8,), batch=300)
    strategy = create("node-perturbation", {}, objective)
    state = strategy.init(objective.network.start("he", 0), 0)
    found = losses_of([strategy.work(state, objective, 0, strategy.units(state))])
    center = objective.losses(Dense(state.center[np.newaxis]), 0)[0]
    assert strategy.center_loss(found) == pytest.approx(center, rel=1e-6)
    assert found[0] != pytest.approx(center, rel=1e-3)
    replicas = create("node-perturbation", {"replicas": 1, "local_rounds": 2}, objective)
    apart = replicas.work(replicas.init(state.center, 0), objective, 0, 1).losses[0]
    following = told(strategy, state, [strategy.work(state, objective, 0, strategy.units(state))])
    second = objective.losses(Dense(following.center[np.newaxis]), 1)[0]
    assert apart == pytest.approx((center + second) / 2, rel=1e-6)


def test_only_the_center_is_sent_to_the_workers():
    objective = network_objective("digits", (8,), batch=300)
    strategy, state = searched(objective, 2)
    sent = strategy.outgoing(state)
    assert sent.average.size == sent.best.weights.size == sent.moments.first.size == 0
    expected = strategy.work(state, objective, 1, 3)
    found = strategy.work(sent, objective, 1, 3)
    assert found.losses.tobytes() == expected.losses.tobytes()
    assert found.sums[0].vector.tobytes() == expected.sums[0].vector.tobytes()


def test_a_function_has_no_nodes():
    with pytest.raises(SettingError, match="moves the nodes of a network: use another strategy for a function"):
        create("node-perturbation", {}, sphere_objective())


def apart(objective, rounds: int, **settings):
    return searched(objective, rounds, **settings)[1]


def test_one_replica_equals_as_many_plain_rounds():
    objective = network_objective("digits", (8,), batch=100)
    alone, plain = apart(objective, 3, local_rounds=4), apart(objective, 12)
    assert alone.round == 3
    assert alone.center.tobytes() == plain.center.tobytes()
    assert alone.moments.second.tobytes() == plain.moments.second.tobytes()


def test_replicas_see_their_own_batches_and_are_averaged_in_order():
    objective = network_objective("digits", (8,), batch=100)
    strategy, state = searched(objective, 2, replicas=3, local_rounds=2)
    assert strategy.units(state) == 3
    ends = [strategy.work(state, objective, number, number + 1) for number in range(3)]
    rows = [total(answer.sums) for answer in ends]
    assert len({row.tobytes() for row in rows}) == 3
    after = told(strategy, state, ends)
    weights, first, second = (rows[0] + rows[1] + rows[2]) * np.float32(1 / 3)
    assert after.center.tobytes() == weights.tobytes()
    assert (after.moments.first.tobytes(), after.moments.second.tobytes()) == (first.tobytes(), second.tobytes())
    whole = told(strategy, state, [strategy.work(state, objective, 0, 3)])
    assert whole.center.tobytes() == after.center.tobytes()
    sent = strategy.outgoing(state)
    assert total(strategy.work(sent, objective, 0, 1).sums).tobytes() == rows[0].tobytes()


def test_replicas_learn_and_cost_as_much_as_their_rounds():
    objective = network_objective("digits", (32,), batch=256)
    strategy, state = searched(objective, 20, replicas=3, local_rounds=8)
    assert objective.measure(strategy.proposed(state)).accuracy > 0.97
    assert strategy.passes(state) == pytest.approx(24 * passes_of_a_round(objective))


@pytest.mark.parametrize("check", STRATEGY_CHECKS)
def test_replicas_pass_the_contract_checks(check):
    check(NodePerturbation, {"replicas": 3, "local_rounds": 2})
