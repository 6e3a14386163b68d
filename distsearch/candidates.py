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


class Products:
    """What the first layer of a center makes of its inputs: made once, and shared by all candidates around it."""

    def __init__(self, center: NDArray[np.float32]) -> None:
        self.center = center
        self._kept: dict[tuple[int, ...], tuple[NDArray[np.float32], NDArray[np.float32]]] = {}

    def of(self, layer: Layer, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """The layer applied to inputs, (inputs + 1, examples): (outputs, examples)."""
        key = (inputs.ctypes.data, *inputs.shape)
        if key not in self._kept:  # the inputs are kept as well, so that nothing else can take their address
            self._kept[key] = inputs, np.matmul(layer.matrix(self.center), inputs)
        return self._kept[key][1]


class LowRank:
    """Mirrored pairs of candidates around a center: layer i of a pair's candidates is Wᵢ ± σ/√r · A Bᵀ.

    A is (outputs, r) and B (inputs + 1, r), both standard normal (EGGROLL: Sarkar et al. 2025, arXiv 2511.16652).
    The first layer costs a candidate r vectors instead of a matrix, because W X is shared, and so is A Bᵀ X by a pair.
    factors are those of the pairs, (pairs, Σ r (outputs + inputs + 1)); candidate k belongs to pair pairs[k], and
    signs[k] is its sign; 0 makes it the center.
    """

    __slots__ = ("_aligned", "_factors", "_layers", "_matrices", "_pairs", "_products", "_rank", "_scale", "_signs")

    def __init__(
        self,
        products: Products,
        layers: tuple[Layer, ...],
        factors: NDArray[np.float32],
        rank: int,
        sigma: float,
        pairs: NDArray[np.intp],
        signs: NDArray[np.float32],
    ) -> None:
        self._products = products
        self._layers = layers
        self._factors = factors
        self._rank = rank
        self._scale = np.float32(sigma / np.sqrt(rank))
        self._pairs = pairs
        self._signs = signs
        self._matrices: dict[Layer, NDArray[np.float32]] = {}  # of layers that are not applied apart
        self._aligned = len(pairs) == 2 * len(factors) and bool((signs[::2] == 1).all() and (signs[1::2] == -1).all())

    def __len__(self) -> int:
        return len(self._pairs)

    def dense(self) -> NDArray[np.float32]:
        """The weights of every candidate, (candidates, n)."""
        return np.concatenate([self._matrix(layer).reshape(len(self), -1) for layer in self._layers], axis=1)

    def apply(self, layer: Layer, inputs: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Apply each candidate's layer; where all have the same inputs, its low-rank part apart."""
        if inputs.ndim == 2:
            self._apply_shared(layer, inputs, out)
            return
        # Every candidate has inputs of its own, so nothing is to be shared: W + σ/√r · A Bᵀ costs the fewest products.
        if layer not in self._matrices:  # the examples come chunk by chunk
            self._matrices[layer] = self._matrix(layer)
        np.matmul(self._matrices[layer], inputs, out=out)

    def _matrix(self, layer: Layer) -> NDArray[np.float32]:
        """The layer of every candidate, (candidates, outputs, inputs + 1)."""
        left, right = self._of(layer)
        matrices = self._signs[:, np.newaxis, np.newaxis] * np.matmul(left, right)[self._pairs]
        matrices += layer.matrix(self._products.center)
        return matrices

    def _apply_shared(self, layer: Layer, inputs: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        product = self._products.of(layer, inputs)
        left, right = self._of(layer)
        projected = np.matmul(right.reshape(-1, right.shape[2]), inputs).reshape(len(right), self._rank, -1)
        if not self._aligned:
            steps = np.matmul(left, projected)[self._pairs]
            np.add(product, self._signs[:, np.newaxis, np.newaxis] * steps, out=out)
            return
        plus, minus = out[::2], out[1::2]
        if self._rank == 1:
            np.multiply(left, projected, out=minus)
        else:
            np.matmul(left, projected, out=minus)
        np.add(product, minus, out=plus)
        np.subtract(product, minus, out=minus)

    def _of(self, layer: Layer) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """σ/√r · A, (pairs, outputs, r), and Bᵀ, (pairs, r, inputs + 1)."""
        left, right = factors_of(self._factors, self._layers, layer, self._rank)
        return left * self._scale, right


def factors_width(layers: tuple[Layer, ...], rank: int) -> int:
    """The numbers that make up the factors of one pair."""
    return sum(rank * (layer.outputs + layer.inputs + 1) for layer in layers)


def factors_of(
    factors: NDArray[np.float32], layers: tuple[Layer, ...], layer: Layer, rank: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A layer's A, (pairs, outputs, r), and Bᵀ, (pairs, r, inputs + 1), in the factors of some pairs."""
    start = factors_width(layers[: layers.index(layer)], rank)
    middle = start + rank * layer.outputs
    stop = middle + rank * (layer.inputs + 1)
    left = factors[:, start:middle].reshape(-1, layer.outputs, rank)
    return left, factors[:, middle:stop].reshape(-1, rank, layer.inputs + 1)
