"""Activations of hidden layers."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.registry import Registry

Array = NDArray[np.float32]


class Activation(NamedTuple):
    """An activation, and whether it jumps, which makes the loss flat almost everywhere."""

    apply: Callable[[Array, Array], None]
    """Applied in place to a layer's neurons and the row of ones below them, (candidates, neurons + 1, examples).

    It includes the ones because one long stretch of memory is faster than many short ones. The second argument is
    zeros, (neurons + 1, examples).
    """
    jumps: bool = False


def _relu(hidden: Array, zeros: Array) -> None:
    # An array of zeros, not the number 0, as NumPy's loop over two arrays is five times as fast; the size of one
    # candidate's neurons, so that it stays in the cache.
    np.maximum(hidden, zeros, out=hidden)


def _tanh(hidden: Array, zeros: Array) -> None:
    np.tanh(hidden, out=hidden)
    hidden[:, -1] = 1


def _sigmoid(hidden: Array, zeros: Array) -> None:
    np.negative(hidden, out=hidden)
    np.exp(hidden, out=hidden)
    np.add(hidden, np.float32(1), out=hidden)
    np.reciprocal(hidden, out=hidden)
    hidden[:, -1] = 1


def _step(hidden: Array, zeros: Array) -> None:
    np.sign(hidden, out=hidden)
    np.maximum(hidden, zeros, out=hidden)


_OURS = {
    "relu": Activation(_relu),
    "tanh": Activation(_tanh),
    "sigmoid": Activation(_sigmoid),
    "step": Activation(_step, jumps=True),
}
ACTIVATIONS: Registry[Activation] = Registry(
    "activation",
    "activations",
    _OURS,
    lambda found: isinstance(found, Activation),
    "a distsearch.networks.activations.Activation",
)
