"""Activations of hidden layers."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.networks.graph import Graph, Value
from distsearch.registry import Registry

Array = NDArray[np.float32]

LEAK = np.float32(0.01)  # the slope of leaky-relu below zero


class Activation(NamedTuple):
    """An activation, whether it jumps, which makes the loss flat almost everywhere, and the start that suits it."""

    apply: Callable[[Array, Array], None]
    """Applied in place to a layer's neurons and the row of ones below them, (candidates, neurons + 1, examples).

    It includes the ones because one long stretch of memory is faster than many short ones. The second argument is
    zeros, (neurons + 1, examples).
    """
    jumps: bool = False
    start: str = "he"
    bits: int | None = None
    """Its values are whole numbers, up to 2^bits, of a power of two; None if they are not."""
    switch: bool = False
    """Whether it jumps at zero and is constant elsewhere."""
    express: Callable[[Graph, Value], Value] | None = None
    """Adds it to a graph, for exports: its values, of the shape of the given ones."""


def _linear(hidden: Array, zeros: Array) -> None:
    pass


def _express_linear(graph: Graph, value: Value) -> Value:
    return value


def _relu(hidden: Array, zeros: Array) -> None:
    # An array of zeros, not the number 0, as NumPy's loop over two arrays is five times as fast; the size of one
    # candidate's neurons, so that it stays in the cache.
    np.maximum(hidden, zeros, out=hidden)


def _express_relu(graph: Graph, value: Value) -> Value:
    return graph.add("Relu", value)


def _leaky_relu(hidden: Array, zeros: Array) -> None:
    np.maximum(hidden, hidden * LEAK, out=hidden)


def _express_leaky_relu(graph: Graph, value: Value) -> Value:
    return graph.add("Max", value, graph.add("Mul", value, float(LEAK)))


def _gelu(hidden: Array, zeros: Array) -> None:
    """x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))): Hendrycks and Gimpel 2016, arXiv 1606.08415."""
    bent = hidden * hidden
    bent *= np.float32(0.044715)
    bent += np.float32(1)
    bent *= hidden
    bent *= np.float32(np.sqrt(2 / np.pi))
    np.tanh(bent, out=bent)
    bent += np.float32(1)
    bent *= np.float32(0.5)
    np.multiply(hidden, bent, out=hidden)
    hidden[:, -1] = 1


def _express_gelu(graph: Graph, value: Value) -> Value:
    cubic = graph.add("Add", graph.add("Mul", graph.add("Mul", value, value), 0.044715), 1.0)
    bent = graph.add("Tanh", graph.add("Mul", graph.add("Mul", cubic, value), float(np.sqrt(2 / np.pi))))
    return graph.add("Mul", value, graph.add("Mul", graph.add("Add", bent, 1.0), 0.5))


def _tanh(hidden: Array, zeros: Array) -> None:
    np.tanh(hidden, out=hidden)
    hidden[:, -1] = 1


def _express_tanh(graph: Graph, value: Value) -> Value:
    return graph.add("Tanh", value)


def _hard_tanh(hidden: Array, zeros: Array) -> None:
    np.maximum(hidden, np.float32(-1), out=hidden)
    np.minimum(hidden, np.float32(1), out=hidden)


def _express_hard_tanh(graph: Graph, value: Value) -> Value:
    return graph.add("Min", graph.add("Max", value, -1.0), 1.0)


def _sigmoid(hidden: Array, zeros: Array) -> None:
    np.negative(hidden, out=hidden)
    np.exp(hidden, out=hidden)
    np.add(hidden, np.float32(1), out=hidden)
    np.reciprocal(hidden, out=hidden)
    hidden[:, -1] = 1


def _express_sigmoid(graph: Graph, value: Value) -> Value:
    return graph.add("Sigmoid", value)


def _step(hidden: Array, zeros: Array) -> None:
    np.sign(hidden, out=hidden)
    np.maximum(hidden, zeros, out=hidden)


def _express_step(graph: Graph, value: Value) -> Value:
    return graph.truth("Greater", value, 0.0)


def _sign(hidden: Array, zeros: Array) -> None:
    """1 at zero as well, whichever zero it is: sums of a few bits often meet it."""
    np.greater_equal(hidden, zeros, out=hidden)
    np.multiply(hidden, np.float32(2), out=hidden)
    np.subtract(hidden, np.float32(1), out=hidden)


def _express_sign(graph: Graph, value: Value) -> Value:
    return graph.add("Sub", graph.add("Mul", graph.truth("GreaterOrEqual", value, 0.0), 2.0), 1.0)


def _staircase(hidden: Array, zeros: Array, levels: int) -> None:
    # sigmoid(x) = ½ + ½ tanh(x/2), which is a third faster than by exp.
    np.multiply(hidden, np.float32(0.5), out=hidden)
    np.tanh(hidden, out=hidden)
    np.multiply(hidden, np.float32(levels / 2), out=hidden)
    np.add(hidden, np.float32(levels / 2), out=hidden)
    np.floor(hidden, out=hidden)
    np.multiply(hidden, np.float32(1 / levels), out=hidden)
    hidden[:, -1] = 1


def _express_staircase(graph: Graph, value: Value, levels: int) -> Value:
    risen = graph.add("Mul", graph.add("Tanh", graph.add("Mul", value, 0.5)), levels / 2)
    return graph.add("Mul", graph.add("Floor", graph.add("Add", risen, levels / 2)), 1 / levels)


def staircase(levels: int) -> Activation:
    """⌊levels · sigmoid(x)⌋ / levels: a sigmoid of that many stairs."""
    express = partial(_express_staircase, levels=levels)
    apply = partial(_staircase, levels=levels)
    return Activation(apply, jumps=True, start="glorot", bits=_bits(levels), express=express)


def _lif(hidden: Array, zeros: Array) -> None:
    """What a spiking neuron of threshold 1 makes of its first time step; for several there is networks/spikes.py."""
    np.greater_equal(hidden, np.float32(1), out=hidden)


def _express_lif(graph: Graph, value: Value) -> Value:
    return graph.truth("GreaterOrEqual", value, 1.0)


def _quantized_relu(hidden: Array, zeros: Array, levels: int) -> None:
    steps = np.float32(levels - 1)
    np.maximum(hidden, zeros, out=hidden)
    np.minimum(hidden, np.float32(1), out=hidden)
    np.multiply(hidden, steps, out=hidden)
    np.rint(hidden, out=hidden)
    np.divide(hidden, steps, out=hidden)


def _express_quantized_relu(graph: Graph, value: Value, levels: int) -> Value:
    clipped = graph.add("Min", graph.add("Max", value, 0.0), 1.0)
    return graph.add("Div", graph.add("Round", graph.add("Mul", clipped, float(levels - 1))), float(levels - 1))


def quantized_relu(levels: int) -> Activation:
    """x between 0 and 1, rounded to one of that many equally spaced levels."""
    express = partial(_express_quantized_relu, levels=levels)
    return Activation(partial(_quantized_relu, levels=levels), jumps=True, bits=_bits(levels - 1), express=express)


def _bits(steps: int) -> int | None:
    """The bits of steps between 0 and 1, if they are powers of two."""
    bits = steps.bit_length() - 1
    return bits if steps == 1 << bits else None


WITH_LEVELS: dict[str, Callable[[int], Activation]] = {"staircase": staircase, "quantized-relu": quantized_relu}
"""Activations that take a number of levels."""
LEVELS = 5

_OURS = {
    "relu": Activation(_relu, express=_express_relu),
    "leaky-relu": Activation(_leaky_relu, express=_express_leaky_relu),
    "gelu": Activation(_gelu, express=_express_gelu),
    "tanh": Activation(_tanh, start="glorot", express=_express_tanh),
    "hard-tanh": Activation(_hard_tanh, start="glorot", express=_express_hard_tanh),
    "sigmoid": Activation(_sigmoid, start="glorot", express=_express_sigmoid),
    "step": Activation(_step, jumps=True, bits=0, switch=True, express=_express_step),
    "sign": Activation(_sign, jumps=True, start="glorot", bits=0, switch=True, express=_express_sign),
    **{name: make(LEVELS) for name, make in WITH_LEVELS.items()},
    "linear": Activation(_linear, express=_express_linear),
    "lif": Activation(_lif, jumps=True, express=_express_lif),
}
ACTIVATIONS: Registry[Activation] = Registry(
    "activation",
    "activations",
    _OURS,
    lambda found: isinstance(found, Activation),
    "a distsearch.networks.activations.Activation",
    {
        "lrelu": "leaky-relu",
        "htanh": "hard-tanh",
        "logistic": "sigmoid",
        "heaviside": "step",
        **dict.fromkeys(("identity", "none"), "linear"),
    },
)
