"""Mirrored pairs: candidates around a center, two at a time, at opposite ends of one step.

All candidates share the center's product with shared inputs, and the two of a pair share their step's product up to
sign. So a block applied to shared inputs, such as the first layer, costs a pair one product instead of two.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Shared, Tiling
from distsearch.candidates.blocks import Block

Array = NDArray[np.float32]

LOW_RANK_TILING = Tiling(32, 256)


@dataclass(frozen=True, slots=True)
class Pairs:
    """The units [lo, hi): unit 0 is the center; units 2p + 1 and 2p + 2 are plus and minus the step of pair p."""

    lo: int
    hi: int

    def __len__(self) -> int:
        return self.hi - self.lo

    @property
    def first(self) -> int:
        """The first pair whose step these units need."""
        return max(0, self.lo - 1) // 2

    @property
    def last(self) -> int:
        """One past the last pair whose step these units need."""
        return self.hi // 2

    def spread(self, middle: Array, steps: Array, out: Array) -> None:
        """Fill out, (units, …), with middle ± each unit's step; middle is (…), steps are (pairs, …).

        For whole pairs, steps may be stored in out itself, in the part that `minus` returns.
        """
        if not self._whole:
            np.add(middle, self._signed(steps), out=out)
            if self.lo == 0:
                out[0] = middle
            return
        if self.lo == 0:
            out[0] = middle
            out = out[1:]
        np.add(middle, steps, out=out[::2])
        np.subtract(middle, steps, out=out[1::2])

    def minus(self, out: Array) -> Array:
        """The part of out, (units, …), that can hold the steps, (pairs, …), until they are spread."""
        if self._whole:
            return out[1 + (self.lo == 0) :: 2]
        return np.empty((self.last - self.first, *out.shape[1:]), np.float32)

    @property
    def _whole(self) -> bool:
        """Whether these units are whole pairs, with or without the center before them."""
        return (self.lo % 2 == 1 or self.lo == 0) and self.hi % 2 == 1

    def _signed(self, steps: Array) -> Array:
        """The signed step of each unit, (units, …); that of the center, which has none, means nothing."""
        units = np.arange(self.lo, self.hi)
        signs = np.where(units % 2, np.float32(1), np.float32(-1))
        places = np.maximum(units - 1, 0) // 2 - self.first
        return signs.reshape(-1, *[1] * (steps.ndim - 1)) * steps[places]


def tiles(units: int, size: int, center_apart: bool = False) -> Sequence[int]:
    """The boundaries of tiles of whole pairs, at most `size` candidates each.

    The center is in the first tile or, with `center_apart`, by itself.
    """
    whole = max(2, size - size % 2)
    return [0, *range(1 if center_apart else 1 + whole, units, whole), units]


def whole_pairs(population: int) -> int:
    """The population, rounded up to a center and whole pairs."""
    return population + (population + 1) % 2


class Products:
    """The center's products with shared inputs: each computed once, for all candidates around that center."""

    def __init__(self) -> None:
        # The center and its products, keyed by their inputs and the block's start: one value, read and replaced at
        # once, as other threads may have different centers.
        self._latest: tuple[Array | None, dict[tuple[Shared, int], Array]] = None, {}

    def __reduce__(self) -> tuple[type["Products"], tuple[()]]:
        return Products, ()

    def of(self, center: Array, block: Block, inputs: Shared) -> Array:
        """The center's block times inputs, (columns, examples): (rows, examples)."""
        known, kept = self._latest
        if center is not known:
            _, kept = self._latest = center, {}
        key = inputs, block.start
        product = kept.get(key)
        if product is None:
            product = np.matmul(block.matrix(center)[np.newaxis], inputs.array)[0]  # the way candidates' are computed
            if inputs.kept:
                kept[key] = product
        return product


class Mirrored(ABC):
    """Candidates around a center: block i of each is Wᵢ, or Wᵢ ± Sᵢ, where S is the step of its pair."""

    __slots__ = ("_blocks", "_center", "_matrices", "_pairs", "_products")

    def __init__(self, pairs: Pairs, center: Array, products: Products, blocks: tuple[Block, ...]) -> None:
        self._pairs = pairs
        self._center = center
        self._products = products
        self._blocks = blocks
        self._matrices: dict[int, Array] = {}  # by block start, of blocks whose inputs differ between candidates

    def __len__(self) -> int:
        return len(self._pairs)

    @classmethod
    def tiling(cls, dense: Tiling) -> Tiling:
        """The tiling that suits them."""
        return dense

    @abstractmethod
    def _steps_of(self, block: Block) -> Array:
        """The block's step of every pair, (pairs, rows, columns)."""

    @abstractmethod
    def _apply_steps(self, block: Block, inputs: Array, out: Array) -> None:
        """Multiply the block's step of every pair by inputs, (columns, examples): out, (pairs, rows, examples)."""

    def dense(self) -> Array:
        """The weights of every candidate, (candidates, n)."""
        return np.concatenate([self._matrix(block).reshape(len(self), -1) for block in self._blocks], axis=1)

    def apply(self, block: Block, inputs: Shared | Array, out: Array) -> None:
        """Multiply each candidate's block by its inputs; if shared, the center's and the steps' products separately."""
        if isinstance(inputs, Shared):
            steps = self._pairs.minus(out)
            self._apply_steps(block, inputs.array, steps)
            self._pairs.spread(self._products.of(self._center, block, inputs), steps, out)
            return
        np.matmul(self.matrices(block), inputs, out=out)

    def matrices(self, block: Block) -> Array:
        """The block of every candidate, (candidates, rows, columns)."""
        if block.start not in self._matrices:  # kept, as the examples come chunk by chunk
            self._matrices[block.start] = self._matrix(block)
        return self._matrices[block.start]

    def _matrix(self, block: Block) -> Array:
        """The block of every candidate, (candidates, rows, columns)."""
        matrices = np.empty((len(self), block.rows, block.columns), np.float32)
        self._pairs.spread(block.matrix(self._center), self._steps_of(block), matrices)
        return matrices


