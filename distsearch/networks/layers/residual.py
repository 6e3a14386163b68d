"""A residual block: what its layers make of their inputs is added to these, before the last of their activations.

He et al. 2015, arXiv 1512.03385.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Shared
from distsearch.networks.building import Builder
from distsearch.networks.changes import Change, Everything, Moved, Reach, Window
from distsearch.networks.graph import Graph, Value
from distsearch.networks.initial import Start
from distsearch.networks.layers.base import Above, Layer, Movable, Stage, take_all, tensors_of
from distsearch.networks.layers.convolution import Convolution
from distsearch.networks.layers.dense import Dense
from distsearch.networks.neurons import Linear, Neurons

Array = NDArray[np.float32]


class Joined(NamedTuple):
    """What both ways add up to."""

    inputs: Array  # (rows, columns), the way around
    sums: Array  # (rows, columns)
    activations: Array  # (rows, columns)


class Trace(NamedTuple):
    """A forward pass."""

    inner: tuple[Any, ...]  # the traces of the layers inside
    joined: Joined

    @property
    def activations(self) -> Array:
        """The activations, (rows, columns)."""
        return self.joined.activations


class Join(Stage):
    """The activation of what both ways add up to."""

    def __init__(self, shape: tuple[int, ...], neurons: Neurons) -> None:
        self.shape = shape
        self.neurons = neurons

    def after(self, trace: Joined, change: Change) -> Change:
        """The activations after a change of the sums."""
        match change:
            case Window():
                return self._after_window(trace, change)
            case Moved(changes, at, group):
                moved = np.ones((1, len(changes) + 1, changes.shape[1]), np.float32)
                np.add(trace.sums[change.rows], changes, out=moved[0, :-1])
                activations = self._activated(moved)[0, :-1] - trace.activations[change.rows]
                return Moved(activations, at, group, change.place, change.places)
        return self.added(change.activations, trace.inputs)

    def added(self, through: Array, around: Array) -> Everything:
        """The activations of what comes through the layers inside, (experiments, rows, columns), and around them."""
        through[:, :-1] += around[..., :-1, :]
        return Everything(self._activated(through))

    def _after_window(self, trace: Joined, change: Window) -> Window:
        sums, before = (rows[:-1].reshape(*self.shape, -1) for rows in (trace.sums, trace.activations))
        experiments, *_, columns = change.changes.shape
        padded = np.ones((experiments, change.changes[0, ..., 0].size + 1, columns), np.float32)
        padded[:, :-1] = (change.changes + change.of(sums)).reshape(experiments, -1, columns)
        activations = self._activated(padded)[:, :-1].reshape(*change.changes.shape[:-1], -1)
        return change._replace(changes=activations - change.of(before))

    def _activated(self, padded: Array) -> Array:
        return self.neurons.apply(padded, np.zeros_like(padded[0]))

    def reached(self, below: Reach) -> Reach:
        """No further."""
        return below


class Residual(Layer):
    """A residual block."""

    kind = "res"

    def __init__(self, inner: Sequence[Layer], neurons: Neurons) -> None:
        self.inner = tuple(inner)
        self.shape = inner[-1].shape
        self.blocks = tuple(block for layer in inner for block in layer.blocks)
        self.times = neurons.times
        self.jumps = neurons.jumps or any(layer.jumps for layer in inner)
        self.join = Join(self.shape, neurons)

    @property
    def memory(self) -> int:
        """The numbers kept per candidate and example."""
        return sum(layer.memory for layer in self.inner)

    @property
    def windows(self) -> int:
        """Columns of its products per example."""
        return max(layer.windows for layer in self.inner)

    def buffers(self, candidates: int, examples: int) -> list[Any]:
        """Those of the layers inside."""
        return [layer.buffers(candidates, examples) for layer in self.inner]

    def forward(self, candidates: Candidates, below: Shared | Array, buffers: list[Any]) -> Array:
        """The activations, (candidates, rows, columns)."""
        given: Shared | Array = below
        for layer, own in zip(self.inner, buffers, strict=True):
            given = layer.forward(candidates, given, own)
        sums = np.asarray(given)
        sums[:, :-1] += below.array[:-1] if isinstance(below, Shared) else below[:, :-1]
        return self.join.neurons.apply(sums, np.zeros_like(sums[0]))

    def express(self, graph: Graph, weights: Array, below: list[Value]) -> list[Value]:
        """What the layers inside make of it, added to it, and the neurons."""
        through = below
        for layer in self.inner:
            through = layer.express(graph, weights, through)
        return self.join.neurons.express(graph, [graph.add("Add", *both) for both in zip(through, below, strict=True)])

    def trace(self, weights: Array, below: Array) -> Trace:
        """The forward pass of some weights, (n,), from activations below, (rows, columns)."""
        inner: list[Any] = []
        given = below
        for layer in self.inner:
            inner.append(layer.trace(weights, given))
            given = inner[-1].activations
        sums = given.copy()
        sums[:-1] += below[:-1]
        activations = self.join.neurons.apply(sums[np.newaxis].copy(), np.zeros_like(sums))[0]
        return Trace(tuple(inner), Joined(below, sums, activations))

    def movable(self, trace: Trace | None = None) -> Iterator[Movable]:
        """The nodes of the layers inside."""
        traces = [None] * len(self.inner) if trace is None else trace.inner
        join = Above(self.join, trace and trace.joined)
        for number, layer in enumerate(self.inner):
            over = (*map(Above, self.inner[number + 1 :], traces[number + 1 :]), join)
            for movable in layer.movable(traces[number]):
                yield movable._replace(above=movable.above + over)

    def after(self, trace: Trace, change: Change) -> Change:
        """The activations after a change below, on both ways."""
        through = change
        for layer, inner in zip(self.inner, trace.inner, strict=True):
            through = layer.after(inner, through)
        if isinstance(through, Window) and not isinstance(change, Everything):
            part = change.window(self.shape[0], through.image) if isinstance(change, Moved) else change
            return self.join.after(trace.joined, through.plus(part))
        return self.join.added(through.everything(trace.inner[-1].activations), change.everything(trace.joined.inputs))

    def reached(self, below: Reach) -> Reach:
        """As far as the layers inside."""
        for layer in self.inner:
            below = layer.reached(below)
        return below

    def scale_start(self, weights: Array, deviation: Start) -> None:
        """Scale those of the layers inside."""
        for layer in self.inner:
            layer.scale_start(weights, deviation)

    def named(self, weights: Array) -> Iterator[tuple[str, Array]]:
        """The tensors of the layers inside, by number."""
        yield from tensors_of(self._numbered(), weights)

    def take(self, arrays: dict[str, Array], weights: Array) -> None:
        """Write the tensors into the flat weights, (n,). Raises KeyError or ValueError if they are another layer's."""
        take_all(self._numbered(), arrays, weights)

    def _numbered(self) -> Iterator[tuple[str, Layer]]:
        return ((str(number), layer) for number, layer in enumerate(self.inner, start=1))


def from_word(arguments: str, builder: Builder) -> Residual:
    """The block of a word such as res(conv16x3,conv16x3)."""
    word = f"res{arguments}"
    builder.require_channels_first(word)
    inner = builder.inside(arguments, word, same_size=True)
    last = inner[-1]
    if not isinstance(last, Dense | Convolution):
        raise builder.misfit(word, "must end with a layer that has weights, such as conv16x3")
    if last.shape != builder.shape:
        made = " × ".join(map(str, last.shape))
        raise builder.misfit(word, f"must return the shape that it is given, but returns {made}")
    neurons, last.neurons = last.neurons, Linear(last.times)
    if neurons.times != builder.times:
        raise builder.misfit(word, "cannot spike: give its last layer another activation")
    return Residual(inner, neurons)
