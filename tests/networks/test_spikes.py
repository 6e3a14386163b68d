"""Spiking networks, compared with plain loops in float64."""

import pickle
from typing import Any

import numpy as np
import pytest

from distsearch.candidates.base import Dense, Shared
from distsearch.candidates.pairs import LowRank, Pairs, Products, factors_width
from distsearch.networks.building import Design
from distsearch.networks.kinds import network_of
from distsearch.networks.network import Network
from distsearch.networks.nodes import NodeExperiments
from distsearch.networks.spikes import GAIN, RateCode, Spikes
from distsearch.objectives import losses
from distsearch.objectives.batches import with_ones
from distsearch.randomness import Stream, noise

FEATURES, OUTPUTS, EXAMPLES = 4, 3, 23
CASES: dict[str, tuple[Design, str]] = {}


def case(
    name: str, layers: tuple[int | str, ...] = (6,), activation: tuple[str, ...] = ("lif",), **spikes: Any
) -> None:
    CASES[name] = Design(
        layers,
        activation,
        spikes=Spikes(**{"time_steps": 5, "decay": 0.75, "reset": "zero", "readout": "counts", **spikes}),
    )


case("one layer")
case("none", layers=())
case("two layers", layers=(6, 5))
case("three layers", layers=(6, 5, 4))
case("recurrent", layers=("r6",))
case("recurrent above", layers=(6, "r5"))
case("recurrent below", layers=("r6", 5))
case("subtract", reset="subtract")
case("rate", encoding="rate")
case("rate, recurrent", layers=("r6",), encoding="rate")
case("membrane", readout="membrane")
case("membrane, two layers, rate, subtract", (6, 5), readout="membrane", encoding="rate", reset="subtract")
case("relu below", (6, 5), ("relu", "lif"))
case("relu above", (6, 5), ("lif", "relu"))
case("threshold", threshold=0.5)
case("threshold, subtract", threshold=2.0, reset="subtract")
case("no leak", decay=1.0)
case("one step", time_steps=1)


@pytest.fixture(params=CASES)
def design(request) -> Design:
    return CASES[request.param]


def made(design: Design) -> Network:
    return network_of(design, (FEATURES,), OUTPUTS)


def on_a_grid(numbers: np.ndarray) -> np.ndarray:
    """Multiples of 1/16, so that all sums are exact in any order and no spike depends on rounding."""
    return (np.round(numbers * 16) / 16).astype(np.float32)


def weights_of(network: Network, count: int = 1) -> np.ndarray:
    return on_a_grid(noise(0, Stream.CANDIDATES, 0, 0, count, network.weights_count))


def features() -> np.ndarray:
    return on_a_grid(noise(1, Stream.DATA, 0, 0, EXAMPLES, FEATURES))


def fired(design: Design, currents: list[np.ndarray], own: np.ndarray | None = None) -> list[np.ndarray]:
    """The spikes of each step: a plain loop."""
    spikes, membrane, spike = [], 0.0, 0.0
    for current in currents:
        membrane = design.spikes.decay * membrane + current
        if own is not None and spikes:
            membrane = membrane + spike @ own
        spike = (membrane >= design.spikes.threshold).astype(float)
        spikes.append(spike)
        membrane = (
            membrane * (1 - spike) if design.spikes.reset == "zero" else membrane - design.spikes.threshold * spike
        )
    return spikes


Move = tuple[int, int, np.ndarray]
"""A layer, one of its neurons, and how far its current is moved in each example."""


def by_hand(
    design: Design, network: Network, weights: np.ndarray, inputs: np.ndarray, moved: Move | None = None
) -> np.ndarray:
    """The outputs, (examples, outputs)."""
    arrays, spikes = network.named(weights), design.spikes
    steps = range(spikes.time_steps)
    activations = [inputs.astype(np.float64)] * len(steps)
    if spikes.encoding == "rate":
        phases = RateCode(FEATURES, len(steps))._phases[:, 0].astype(np.float64)
        activations = [np.floor((t + 1) * inputs + phases) - np.floor(t * inputs + phases) for t in steps]
    names = list(dict.fromkeys(name.partition(".")[0] for name in arrays))
    for number, name in enumerate(names):
        sums = [each @ arrays[f"{name}.weights"] + arrays[f"{name}.biases"] for each in activations]
        if moved is not None and moved[0] == number:
            for each in sums:
                each[:, moved[1]] += moved[2]
        if number == len(names) - 1:
            break
        if design.activation[min(number, len(design.activation) - 1)] == "relu":
            activations = [np.maximum(each, 0) for each in sums]
        else:
            activations = fired(design, sums, arrays.get(f"{name}.recurrent"))
    if spikes.readout == "counts":
        return sum(fired(design, sums)) * GAIN / len(steps)
    shares = [spikes.decay ** (len(steps) - 1 - t) for t in steps]
    return sum(share * each for share, each in zip(shares, sums, strict=True)) / sum(shares)


