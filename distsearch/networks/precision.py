"""How many bits the weights have in the forward pass; the search moves them in float32 all the same.

Weights of few bits are whole numbers of a step, which is a power of two: sums of their products with activations of few
bits are then exact, in whatever order they are added. The latent weights that they are rounded from add up moves too
small to show (BinaryConnect: Courbariaux, Bengio and David 2015, arXiv 1511.00363).
"""

import math

import numpy as np
from numpy.typing import NDArray

from distsearch.registry import Registry

Array = NDArray[np.float32]

MOST_STEPS = 127
INT8_RANGE = 8.0  # the largest int8 weight, in units of initial weights (he)
SINGLE_STEP = 1.5  # for one input: about √2, as initial weights (he), and midway between powers of two the larger one
SIGN_BIT = np.uint32(1 << 31)
ONE = np.float32(1).view(np.uint32)


class Precision:
    """A way of rounding weights; by itself, none."""

    bits = 32
    whole = False
    """Whether weights are whole numbers of a power of two."""

    def rounded(self, matrices: Array) -> Array:
        """The weights as the forward pass sees them, (…, rows, columns), the last column of each matrix its biases."""
        return matrices


class WholeSteps(Precision):
    """Weights of whole steps, the nearest ones, that many up or down at most; biases may be 127 up or down.

    With one step this is ternary, with zeros where latent weights are below half a step (Li and Liu 2016, arXiv
    1605.04711, have them below 0.7 of the mean, which is close to it).
    """

    whole = True

    def __init__(self, bits: int, most: int, finest: float) -> None:
        self.bits = bits
        self._most = most
        self._finest = finest  # for one input

    def step(self, inputs: int) -> float:
        """The step of neurons with that many inputs: the power of two that is nearest to `finest`/√inputs."""
        return float(2.0 ** round(math.log2(self._finest / math.sqrt(inputs))))

    def rounded(self, matrices: Array) -> Array:
        """The weights in whole steps, (…, rows, columns)."""
        steps = self.steps(matrices)
        steps *= np.float32(self.step(matrices.shape[-1] - 1))
        return steps

    def steps(self, matrices: Array) -> Array:
        """The number of steps that each weight is rounded to, (…, rows, columns)."""
        per_step = np.float32(1 / self.step(matrices.shape[-1] - 1))
        steps = self._nearest(matrices, per_step)
        if self._most < MOST_STEPS:
            steps[..., -1] = _clipped(matrices[..., -1] * per_step, MOST_STEPS)
        return steps

    def _nearest(self, matrices: Array, per_step: np.float32) -> Array:
        return _clipped(matrices * per_step, self._most)


class Binary(WholeSteps):
    """Weights of one step up or down, by their signs (that of zero is its sign bit)."""

    def _nearest(self, matrices: Array, per_step: np.float32) -> Array:
        ones = matrices.view(np.uint32) & SIGN_BIT  # sixteen times as fast as np.where
        ones |= ONE
        return ones.view(np.float32)


def _clipped(steps: Array, most: int) -> Array:
    np.rint(steps, out=steps)
    return np.clip(steps, -most, most, out=steps)


FLOAT32 = Precision()
PRECISIONS: Registry[Precision] = Registry(
    "precision",
    "precisions",
    {
        "float32": FLOAT32,
        "int8": WholeSteps(8, MOST_STEPS, INT8_RANGE * math.sqrt(2) / MOST_STEPS),
        "ternary": WholeSteps(2, 1, SINGLE_STEP),
        "binary": Binary(1, 1, SINGLE_STEP),
    },
    lambda found: isinstance(found, Precision),
    "a distsearch.networks.precision.Precision",
)
