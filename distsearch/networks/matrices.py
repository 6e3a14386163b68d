"""A matrix of weights as a layer sees it: where it is in the flat weights, and how its numbers are rounded."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Shared
from distsearch.candidates.blocks import Block
from distsearch.networks.precision import FLOAT32, Precision

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A block of the weights, as it is."""

    block: Block
    precision: Precision = FLOAT32

    def of(self, weights: Array) -> Array:
        """The matrix, (rows, columns), of the flat weights, (n,)."""
        return self.block.matrix(weights)

    def each(self, candidates: Candidates) -> Array:
        """Each candidate's matrix, (candidates, rows, columns)."""
        return candidates.matrices(self.block)

    def apply(self, candidates: Candidates, inputs: Shared | Array, out: Array) -> None:
        """Multiply each candidate's matrix by its inputs: out, (candidates, rows, columns of the inputs)."""
        candidates.apply(self.block, inputs, out)


class Rounded(Matrix):
    """A block of the weights that the forward pass sees rounded to the precision."""

    __slots__ = ()

    def of(self, weights: Array) -> Array:
        """The matrix, (rows, columns), of the flat weights, (n,)."""
        return self.precision.rounded(self.block.matrix(weights))

    def each(self, candidates: Candidates) -> Array:
        """Each candidate's matrix, (candidates, rows, columns)."""
        return self.precision.rounded(candidates.matrices(self.block))

    def apply(self, candidates: Candidates, inputs: Shared | Array, out: Array) -> None:
        """Multiply each candidate's matrix by its inputs: out, (candidates, rows, columns of the inputs)."""
        np.matmul(self.each(candidates), inputs.array if isinstance(inputs, Shared) else inputs, out=out)
