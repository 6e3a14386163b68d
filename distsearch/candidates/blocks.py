"""How a network's flat weights are divided into matrices, and into nodes that can be moved one by one."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Block:
    """The location of a matrix, (rows, columns), in the flat weights, row by row.

    A dense layer is one block, (outputs, inputs + 1), whose last column holds the biases.
    """

    start: int
    rows: int
    columns: int
    span: slice = field(init=False, repr=False, compare=False)
    """Where it is in the flat weights."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "span", slice(self.start, self.stop))

    @property
    def size(self) -> int:
        """The number of weights in the block."""
        return self.rows * self.columns

    @property
    def stop(self) -> int:
        """One past the block's last index."""
        return self.start + self.size

    def matrix(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """The block's part of the flat weights, (n,), as a view, (rows, columns)."""
        return weights[self.span].reshape(self.rows, self.columns)

    def matrices(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same for several sets of weights, (sets, n): (sets, rows, columns)."""
        return weights[:, self.span].reshape(-1, self.rows, self.columns)


class NodeLayer(NamedTuple):
    """The nodes of one layer, which node perturbation moves, and the cost of one such experiment.

    Their weights follow each other, node by node, and those of the layers do too.
    """

    nodes: int
    price: float  # multiplications per example that moving one group of nodes, at all their places, causes above
    width: int  # weights of each node
    places: int = 1  # at which each node is moved by itself: the positions of a convolution's channel
    products: int = 0  # multiplications per example of the layer's own forward pass
    groups: int = 128  # groups that its price affords
    worth: float = 0.0  # multiplications per example below which a unit is not worth its calls

    def group_size(self, groups: int | None) -> int:
        """The number of nodes that are moved together, for that many groups or fewer; None: as can be afforded."""
        return -(-self.nodes // (groups or self.groups))
