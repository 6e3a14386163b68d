import numpy as np
import pytest
from problems import network_objective

from distsearch.candidates.base import Dense
from distsearch.networks import nodes as nodes_module
from distsearch.networks.kinds import dense_network
from distsearch.networks.layers.base import mean_size
from distsearch.networks.network import Network
from distsearch.networks.nodes import NodeExperiments
from distsearch.objectives import losses
from distsearch.objectives.batches import Columns
from distsearch.objectives.losses import Loss


def problem(hidden, activation="tanh", loss="cross-entropy"):
    objective = network_objective("iris", hidden, activation, loss)
    return objective, objective.network.start("he", 1)


def drawn_signs(objective, seed=0) -> np.ndarray:
    nodes = sum(layer.outputs for layer in objective.network.layers)
    examples = len(objective.batches.train)
    return np.random.default_rng(seed).choice(np.float32([-1, 1]), (nodes, examples))


def slopes(objective, weights) -> np.ndarray:
    """The gradient of the summed loss by central differences of the weights, (n,)."""
    step = 2e-2
    steps = np.eye(len(weights), dtype=np.float32) * np.float32(step)
    ahead, behind = (objective.losses(Dense(weights + side * steps), 0) for side in (1, -1))
    return (ahead - behind) / (2 * step) * len(objective.batches.train)


def experiments(network: Network, loss: Loss, weights: np.ndarray, examples: Columns) -> NodeExperiments:
    return NodeExperiments(network, weights, examples.inputs, lambda outputs: loss.each(outputs, examples.targets))


def estimate(objective, weights, signs, sigma: float, groups: int) -> np.ndarray:
    """The sum over all examples of the estimated gradients, (n,); anything not written stays NaN."""
    found = np.full_like(weights, np.nan)
    tried = experiments(objective.network, objective.loss, weights, objective.batches.train)
    tried.gradient([0, len(signs)], signs, sigma, groups, found)
    return found


@pytest.mark.parametrize("hidden", [(), (7,), (7, 6), (6, 5, 4)])
def test_node_by_node_the_estimate_is_the_gradient(hidden):
    objective, weights = problem(hidden)
    estimated = estimate(objective, weights, drawn_signs(objective), 0.01, 99)
    expected = slopes(objective, weights)
    assert estimated == pytest.approx(expected, rel=0.05, abs=0.02 * np.abs(expected).max())


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_in_groups_the_estimate_is_the_gradient_on_average(groups):
    objective, weights = problem((5, 7))
    estimates = [estimate(objective, weights, drawn_signs(objective, seed), 0.01, groups) for seed in range(400)]
    expected, mean = slopes(objective, weights), np.mean(estimates, axis=0)
    assert mean @ expected / np.linalg.norm(mean) / np.linalg.norm(expected) > 0.98
    assert np.linalg.norm(mean) == pytest.approx(np.linalg.norm(expected), rel=0.1)


def test_the_losses_are_those_of_the_unmoved_weights():
    objective, weights = problem((7,), "relu")
    tried = experiments(objective.network, objective.loss, weights, objective.batches.train)
    before = tried.losses.copy()
    signs = drawn_signs(objective)
    tried.gradient([0, len(signs)], signs, 0.5, 3, np.empty_like(weights))
    assert tried.losses.tobytes() == before.tobytes()
    assert before.mean() == pytest.approx(objective.losses(Dense(weights[np.newaxis]), 0)[0], rel=1e-5)


