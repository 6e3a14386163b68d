"""How many bits the weights have in the forward pass; the search moves them in float32 all the same."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.registry import Registry

Array = NDArray[np.float32]


class Precision(NamedTuple):
    """A way of rounding weights."""

    name: str
    bits: int
    rounded: Callable[[Array], Array]
    """The weights as the forward pass sees them: matrices (…, rows, columns), the last column of each its biases."""


def _as_they_are(matrices: Array) -> Array:
    return matrices


FLOAT32 = Precision("float32", 32, _as_they_are)
PRECISIONS: Registry[Precision] = Registry(
    "precision",
    "precisions",
    {"float32": FLOAT32},
    lambda found: isinstance(found, Precision),
    "a distsearch.networks.precision.Precision",
)
