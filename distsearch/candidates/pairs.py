"""Mirrored pairs: candidates around a center, two and two at opposite ends of one step.

What the center's first layer makes of the data is the same for all of them, and what a step's makes of it is the same,
but for the sign, for both of a pair. So the first layer costs a pair one product instead of two.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Layer

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Units in a row, lo to hi: unit 0 is the center; units 2p + 1 and 2p + 2 are plus and minus the step of pair p."""

    lo: int
    hi: int

    def __len__(self) -> int:
        return self.hi - self.lo

    @property
    def first(self) -> int:
        """The first pair whose step they need."""
        return max(0, self.lo - 1) // 2

    @property
    def last(self) -> int:
        """The pair behind the last whose step they need."""
        return self.hi // 2

    def spread(self, middle: Array, steps: Array, out: Array) -> None:
        """Fill out, (units, …), with middle ± each unit's step; middle is (…), steps are (pairs, …).

        Where whole pairs are asked for, steps may lie at the places of their minus in out, see `minus`.
        """
        if not self._whole:
            np.add(middle, self._signed(steps), out=out)
            return
        if self.lo == 0:
            out[0] = middle
            out = out[1:]
        np.add(middle, steps, out=out[::2])
        np.subtract(middle, steps, out=out[1::2])

    def minus(self, out: Array) -> Array:
        """Where in out, (units, …), there is room for the steps, (pairs, …), until they are spread."""
        if self._whole:
            return out[1 + (self.lo == 0) :: 2]
        return np.empty((self.last - self.first, *out.shape[1:]), np.float32)

    @property
    def _whole(self) -> bool:
        """Whether they are whole pairs, with or without the center before them."""
        return (self.lo % 2 == 1 or self.lo == 0) and self.hi % 2 == 1

    def _signed(self, steps: Array) -> Array:
        """The step of each unit with its sign, (units, …); that of the center is 0."""
        units = np.arange(self.lo, self.hi)
        signs = np.where(units % 2, np.float32(1), np.float32(-1))
        signs[units == 0] = 0
        places = np.maximum(units - 1, 0) // 2 - self.first
        return signs.reshape(-1, *[1] * (steps.ndim - 1)) * steps[places]


def tiles(units: int, size: int, center_apart: bool = False) -> Sequence[int]:
    """The boundaries of tiles of whole pairs, at most `size` candidates each; the center with the first, or apart."""
    whole = max(2, size - size % 2)
    return [0, *range(1 if center_apart else 1 + whole, units, whole), units]


def whole_pairs(population: int) -> int:
    """The population, rounded up to a center and whole pairs."""
    return population + (population + 1) % 2


class Products:
    """What the first layer of a center makes of its inputs: made once, and shared by all candidates around it."""

    def __init__(self) -> None:
        # The center, and by address and shape its inputs with their products: as one, to be read and replaced at once,
        # for other threads may have other centers.
        self._latest: tuple[Array | None, dict[tuple[int, ...], tuple[Array, Array]]] = None, {}

    def __reduce__(self) -> tuple[type["Products"], tuple[()]]:
        return Products, ()

    def of(self, center: Array, layer: Layer, inputs: Array) -> Array:
        """The center's layer applied to inputs, (inputs + 1, examples): (outputs, examples)."""
        known, kept = self._latest
        if center is not known:
            _, kept = self._latest = center, {}
        key = (inputs.ctypes.data, *inputs.shape)
        if key not in kept:  # the inputs are kept as well, so that nothing else can take their address
            kept[key] = inputs, np.matmul(layer.matrix(center)[np.newaxis], inputs)[0]  # as a candidate's is made
        return kept[key][1]