def test_the_objective_experiments_on_the_requested_examples():
    objective, weights = problem((7, 6))
    some, signs = slice(30, 75), drawn_signs(objective)[:, 30:75]
    train, ends, gradient, expected = objective.batches.train, [0, len(signs)], *np.empty((2, len(weights)), np.float32)
    found = objective.nodes.experiments(weights, 0, some)
    found.gradient(ends, signs, 0.01, 3, gradient)
    tried = experiments(
        objective.network, objective.loss, weights, Columns(train.inputs[:, some], train.targets[:, some])
    )
    tried.gradient(ends, signs, 0.01, 3, expected)
    assert found.losses.tobytes() == tried.losses.tobytes()
    assert gradient.tobytes() == expected.tobytes()


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
@pytest.mark.parametrize("groups", [2, 99])
def test_part_of_the_nodes_gives_the_same_bits_as_among_all(activation, groups):
    """Parts end at whole groups: of two groups, 7 nodes make groups of 4, 6 nodes of 3, and 3 outputs of 2."""
    objective, weights = problem((7, 6), activation)
    signs, ends = drawn_signs(objective), [0, 4, 7, 10, 13, 15, 16]
    starts = np.cumsum([0, 4 * 5, 3 * 5, 3 * 8, 3 * 8, 2 * 7, 7])  # weights per node: 4 + 1, 7 + 1 and 6 + 1
    tried = experiments(objective.network, objective.loss, weights, objective.batches.train)
    whole = np.empty_like(weights)
    tried.gradient(ends, signs, 0.01, groups, whole)
    for first in range(6):
        for last in range(first + 1, 7):
            some, rows = np.full(starts[last] - starts[first], np.nan, np.float32), signs[ends[first] : ends[last]]
            tried.gradient(ends[first : last + 1], rows, 0.01, groups, some)
            assert some.tobytes() == whole[starts[first] : starts[last]].tobytes()


def test_moves_beyond_the_cache_are_made_in_several_passes(monkeypatch):
    objective, weights = problem((7, 6))
    signs = drawn_signs(objective)
    whole = estimate(objective, weights, signs, 0.01, 3)
    monkeypatch.setattr(nodes_module, "CACHE_BYTES", 1)
    assert estimate(objective, weights, signs, 0.01, 3) == pytest.approx(whole, rel=1e-4, abs=1e-5)


def test_a_crossed_step_is_noticed_where_there_is_no_gradient():
    """One input, one step node at 0, one output to be 1: the node is off, and turning it on lowers the loss."""
    network = dense_network(1, (1,), 1, "step")
    weights = np.array([1, 0, 1, 0], np.float32)  # node = step(x), output = node
    examples = Columns(np.array([[-0.1, -0.9], [1, 1]], np.float32), np.ones((1, 2), np.float32))
    signs = np.ones((2, 2), np.float32)
    estimated = np.empty_like(weights)
    tried = experiments(network, losses.create("mean-squared-error"), weights, examples)
    tried.gradient([0, 2], signs, 0.5, 1, estimated)
    step = 0.5 * np.sqrt(0.1**2 + 0.9**2)  # the inputs' size times σ: 0.45
    assert estimated[0] == pytest.approx((0 - 1) / step * -0.1)  # the second example is too far off
    assert estimated[1] == pytest.approx((0 - 1) / step)


@pytest.mark.parametrize(("activation", "at_zero"), [("step", 1), ("sign", -1)])
def test_a_switching_neuron_is_moved_to_its_threshold_whatever_its_sign(activation, at_zero):
    """Alone, even a neuron at zero: step is off there, sign is on. In a group, its sign counts."""
    network = dense_network(1, (2,), 1, activation)
    weights = np.array([1, 0, 1, 0, 1, 1, 0], np.float32)
    inputs = np.array([[-0.2, 0.1, 0], [1, 1, 1]], np.float32)
    tried = NodeExperiments(network, weights, inputs, lambda outputs: outputs[:, 0].copy())
    rise = (2 if activation == "sign" else 1) / (2 * mean_size(inputs))  # the loss is the sum of the neurons
    for sign in (-1, 1):
        signs, found = np.full((3, 3), sign, np.float32), np.empty_like(weights)
        tried.gradient([0, 3], signs, 2.0, 2, found)
        assert found[:2] == pytest.approx(inputs @ np.full(3, rise))
        tried.gradient([0, 3], signs, 2.0, 1, found)
        crossing = np.array([-0.2, 0.1, -1e-9 * at_zero]) * sign < 0
        assert found[:2] == pytest.approx(inputs @ (crossing * 2 * rise))
