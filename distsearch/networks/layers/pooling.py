"""Pooling as a layer of its own: of examples, or of what is no convolution. After a convolution it is part of it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Shared
from distsearch.networks.building import Builder, whole
from distsearch.networks.changes import Change, Everything, Reach
from distsearch.networks.graph import Graph, Value
from distsearch.networks.layers.base import Layer, one_each
from distsearch.networks.layers.convolution import Convolution
from distsearch.networks.layers.images import Images
from distsearch.networks.layers.pools import NO_POOL, Pool

Array = NDArray[np.float32]

POOL_COST = 20.0  # measured cost of comparing a number, in multiplications


class Trace(NamedTuple):
    """A forward pass."""

    inputs: Array  # (rows below, columns)
    activations: Array  # (rows, columns)


class Pooling(Layer):
    """The largest or the mean of squares of each channel."""

    kind = "pool"

    def __init__(self, pool: Pool, below: Images) -> None:
        self._pool = pool
        self._below = below
        self.shape = below.channels, below.height // pool.size, below.width // pool.size
        self.times = below.times

    def buffers(self, candidates: int, examples: int) -> Array:
        """Memory for the activations of that many candidates on that many examples."""
        return np.ones((candidates, self.rows, examples * self.times), np.float32)

    def forward(self, candidates: Candidates, below: Shared | Array, buffers: Array) -> Array:
        """The pooled activations, (candidates, rows, columns)."""
        return self._pooled(one_each(below, len(candidates)), buffers)

    def express(self, graph: Graph, weights: Array, below: list[Value]) -> list[Value]:
        """The pooled activations of each step."""
        pooled = [self._pool.express(graph, self._below.express(graph, value)) for value in below]
        return [graph.reshaped(value, self.outputs) for value in pooled]

    def trace(self, weights: Array, below: Array) -> Trace:
        """The pooled activations of activations below, (rows, columns)."""
        return Trace(below, self._pooled(below[np.newaxis], self.buffers(1, below.shape[1] // self.times))[0])

    def _pooled(self, below: Array, out: Array) -> Array:
        out[:, :-1] = self._pool.of(self._below.of(below)).reshape(len(below), self.outputs, -1)
        return out

    def after(self, trace: Trace, change: Change) -> Everything:
        """All of the pooled images again."""
        given = change.everything(trace.inputs)
        return Everything(self._pooled(given, self.buffers(len(given), given.shape[2] // self.times)))

    def reached(self, below: Reach) -> Reach:
        """All of the image."""
        numbers = self.outputs * self.times
        cost = POOL_COST * self._pool.size**2 * numbers
        return Reach(self.rows, None, below.multiplications + cost, below.numbers + numbers)


def largest_from_word(arguments: str, builder: Builder) -> Layer:
    """The layer of a word such as pool2: the largest of each square of 2 × 2."""
    return _from_word("pool", arguments, builder, mean=False)


def mean_from_word(arguments: str, builder: Builder) -> Layer:
    """The layer of a word such as avgpool2: the mean of each square of 2 × 2."""
    return _from_word("avgpool", arguments, builder, mean=True)


def _from_word(name: str, arguments: str, builder: Builder, mean: bool) -> Layer:
    pool, word = Pool(whole(arguments, f"a size such as {name}2"), mean), f"{name}{arguments}"
    images = builder.images(word)
    if pool.size > min(images.height, images.width):
        raise builder.misfit(word, "must not be larger than the image")
    if builder.layers and isinstance(before := builder.layers[-1], Convolution) and before.pool == NO_POOL:
        before.pooled_by(pool)
        return builder.layers.pop()
    return Pooling(pool, images)
