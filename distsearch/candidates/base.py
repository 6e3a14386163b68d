"""What a strategy wants evaluated: weights for every candidate, applied one block at a time."""

from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.blocks import Block

Array = NDArray[np.float32]


class Shared:
    """Inputs that all candidates have in common, (columns, examples), so that products with them can be shared.

    They are identified by the object, not by its content: the same chunk of examples must be the same object. Products
    with inputs that are `kept` are as well.
    """

    __slots__ = ("array", "kept")

    def __init__(self, array: Array, kept: bool = True) -> None:
        self.array = array
        self.kept = kept


class Tiling(NamedTuple):
    """How much to compute together: enough to be fast, and little enough to fit the processor's cache."""

    candidates: int  # per tile
    examples: int  # per chunk
    in_cache: bool = True  # False on a GPU, where it is as much as fits its memory


@lru_cache(maxsize=64)
def boundaries(units: int, size: int) -> tuple[int, ...]:
    """Where tiles of a size begin and end among the units, from 0 to their number; the last tile may be smaller."""
    return *range(0, units, size), units


class Candidates(Protocol):
    """Weights for every candidate, in the form that the network needs."""

    def __len__(self) -> int: ...

    @classmethod
    def tiling(cls, dense: Tiling) -> Tiling:
        """The tiling that suits candidates of this kind, given the one that suits whole sets of weights, `dense`."""
        ...

    def dense(self) -> Array:
        """The weights of every candidate, (candidates, n)."""
        ...

    def matrices(self, block: Block) -> Array:
        """The block of every candidate, (candidates, rows, columns)."""
        ...

    def apply(self, block: Block, inputs: Shared | Array, out: Array) -> None:
        """Multiply each candidate's block by its inputs: out, (candidates, rows, examples).

        inputs are shared, or (candidates, columns, examples). Their last row is ones if the block's last column holds
        biases.
        """
        ...


class Dense:
    """Candidates as whole sets of weights, (candidates, n) float32."""

    __slots__ = ("weights",)

    def __init__(self, weights: Array) -> None:
        self.weights = weights

    def __len__(self) -> int:
        return len(self.weights)

    @classmethod
    def tiling(cls, dense: Tiling) -> Tiling:
        """The tiling that suits them."""
        return dense

    def dense(self) -> Array:
        """The weights of every candidate, (candidates, n)."""
        return self.weights

    def matrices(self, block: Block) -> Array:
        """The block of every candidate, (candidates, rows, columns)."""
        return block.matrices(self.weights)

    def apply(self, block: Block, inputs: Shared | Array, out: Array) -> None:
        """Multiply each candidate's block by its inputs, one matrix product per candidate.

        Stacked into one product, their number would change the last bits.
        """
        # As block.matrices, whose call would cost as much as the reshaping: this is done for each layer in every round.
        matrices = self.weights[:, block.span].reshape(-1, block.rows, block.columns)
        np.matmul(matrices, inputs.array if isinstance(inputs, Shared) else inputs, out=out)