class Mirrored(ABC):
    """Candidates around a center: layer i of each is Wᵢ, or Wᵢ ± Sᵢ, S being the step of its pair."""

    __slots__ = ("_center", "_layers", "_matrices", "_pairs", "_products")

    def __init__(self, pairs: Pairs, center: Array, products: Products, layers: tuple[Layer, ...]) -> None:
        self._pairs = pairs
        self._center = center
        self._products = products
        self._layers = layers
        self._matrices: dict[Layer, Array] = {}  # of layers that are not applied apart

    def __len__(self) -> int:
        return len(self._pairs)

    @abstractmethod
    def _steps_of(self, layer: Layer) -> Array:
        """The layer's step of every pair, (pairs, outputs, inputs + 1)."""

    @abstractmethod
    def _apply_steps(self, layer: Layer, inputs: Array, out: Array) -> None:
        """Apply the layer's step of every pair to inputs, (inputs + 1, examples); out is (pairs, outputs, examples)."""

    def dense(self) -> Array:
        """The weights of every candidate, (candidates, n)."""
        return np.concatenate([self._matrix(layer).reshape(len(self), -1) for layer in self._layers], axis=1)

    def apply(self, layer: Layer, inputs: Array, out: Array) -> None:
        """Apply each candidate's layer; where all have the same inputs, the center's and the steps apart."""
        if inputs.ndim == 2:
            steps = self._pairs.minus(out)
            self._apply_steps(layer, inputs, steps)
            self._pairs.spread(self._products.of(self._center, layer, inputs), steps, out)
            return
        # Every candidate has inputs of its own, so nothing is to be shared.
        if layer not in self._matrices:  # the examples come chunk by chunk
            self._matrices[layer] = self._matrix(layer)
        np.matmul(self._matrices[layer], inputs, out=out)

    def _matrix(self, layer: Layer) -> Array:
        """The layer of every candidate, (candidates, outputs, inputs + 1)."""
        matrices = np.empty((len(self), layer.outputs, layer.inputs + 1), np.float32)
        self._pairs.spread(layer.matrix(self._center), self._steps_of(layer), matrices)
        return matrices


class FullRank(Mirrored):
    """Mirrored pairs by steps of all weights at once, (pairs, n)."""

    __slots__ = ("_steps",)

    def __init__(
        self, pairs: Pairs, center: Array, products: Products, layers: tuple[Layer, ...], steps: Array
    ) -> None:
        super().__init__(pairs, center, products, layers)
        self._steps = steps

    def dense(self) -> Array:
        """The weights of every candidate, (candidates, n)."""
        weights = np.empty((len(self), self._center.size), np.float32)
        self._pairs.spread(self._center, self._steps, weights)
        return weights

    def _steps_of(self, layer: Layer) -> Array:
        return self._steps[:, layer.start : layer.stop].reshape(-1, layer.outputs, layer.inputs + 1)

    def _apply_steps(self, layer: Layer, inputs: Array, out: Array) -> None:
        np.matmul(self._steps_of(layer), inputs, out=out)


class LowRank(Mirrored):
    """Mirrored pairs by steps σ/√r · A Bᵀ in every layer.

    A is (outputs, r) and B (inputs + 1, r), both standard normal (EGGROLL: Sarkar et al. 2025, arXiv 2511.16652).
    The first layer costs a pair r vectors instead of a matrix. factors are those of the pairs,
    (pairs, Σ r (outputs + inputs + 1)).
    """

    __slots__ = ("_factors", "_rank", "_scale")

    def __init__(
        self,
        pairs: Pairs,
        center: Array,
        products: Products,
        layers: tuple[Layer, ...],
        factors: Array,
        rank: int,
        sigma: float,
    ) -> None:
        super().__init__(pairs, center, products, layers)
        self._factors = factors
        self._rank = rank
        self._scale = np.float32(sigma / np.sqrt(rank))

    def _steps_of(self, layer: Layer) -> Array:
        left, right = self._of(layer)
        return np.matmul(left, right)

    def _apply_steps(self, layer: Layer, inputs: Array, out: Array) -> None:
        left, right = self._of(layer)
        projected = np.matmul(right.reshape(-1, right.shape[2]), inputs).reshape(len(right), self._rank, -1)
        if self._rank == 1:
            np.multiply(left, projected, out=out)
        else:
            np.matmul(left, projected, out=out)

    def _of(self, layer: Layer) -> tuple[Array, Array]:
        """σ/√r · A, (pairs, outputs, r), and Bᵀ, (pairs, r, inputs + 1)."""
        left, right = factors_of(self._factors, self._layers, layer, self._rank)
        return left * self._scale, right


def factors_width(layers: tuple[Layer, ...], rank: int) -> int:
    """The numbers that make up the factors of one pair."""
    return sum(rank * (layer.outputs + layer.inputs + 1) for layer in layers)


def factors_of(factors: Array, layers: tuple[Layer, ...], layer: Layer, rank: int) -> tuple[Array, Array]:
    """A layer's A, (pairs, outputs, r), and Bᵀ, (pairs, r, inputs + 1), in the factors of some pairs."""
    start = factors_width(layers[: layers.index(layer)], rank)
    middle = start + rank * layer.outputs
    stop = middle + rank * (layer.inputs + 1)
    left = factors[:, start:middle].reshape(-1, layer.outputs, rank)
    return left, factors[:, middle:stop].reshape(-1, rank, layer.inputs + 1)
