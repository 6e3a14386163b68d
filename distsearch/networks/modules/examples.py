"""Examples as a module is given them: batches, and made-up ones to look at it with."""

from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.randomness import Stream, noise

EXAMPLES = 13  # made up: a number that no axis of a module is likely to have


class Batch(NamedTuple):
    """What a loss is given beside the module: examples as the module takes them, and their targets."""

    inputs: Any  # (examples, features), or images (examples, channels, height, width)
    targets: Any  # (examples,) or (examples, outputs)


def made_up(width: int, most: float = inf) -> NDArray[np.float32]:
    """Inputs of EXAMPLES made-up examples, from zero to `most`, (features + 1, EXAMPLES)."""
    inputs = np.ones((width + 1, EXAMPLES), np.float32)
    inputs[:-1] = np.minimum(np.abs(noise(0, Stream.START, 0, 0, EXAMPLES, width)).T, np.float32(most))
    return inputs


def same(first: Any, second: Any) -> bool:
    """Whether all numbers of two tensors are the same; what is no number is the same as itself."""
    nans = first.isnan() & second.isnan() if first.shape == second.shape else None
    return nans is not None and bool(((first == second) | nans).all())
