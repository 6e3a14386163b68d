"""What a strategy asks to be evaluated: weights for every candidate, applied one block at a time."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.blocks import Block

Array = NDArray[np.float32]


class Shared:
    """Inputs that are the same for every candidate, (columns, examples), so that products with them can be shared.

    The object itself, not its content, identifies them: the same chunk of examples must be the same object.
    """

    __slots__ = ("array",)

    def __init__(self, array: Array) -> None:
        self.array = array


class Tiling(NamedTuple):
    """How much is computed together: enough to be fast, and little enough to stay in the processor's cache."""

    candidates: int  # per tile
    examples: int  # per chunk


class Candidates(Protocol):
    """Weights for every candidate, as the network asks for them."""

    def __len__(self) -> int: ...

    @classmethod
    def tiling(cls, dense: Tiling) -> Tiling:
        """The tiling that suits candidates of this kind, where `dense` suits whole sets of weights."""
        ...

    def dense(self) -> Array:
        """The weights of every candidate, (candidates, n)."""
        ...

    def apply(self, block: Block, inputs: Shared | Array, out: Array) -> None:
        """Multiply each candidate's block by its inputs: out, (candidates, rows, examples).

        inputs are shared, or (candidates, columns, examples). Their last row is ones where the block's last column
        holds biases.
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

    def apply(self, block: Block, inputs: Shared | Array, out: Array) -> None:
        """Multiply each candidate's block by its inputs, one matrix product per candidate.

        Stacking them into one product would change the last bits with their number.
        """
        np.matmul(block.matrices(self.weights), inputs.array if isinstance(inputs, Shared) else inputs, out=out)
