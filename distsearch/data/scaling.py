"""What scaling learns from the training features: their moments, and the step that they are rounded to."""

import math

import numpy as np
from numpy.typing import NDArray

from distsearch.data.checks import Features
from distsearch.data.weights import Weights

LOWEST_POWER = -126  # of two in float32


def moments(features: Features, weights: Weights | None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Each feature's mean, as precise as the features, and standard deviation, which is 1 for a constant.

    weights are (examples,), and above 0.
    """
    if weights is None:
        mean = features.mean(axis=0, dtype=np.float64).astype(features.dtype)
        deviation = features.std(axis=0, dtype=np.float64).astype(np.float32)
    else:
        middle = np.average(features, axis=0, weights=weights)
        mean = middle.astype(features.dtype)
        deviation = np.sqrt(np.average(np.square(features - middle), axis=0, weights=weights)).astype(np.float32)
    constant = features.min(axis=0) == features.max(axis=0)  # a rounded mean would make these seem to vary
    mean[constant] = features[0, constant]
    deviation[constant | (deviation == 0)] = 1
    return tuple(mean.tolist()), tuple(deviation.tolist())


def step(features: NDArray[np.float32], bits: int) -> float:
    """The power of two of which the largest feature is 2^bits at most."""
    largest = float(np.abs(features).max())
    return float(2.0 ** max(math.ceil(math.log2(largest)) - bits, LOWEST_POWER)) if largest else 1.0
