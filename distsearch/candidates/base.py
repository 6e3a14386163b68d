"""What is searched, and what a strategy asks to be tried: weights for every candidate, applied a layer at a time."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Layer:
    """Where a dense layer stands in the flat weights: (outputs, inputs + 1), the biases as the last column."""

    start: int
    inputs: int
    outputs: int

    @property
    def stop(self) -> int:
        """The first index behind the layer."""
        return self.start + self.outputs * (self.inputs + 1)

    def matrix(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """The layer's part of the flat weights, (n,), as (outputs, inputs + 1): a view."""
        return weights[self.start : self.stop].reshape(self.outputs, self.inputs + 1)


@dataclass(frozen=True, slots=True)
class Space:
    """What is searched: n weights, the layers that they make up, and how much of the data a round sees."""

    weights_count: int
    layers: tuple[Layer, ...] = ()  # none where a function of the user's own is searched
    examples: int = 0  # to be learnt from
    batch: int = 0  # of these, how many a round is scored on
    flat: bool = False  # whether the loss is flat between steps, as 0-1 error is
    rounds: int | None = None  # how many there are to be, if that is known
    numbers: bool = False  # whether the loss compares numbers
    steps: bool = False  # whether activations jump

    @property
    def share(self) -> float:
        """The share of the examples that a round sees; 1 for a function."""
        return self.batch / self.examples if self.examples else 1.0

    @property
    def minibatch(self) -> bool:
        """Whether every round sees other examples."""
        return self.batch < self.examples


class Candidates(Protocol):
    """Weights for every candidate, as the network asks for them."""

    def __len__(self) -> int: ...

    def dense(self) -> NDArray[np.float32]:
        """The weights of every candidate, (candidates, n)."""
        ...

    def apply(self, layer: Layer, inputs: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Apply each candidate's layer to its inputs.

        inputs is (inputs + 1, examples), shared, or (candidates, inputs + 1, examples); its last row is ones, so
        that the bias rides in the product. out is (candidates, outputs, examples).
        """
        ...


class Dense:
    """Candidates as whole sets of weights, (candidates, n) float32."""

    __slots__ = ("weights",)

    def __init__(self, weights: NDArray[np.float32]) -> None:
        self.weights = weights

    def __len__(self) -> int:
        return len(self.weights)

    def dense(self) -> NDArray[np.float32]:
        """The weights of every candidate, (candidates, n)."""
        return self.weights

    def apply(self, layer: Layer, inputs: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Apply each candidate's layer, a matrix product of its own.

        Stacking them into one would change the last bits with their number.
        """
        matrices = self.weights[:, layer.start : layer.stop]
        np.matmul(matrices.reshape(len(self.weights), layer.outputs, layer.inputs + 1), inputs, out=out)
