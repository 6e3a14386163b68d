import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from distsearch.candidates.base import Dense, Shared
from distsearch.errors import SettingError
from distsearch.networks.kinds import dense_network
from distsearch.networks.network import Network
from distsearch.objectives.batches import with_ones
from distsearch.randomness import Stream, noise


def by_hand(network: Network, weights: np.ndarray, features: np.ndarray, hidden) -> np.ndarray:
    """The course's forward pass: inputs (examples, features) @ weights + biases, layer by layer, in float64."""
    arrays = network.named(weights)
    values = features.astype(np.float64)
    for number in range(1, len(network.layers) + 1):
        values = values @ arrays[f"dense{number}.weights"] + arrays[f"dense{number}.biases"]
        if number < len(network.layers):
            values = hidden(values)
    return values


HIDDEN = {
    "relu": lambda h: np.maximum(h, 0),
    "tanh": np.tanh,
    "sigmoid": lambda h: 1 / (1 + np.exp(-h)),
    "step": lambda h: (h > 0).astype(float),
}


@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("hidden", [(), (3,), (5, 4)])
def test_forward_matches_the_course_s_forward_pass(activation, hidden):
    network = dense_network(4, hidden, 3, activation)
    weights = noise(0, Stream.CANDIDATES, 0, 0, 6, network.weights_count)
    features = noise(1, Stream.DATA, 0, 0, 17, 4)
    outputs = network.forward(Dense(weights), Shared(with_ones(features)))
    for candidate, result in zip(weights, outputs, strict=True):
        assert pytest.approx(by_hand(network, candidate, features, HIDDEN[activation]), abs=1e-5) == result.T


def test_a_second_call_gives_the_same_although_buffers_are_reused():
    network = dense_network(2, (3,), 3, "tanh")
    weights = noise(0, Stream.CANDIDATES, 0, 0, 4, network.weights_count)
    features = noise(1, Stream.DATA, 0, 0, 9, 2)
    inputs = Shared(with_ones(features))
    first = network.forward(Dense(weights), inputs).copy()
    network.forward(Dense(weights * 2), inputs)
    assert network.forward(Dense(weights), inputs).tobytes() == first.tobytes()


def test_threads_do_not_share_activation_buffers():
    network = dense_network(6, (20, 20), 3, "relu")
    inputs = Shared(with_ones(noise(1, Stream.DATA, 0, 0, 400, 6)))
    candidates = [Dense(row[np.newaxis]) for row in noise(0, Stream.CANDIDATES, 0, 0, 4, network.weights_count)]
    expected = [network.forward(each, inputs).copy() for each in candidates]

    def differences(number: int) -> int:
        return sum((network.forward(candidates[number], inputs) != expected[number]).any() for _ in range(500))

    with ThreadPoolExecutor(len(candidates)) as threads:
        assert list(threads.map(differences, range(len(candidates)))) == [0, 0, 0, 0]


def test_a_network_is_pickled_without_its_buffers():
    network = dense_network(2, (3,), 3, "relu")
    before = len(pickle.dumps(network))
    candidates, inputs = Dense(np.ones((4, network.weights_count), np.float32)), Shared(np.ones((3, 900), np.float32))
    expected = network.forward(candidates, inputs)
    sent = pickle.dumps(network)
    assert len(sent) == before
    received = pickle.loads(sent)  # noqa: S301  (our own)
    assert received.forward(candidates, inputs).tobytes() == expected.tobytes()


def test_named_and_flat_weights_round_trip():
    network = dense_network(4, (5, 3), 2, "relu")
    weights = noise(0, Stream.START, 0, 0, 1, network.weights_count)[0]
    named = network.named(weights)
    assert [array.shape for array in named.values()] == [(4, 5), (5,), (5, 3), (3,), (3, 2), (2,)]
    assert network.flat(named).tobytes() == weights.tobytes()


def test_flat_refuses_the_arrays_of_another_network():
    arrays = dense_network(4, (5,), 2, "relu").named(np.zeros(37, np.float32))
    with pytest.raises(ValueError, match="dense1"):
        dense_network(4, (6,), 2, "relu").flat(arrays)
    with pytest.raises(ValueError, match="expected 4 arrays, got 5"):
        dense_network(4, (5,), 2, "relu").flat(arrays | {"dense3.weights": arrays["dense1.weights"]})


@pytest.mark.parametrize(("kind", "deviation"), [("course", 0.01), ("he", 0.1), ("glorot", np.sqrt(2 / 300))])
def test_initial_weights_have_the_deviation_of_their_kind_and_zero_biases(kind, deviation):
    network = dense_network(200, (100,), 10, "relu")
    named = network.named(network.start(kind, 0))
    assert named["dense1.weights"].std() == pytest.approx(deviation, rel=0.03)
    assert not named["dense1.biases"].any()
    assert named["dense1.weights"][0, 0] != named["dense2.weights"][0, 0]


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(SettingError, match="did you mean 'relu'"):
        dense_network(2, (3,), 3, "relo")
    with pytest.raises(SettingError, match="did you mean 'glorot'"):
        dense_network(2, (3,), 3, "relu").start("gloro", 0)
