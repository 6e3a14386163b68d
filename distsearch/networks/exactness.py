"""Sums that are the same in whatever order they are added: those of whole numbers that float32 can hold.

A matrix product of few-bit weights and few-bit activations is such a sum, so it does not depend on which kernel of BLAS
computes it. These make the rest of node perturbation so: the products of slopes and inputs, and the inputs' size.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

EXACT_BITS = 24  # of float32
LOWEST_POWER = -100  # of slopes; smaller ones are as good as zero


def coarsened(slopes: Array, input_bits: int) -> Array:
    """Slopes, (nodes, examples), whose products with inputs of that many bits have exact sums over the examples.

    Each node's are rounded to whole numbers of a power of two, up to as many as leave room for the sum.
    """
    bits = EXACT_BITS - input_bits - (slopes.shape[1] - 1).bit_length()
    _, powers = np.frexp(np.maximum.reduce(np.abs(slopes), axis=1, keepdims=True))
    steps = np.ldexp(np.float32(1), np.maximum(powers, LOWEST_POWER) - bits)
    coarse = slopes / steps
    np.rint(coarse, out=coarse)
    coarse *= steps
    return coarse


def sum_of_squares(numbers: Array) -> float:
    """Σ x², (n,), by NumPy's own sum instead of BLAS."""
    return float(np.add.reduce(np.square(numbers)))
