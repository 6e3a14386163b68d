"""What a strategy asks to be tried: weights for every candidate, applied a layer at a time."""

from dataclasses import dataclass

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
        """Apply each candidate's layer to its inputs.

        inputs is (inputs + 1, examples), shared, or (candidates, inputs + 1, examples); its last row is ones, so
        that the bias rides in the product. out is (candidates, outputs, examples). Each candidate is a matrix
        product of its own: stacking them into one would change the last bits with their number.
        """
        matrices = self.weights[:, layer.start : layer.stop]
        np.matmul(matrices.reshape(len(self.weights), layer.outputs, layer.inputs + 1), inputs, out=out)