def test_forward_matches_a_plain_loop(design):
    network, inputs = made(design), features()
    weights = weights_of(network, 5)
    outputs = network.forward(Dense(weights), Shared(with_ones(inputs)))
    assert outputs.shape == (5, OUTPUTS, EXAMPLES)
    for candidate, result in zip(weights, outputs, strict=True):
        assert pytest.approx(by_hand(design, network, candidate, inputs), abs=1e-5) == result.T


def test_a_candidate_gives_the_same_bits_as_alone(design):
    network, shared = made(design), Shared(with_ones(features()))
    weights = noise(0, Stream.CANDIDATES, 0, 0, 5, network.weights_count)
    together = network.forward(Dense(weights), shared).copy()
    again = pickle.loads(pickle.dumps(network))  # noqa: S301  (our own)
    for number in range(5):
        assert again.forward(Dense(weights[number : number + 1]), shared)[0].tobytes() == together[number].tobytes()


def test_part_of_the_examples_gives_the_same_bits_as_among_all(design):
    network, inputs = made(design), with_ones(features())
    weights = Dense(weights_of(network))
    whole = network.forward(weights, Shared(inputs)).copy()
    some = network.forward(weights, Shared(np.ascontiguousarray(inputs[:, 7:11])))
    assert some.tobytes() == whole[:, :, 7:11].tobytes()


def targets() -> np.ndarray:
    return np.eye(OUTPUTS, dtype=np.float32)[:, np.arange(EXAMPLES) % OUTPUTS]


def experiments(network: Network, weights: np.ndarray) -> NodeExperiments:
    loss = losses.create("mean-squared-error")
    return NodeExperiments(network, weights, with_ones(features()), lambda outputs: loss.each(outputs, targets()))


def moves(network: Network) -> list[tuple[int, int]]:
    """The layer and the number of each node."""
    counts = [movable.nodes.nodes for movable in network.movable()]
    return [(layer, node) for layer, count in enumerate(counts) for node in range(count)]


def signs_of(network: Network) -> np.ndarray:
    return np.random.default_rng(0).choice(np.float32([-1, 1]), (len(moves(network)), EXAMPLES))


def inputs_of_layers(network: Network, weights: np.ndarray) -> list[np.ndarray]:
    """What each node's weights are multiplied by, averaged over the time steps, (inputs + 1, examples)."""
    traces = network.traces(weights, with_ones(features()))
    return [movable.trace.mean_inputs for movable in network.movable(traces)]


def test_each_node_s_estimate_is_the_change_in_loss_when_its_current_moves(design):
    """Each example's slope times the node's inputs, everything recomputed for each node by the plain loop."""
    network, inputs = made(design), features()
    weights, signs = weights_of(network)[0], signs_of(network)
    tried, found = experiments(network, weights), np.full_like(weights, np.nan)
    sigma, layers = 0.7071, tried._movable
    tried.gradient([0, len(signs)], signs, sigma, 99, found)

    def losses_of(moved: Move | None = None) -> np.ndarray:
        return ((by_hand(design, network, weights, inputs, moved) - targets().T) ** 2).mean(axis=1)

    before, expected, seen = losses_of(), [], inputs_of_layers(network, weights)
    for (layer, node), row in zip(moves(network), signs, strict=True):
        nodes, trace, _ = layers[layer]
        steps = nodes.steps(trace, row[np.newaxis], slice(node, node + 1), sigma)[0]
        expected.append(seen[layer] @ ((losses_of((layer, node, steps)) - before) / steps))
    assert found == pytest.approx(np.concatenate(expected), rel=1e-3, abs=1e-4)
    assert np.abs(found).max() > 0.1


