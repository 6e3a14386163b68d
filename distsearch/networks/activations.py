"""Activations of hidden layers."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.registry import Registry

Array = NDArray[np.float32]


class Activation(NamedTuple):
    """An activation, and whether it jumps: then the loss is flat almost everywhere."""

    apply: Callable[[Array, Array], None]
    """Applied in place to a layer's neurons and the row of ones below them, (candidates, neurons + 1, examples).

    One long run of memory is faster than many short ones. The second argument is zeros, (neurons + 1, examples).
    """
    jumps: bool = False


def _relu(hidden: Array, zeros: Array) -> None:
    # An array of zeros, not the number 0: NumPy's loop over two arrays is five times as fast. One candidate's, which
    # stays in the cache, not one for all.
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
