"""Activations of hidden layers."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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


def _linear(hidden: Array, zeros: Array) -> None:
    pass


def _relu(hidden: Array, zeros: Array) -> None:
    # An array of zeros, not the number 0, as NumPy's loop over two arrays is five times as fast; the size of one
    # candidate's neurons, so that it stays in the cache.
    np.maximum(hidden, zeros, out=hidden)


def _leaky_relu(hidden: Array, zeros: Array) -> None:
    np.maximum(hidden, hidden * LEAK, out=hidden)


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


def _tanh(hidden: Array, zeros: Array) -> None:
    np.tanh(hidden, out=hidden)
    hidden[:, -1] = 1


def _hard_tanh(hidden: Array, zeros: Array) -> None:
    np.maximum(hidden, np.float32(-1), out=hidden)
    np.minimum(hidden, np.float32(1), out=hidden)


def _sigmoid(hidden: Array, zeros: Array) -> None:
    np.negative(hidden, out=hidden)
    np.exp(hidden, out=hidden)
    np.add(hidden, np.float32(1), out=hidden)
    np.reciprocal(hidden, out=hidden)
    hidden[:, -1] = 1


def _step(hidden: Array, zeros: Array) -> None:
    np.sign(hidden, out=hidden)
    np.maximum(hidden, zeros, out=hidden)


def _sign(hidden: Array, zeros: Array) -> None:
    """1 at zero as well, whichever zero it is: sums of a few bits often meet it."""
    np.greater_equal(hidden, zeros, out=hidden)
    np.multiply(hidden, np.float32(2), out=hidden)
    np.subtract(hidden, np.float32(1), out=hidden)


def _staircase(hidden: Array, zeros: Array, levels: int) -> None:
    # sigmoid(x) = ½ + ½ tanh(x/2), which is a third faster than by exp.
    np.multiply(hidden, np.float32(0.5), out=hidden)
    np.tanh(hidden, out=hidden)
    np.multiply(hidden, np.float32(levels / 2), out=hidden)
    np.add(hidden, np.float32(levels / 2), out=hidden)
    np.floor(hidden, out=hidden)
    np.multiply(hidden, np.float32(1 / levels), out=hidden)
    hidden[:, -1] = 1


def staircase(levels: int) -> Activation:
    """⌊levels · sigmoid(x)⌋ / levels: a sigmoid of so many stairs."""
    return Activation(partial(_staircase, levels=levels), jumps=True, start="glorot", bits=_bits(levels))


def _lif(hidden: Array, zeros: Array) -> None:
    """What a spiking neuron of threshold 1 makes of its first time step; for several there is networks/spikes.py."""
    np.greater_equal(hidden, np.float32(1), out=hidden)


def _quantized_relu(hidden: Array, zeros: Array, levels: int) -> None:
    steps = np.float32(levels - 1)
    np.maximum(hidden, zeros, out=hidden)
    np.minimum(hidden, np.float32(1), out=hidden)
    np.multiply(hidden, steps, out=hidden)
    np.rint(hidden, out=hidden)
    np.divide(hidden, steps, out=hidden)


def quantized_relu(levels: int) -> Activation:
    """x between 0 and 1, rounded to one of so many equally spaced levels."""
    return Activation(partial(_quantized_relu, levels=levels), jumps=True, bits=_bits(levels - 1))


def _bits(steps: int) -> int | None:
    """The bits of steps between 0 and 1, if they are powers of two."""
    bits = steps.bit_length() - 1
    return bits if steps == 1 << bits else None


WITH_LEVELS: dict[str, Callable[[int], Activation]] = {"staircase": staircase, "quantized-relu": quantized_relu}
"""Activations that take a number of levels."""
LEVELS = 5

_OURS = {
    "relu": Activation(_relu),
    "leaky-relu": Activation(_leaky_relu),
    "gelu": Activation(_gelu),
    "tanh": Activation(_tanh, start="glorot"),
    "hard-tanh": Activation(_hard_tanh, start="glorot"),
    "sigmoid": Activation(_sigmoid, start="glorot"),
    "step": Activation(_step, jumps=True, bits=0, switch=True),
    "sign": Activation(_sign, jumps=True, start="glorot", bits=0, switch=True),
    **{name: make(LEVELS) for name, make in WITH_LEVELS.items()},
    "linear": Activation(_linear),
    "lif": Activation(_lif, jumps=True),
}
ACTIVATIONS: Registry[Activation] = Registry(
    "activation",
    "activations",
    _OURS,
    lambda found: isinstance(found, Activation),
    "a distsearch.networks.activations.Activation",
    {
        **dict.fromkeys(("leakyrelu", "lrelu"), "leaky-relu"),
        **dict.fromkeys(("hardtanh", "htanh"), "hard-tanh"),
        "logistic": "sigmoid",
        "heaviside": "step",
        **dict.fromkeys(("identity", "none"), "linear"),
    },
)