@pytest.mark.parametrize("groups", [2, 99])
def test_part_of_the_nodes_gives_the_same_bits_as_among_all(design, groups):
    network = made(design)
    weights, signs = noise(0, Stream.CANDIDATES, 0, 0, 1, network.weights_count)[0], signs_of(network)
    tried, whole = experiments(network, weights), np.empty(network.weights_count, np.float32)
    ends, starts = [0], [0]
    for movable in network.movable():
        size = -(-movable.nodes.nodes // groups)
        for first in range(0, movable.nodes.nodes, size):
            count = min(size, movable.nodes.nodes - first)
            ends.append(ends[-1] + count)
            starts.append(starts[-1] + count * movable.nodes.width)
    tried.gradient(ends, signs, 0.3, groups, whole)
    assert np.isfinite(whole).all()
    for first in range(len(ends) - 1):
        for last in range(first + 1, len(ends)):
            some = np.full(starts[last] - starts[first], np.nan, np.float32)
            tried.gradient(ends[first : last + 1], signs[ends[first] : ends[last]], 0.3, groups, some)
            assert some.tobytes() == whole[starts[first] : starts[last]].tobytes()


def test_silent_outputs_are_woken_but_only_just():
    design = CASES["none"]
    network = made(design)
    weights = np.zeros(network.weights_count, np.float32)
    network.blocks[0].matrix(weights)[:, -1] = -20, 0, 0.5
    layer = next(network.movable(network.traces(weights, with_ones(features()))))
    up = np.ones((OUTPUTS, EXAMPLES), np.float32)
    raised = layer.nodes.steps(layer.trace, up, slice(0, OUTPUTS), 0.1) + np.float32([[-20], [0], [0.5]])
    for current in raised[:, 0]:
        assert 1 <= sum(fired(design, [current] * 5)) <= 3
    down = layer.nodes.steps(layer.trace, -up, slice(0, OUTPUTS), 0.1)
    assert down == pytest.approx(np.full_like(down, -0.1 * layer.nodes.size(layer.trace)))


def test_named_and_flat_weights_round_trip(design):
    network = made(design)
    weights = weights_of(network)[0]
    assert network.flat(network.named(weights)).tobytes() == weights.tobytes()


def test_spike_counts_stay_within_one_of_the_encoded_value():
    numbers = np.float32([[0.3, 1.7, -0.4, 0.0, 1.0]])
    coded = RateCode(1, 40).of(np.vstack([numbers, np.ones_like(numbers)])).reshape(2, 40, 5)
    assert (coded[1] == 1).all()
    assert (coded[0, :, 3] == 0).all()
    assert (coded[0, :, 4] == 1).all()
    expected = np.arange(1, 41)[:, np.newaxis] * numbers
    assert np.abs(coded[0].cumsum(axis=0) - expected).max() < 1
    assert set(coded[0, :, 0]) == {0, 1}


def test_features_of_equal_rate_do_not_all_spike_at_once():
    coded = RateCode(50, 10).of(np.full((51, 1), 0.1, np.float32)).reshape(51, 10)
    assert (coded[:50].sum(axis=1) == 1).sum() >= 45
    assert (coded[:50].sum(axis=0) > 0).all()


def test_recurrent_weights_see_the_spikes_of_the_previous_step():
    design = CASES["rate, recurrent"]
    network = made(design)
    trace = network.traces(weights_of(network)[0], with_ones(features()))[0]
    spikes = trace.activations[:-1].reshape(6, 5, EXAMPLES)
    given = RateCode(FEATURES, 5).of(with_ones(features())).reshape(FEATURES + 1, 5, EXAMPLES)
    assert spikes[:, :-1].any()
    assert trace.mean_inputs[:6] == pytest.approx(spikes[:, :4].sum(axis=1) / 5, abs=1e-6)
    assert trace.mean_inputs[6:] == pytest.approx(given.mean(axis=1), abs=1e-6)


def test_weight_noise_of_any_rank_evaluates_the_same_network():
    """Mirrored and low-rank candidates, in whole and partial tiles, have the losses of their dense weights."""
    for design in CASES.values():
        network, shared = made(design), Shared(with_ones(features()))
        center, products = weights_of(network)[0], Products()
        factors = on_a_grid(noise(2, Stream.CANDIDATES, 0, 0, 2, factors_width(network.blocks, 1)))
        candidates = LowRank(Pairs(0, 5), center, products, network.blocks, factors, 1, 0.25)
        found = network.forward(candidates, shared).copy()
        assert found == pytest.approx(network.forward(Dense(candidates.dense()), shared), abs=1e-5)


def test_initial_weights_can_reach_the_threshold():
    assert Design((16,), ("lif",)).suited_start() == Design((16, 16), ("relu", "lif")).suited_start() == "he"
