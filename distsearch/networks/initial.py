"""The initial weights of a layer: normal, with a deviation that depends on its shape; biases start at zero.

He et al. 2015, arXiv 1502.01852; Glorot and Bengio 2010.
"""

from collections.abc import Callable

import numpy as np

from distsearch.registry import Registry

Start = Callable[[int, int], float]
"""The standard deviation of a layer's initial weights, given its numbers of inputs and outputs."""


def _course(inputs: int, outputs: int) -> float:
    return 0.01


def _he(inputs: int, outputs: int) -> float:
    return float(np.sqrt(2 / inputs))


def _glorot(inputs: int, outputs: int) -> float:
    return float(np.sqrt(2 / (inputs + outputs)))


STARTS: Registry[Start] = Registry(
    "start",
    "starts",
    {"course": _course, "he": _he, "glorot": _glorot},
    callable,
    "a function of a layer's inputs and outputs",
    {"kaiming": "he", "xavier": "glorot"},
)


def is_start(name: str) -> bool:
    """Whether a name is that of initial weights, rather than that of a run whose weights to begin with."""
    return name in STARTS or (":" in name and "://" not in name)
