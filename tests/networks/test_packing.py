import numpy as np
import pytest

from distsearch.candidates.base import Dense, Shared
from distsearch.networks.building import Design
from distsearch.networks.kinds import network_of
from distsearch.networks.network import Network
from distsearch.networks.packing import are_packed, packed, unpacked
from distsearch.objectives.batches import with_ones
from distsearch.randomness import Stream, noise

MIXED = ("float32", "int8", "ternary", "binary")


def network_and_weights(*precision: str) -> tuple[Network, np.ndarray]:
    network = network_of(Design((7, 6, 5), ("relu",), precision), (4,), 3)
    return network, network.start("he", 3) + noise(2, Stream.DATA, 0, 0, 1, network.weights_count)[0] / 20


@pytest.mark.parametrize("precision", [("float32",), ("int8",), ("ternary",), ("binary",), MIXED])
def test_packed_weights_unpack_to_the_weights_the_network_uses(precision):
    network, weights = network_and_weights(*precision)
    back = unpacked(*packed(network, weights))
    used = network.named(network.rounded(weights))
    assert {name: array.tolist() for name, array in back.items()} == {
        name: each.tolist() for name, each in used.items()
    }
    inputs = Shared(with_ones(noise(1, Stream.DATA, 0, 0, 17, 4)))
    expected = network.forward(Dense(weights[np.newaxis]), inputs).copy()
    again = network.flat(back)
    assert network.forward(Dense(again[np.newaxis]), inputs).tobytes() == expected.tobytes()
    if precision != ("float32",):
        assert again.tobytes() != weights.tobytes()


def test_a_tensor_of_another_s_that_is_called_scale_is_a_tensor_like_others():
    tensors, layouts = packed(*network_and_weights("int8"))
    ours = unpacked(tensors, layouts)
    assert set(unpacked({**tensors, "norm.scale": np.ones(2)}, layouts)) == {*ours, "norm.scale"}
    assert are_packed(tensors)
    assert not are_packed({"norm.scale", "norm.bias", "scale"})


def test_nested_layers_are_packed_too():
    words = ("conv2x3", "layernorm", "res(conv2x3,conv2x3)", "pool2", 6)
    network = network_of(Design(words, precision=("int8",)), (6, 6, 1), 3)
    weights = network.start("he", 3) + noise(2, Stream.DATA, 0, 0, 1, network.weights_count)[0] / 20
    tensors, layouts = packed(network, weights)
    assert {name for name in tensors if tensors[name].dtype == np.float32} - {f"{name}.scale" for name in layouts} == {
        name for name in tensors if "norm" in name
    }
    inputs = Shared(with_ones(noise(1, Stream.DATA, 0, 0, 17, 36)))
    expected = network.forward(Dense(weights[np.newaxis]), inputs).copy()
    again = network.flat(unpacked(tensors, layouts))
    assert network.forward(Dense(again[np.newaxis]), inputs).tobytes() == expected.tobytes()


def test_tensors_take_as_many_bits_as_their_weights():
    tensors, layouts = packed(*network_and_weights(*MIXED))
    assert {name: (array.dtype.name, array.shape) for name, array in tensors.items()} == {
        "dense1.weights": ("float32", (4, 7)),
        "dense1.biases": ("float32", (7,)),
        "dense2.weights": ("int8", (7, 6)),
        "dense2.weights.scale": ("float32", (1,)),
        "dense2.biases": ("int8", (6,)),
        "dense2.biases.scale": ("float32", (1,)),
        "dense3.weights": ("uint8", (8,)),  # 30 weights of 2 bits
        "dense3.weights.scale": ("float32", (1,)),
        "dense3.biases": ("int8", (5,)),
        "dense3.biases.scale": ("float32", (1,)),
        "dense4.weights": ("uint8", (2,)),  # 15 weights of a bit
        "dense4.weights.scale": ("float32", (1,)),
        "dense4.biases": ("int8", (3,)),
        "dense4.biases.scale": ("float32", (1,)),
    }
    assert {name: tuple(layout) for name, layout in layouts.items()} == {
        "dense2.weights": (8, (7, 6)),
        "dense2.biases": (8, (6,)),
        "dense3.weights": (2, (6, 5)),
        "dense3.biases": (8, (5,)),
        "dense4.weights": (1, (5, 3)),
        "dense4.biases": (8, (3,)),
    }


def test_bits_are_laid_out_as_worked_out_by_hand():
    """One neuron with ten inputs and steps of 2^-2: the first weight is the lowest bit."""
    signs = np.array([1, -1, -1, 1, 1, -1, 1, 1, 1, -1], np.float32)
    for precision, weights, expected in (
        ("binary", signs, [0b11011001, 0b01]),
        ("ternary", signs * [0, 1, 1, 1, 1, 1, 1, 1, 1, 1], [0b10_00_00_01, 0b10_10_00_10, 0b00_10]),
        ("int8", signs, [1, -1, -1, 1, 1, -1, 1, 1, 1, -1]),
    ):
        network = network_of(Design((), precision=(precision,)), (10,), 1)
        step = network.matrices[0].precision.step(10)
        tensors, _ = packed(network, np.append(weights, 3).astype(np.float32) * np.float32(step))
        assert tensors["dense1.weights"].ravel().tolist() == expected
        assert tensors["dense1.biases"].tolist() == [3]
        assert tensors["dense1.weights.scale"].tolist() == [step]