class FullRank(Mirrored):
    """Mirrored pairs with dense steps of all weights, (pairs, n)."""

    __slots__ = ("_steps",)

    def __init__(
        self, pairs: Pairs, center: Array, products: Products, blocks: tuple[Block, ...], steps: Array
    ) -> None:
        super().__init__(pairs, center, products, blocks)
        self._steps = steps

    def dense(self) -> Array:
        """The weights of every candidate, (candidates, n)."""
        weights = np.empty((len(self), self._center.size), np.float32)
        self._pairs.spread(self._center, self._steps, weights)
        return weights

    def _steps_of(self, block: Block) -> Array:
        return block.matrices(self._steps)

    def _apply_steps(self, block: Block, inputs: Array, out: Array) -> None:
        np.matmul(self._steps_of(block), inputs, out=out)


@dataclass(frozen=True, slots=True)
class Step:
    """What is added to the center to make a low-rank candidate."""

    _factors: Array  # of its pair alone, (1, Σ r (rows + columns))
    _blocks: tuple[Block, ...]
    _rank: int
    _scale: np.float32  # with the candidate's sign

    def factors(self, block: Block) -> tuple[Array, Array]:
        """The block's ±σ/√r · A, (rows, r), and Bᵀ, (r, columns)."""
        left, right = factors_of(self._factors, self._blocks, block, self._rank)
        return left[0] * self._scale, right[0]


class LowRank(Mirrored):
    """Mirrored pairs with steps σ/√r · A Bᵀ in every block.

    A is (rows, r) and B (columns, r), both standard normal (EGGROLL: Sarkar et al. 2025, arXiv 2511.16652). With shared
    inputs, a block costs a pair r vectors instead of a matrix. The factors of all pairs are
    (pairs, Σ r (rows + columns)).
    """

    __slots__ = ("_factors", "_rank", "_scale")

    def __init__(
        self,
        pairs: Pairs,
        center: Array,
        products: Products,
        blocks: tuple[Block, ...],
        factors: Array,
        rank: int,
        sigma: float,
    ) -> None:
        super().__init__(pairs, center, products, blocks)
        self._factors = factors
        self._rank = rank
        self._scale = np.float32(sigma / np.sqrt(rank))

    @classmethod
    def tiling(cls, dense: Tiling) -> Tiling:
        """Many pairs and few examples: the first layer is one product for all pairs."""
        return LOW_RANK_TILING if dense.in_cache else dense

    @property
    def center(self) -> Array:
        """The weights that the candidates are around, (n,)."""
        return self._center

    def steps(self) -> Iterator[Step | None]:
        """Every candidate's step from the center; None for the center itself."""
        for unit in range(self._pairs.lo, self._pairs.hi):
            pair = (unit - 1) // 2 - self._pairs.first
            scale = self._scale if unit % 2 else -self._scale
            yield Step(self._factors[pair : pair + 1], self._blocks, self._rank, scale) if unit else None

    def _steps_of(self, block: Block) -> Array:
        left, right = self._of(block)
        return np.matmul(left, right)

    def _apply_steps(self, block: Block, inputs: Array, out: Array) -> None:
        left, right = self._of(block)
        projected = np.matmul(right.reshape(-1, right.shape[2]), inputs).reshape(len(right), self._rank, -1)
        if self._rank == 1:
            np.multiply(left, projected, out=out)
        else:
            np.matmul(left, projected, out=out)

    def _of(self, block: Block) -> tuple[Array, Array]:
        """σ/√r · A, (pairs, rows, r), and Bᵀ, (pairs, r, columns)."""
        left, right = factors_of(self._factors, self._blocks, block, self._rank)
        return left * self._scale, right


def factors_width(blocks: tuple[Block, ...], rank: int) -> int:
    """The number of values in the factors of one pair."""
    return sum(rank * (block.rows + block.columns) for block in blocks)


def factors_of(factors: Array, blocks: tuple[Block, ...], block: Block, rank: int) -> tuple[Array, Array]:
    """A block's A, (pairs, rows, r), and Bᵀ, (pairs, r, columns), from the factors of some pairs."""
    start = factors_width(blocks[: blocks.index(block)], rank)
    middle = start + rank * block.rows
    stop = middle + rank * block.columns
    left = factors[:, start:middle].reshape(-1, block.rows, rank)
    return left, factors[:, middle:stop].reshape(-1, rank, block.columns)
