"""Normalisation of activations to mean 0 and variance 1, by example; no batch has any part in it.

`layernorm` is over all numbers of an example or, of an image, over the channels of each place; `groupnorm4` over all
places of each of 4 groups of channels (Ba et al. 2016, arXiv 1607.06450; Wu and He 2018, arXiv 1803.08494). They have
no weights: those of the next layer scale and shift as well.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Shared
from distsearch.networks.building import Builder, whole
from distsearch.networks.changes import Change, Everything, Moved, Reach, Window
from distsearch.networks.graph import Graph, Value
from distsearch.networks.layers.base import Layer, one_each

Array = NDArray[np.float32]

SMALLEST_VARIANCE = np.float32(1e-5)
NUMBER_COST = 20.0  # measured cost of normalising a number, in multiplications


class Trace(NamedTuple):
    """A forward pass."""

    inputs: Array  # (rows, columns)
    activations: Array  # (rows, columns)


class Normalisation(Layer):
    """Normalised activations; `groups` of channels over all places, or each place by itself if there are none."""

    kind = "norm"

    def __init__(self, shape: tuple[int, ...], times: int, groups: int | None) -> None:
        self.shape = shape
        self.times = times
        self._groups = groups

    def buffers(self, candidates: int, examples: int) -> Array:
        """Memory for the activations of that many candidates on that many examples."""
        return np.ones((candidates, self.rows, examples * self.times), np.float32)

    def forward(self, candidates: Candidates, below: Shared | Array, buffers: Array) -> Array:
        """The normalised activations, (candidates, rows, columns)."""
        return self._normalised(one_each(below, len(candidates)), buffers)

    def express(self, graph: Graph, weights: Array, below: list[Value]) -> list[Value]:
        """The normalised activations of each step."""
        places = int(np.prod(self.shape[1:]))
        shape = (self.shape[0], places) if self._groups is None else (self._groups, self.outputs // self._groups)
        axis = np.array([1 if self._groups is None else 2], np.int64)
        return [graph.reshaped(_express(graph, graph.reshaped(each, *shape), axis), self.outputs) for each in below]

    def trace(self, weights: Array, below: Array) -> Trace:
        """The normalised activations of those below, (rows, columns)."""
        return Trace(below, self._normalised(below[np.newaxis], np.ones((1, *below.shape), np.float32))[0])

    def _normalised(self, below: Array, out: Array) -> Array:
        groups = self._groups or 1
        split = groups, self.shape[0] // groups, int(np.prod(self.shape[1:])), below.shape[-1]
        axes = (2,) if self._groups is None else (2, 3)  # of (experiments, groups, channels, places, columns)
        normal = normalised(below[:, :-1].reshape(len(below), *split), axes)
        out[:, :-1] = normal.reshape(len(below), self.outputs, -1)
        return out

    def after(self, trace: Trace, change: Change) -> Change:
        """The activations after a change: in the same part of the image, if each place is by itself, or all."""
        if self._groups is None and len(self.shape) == 3 and not isinstance(change, Everything):
            return self._after_part(trace, change)
        given = change.everything(trace.inputs)
        return Everything(self._normalised(given, np.ones_like(given)))

    def _after_part(self, trace: Trace, change: Moved | Window) -> Window:
        channels, height, width = self.shape
        part = change.window(channels, (height, width)) if isinstance(change, Moved) else change
        inputs, before = (rows[:-1].reshape(*self.shape, -1) for rows in (trace.inputs, trace.activations))
        return part._replace(changes=normalised(part.changes + part.of(inputs), (1,)) - part.of(before))

    def reached(self, below: Reach) -> Reach:
        """The same part of the image, or everything."""
        local = self._groups is None and below.window is not None
        places = below.window[0] * below.window[1] if local and below.window else 0
        numbers = self.times * (places * self.shape[0] if local else self.outputs)
        cost = below.multiplications + NUMBER_COST * numbers
        rows = self.shape[0] * places if local else self.rows
        return Reach(rows, below.window if local else None, cost, below.numbers + numbers)


def _express(graph: Graph, value: Value, axis: NDArray[np.int64]) -> Value:
    """The value with mean 0 and variance 1 over an axis."""
    centred = graph.add("Sub", value, graph.add("ReduceMean", value, axis, keepdims=1))
    variance = graph.add("ReduceMean", graph.add("Mul", centred, centred), axis, keepdims=1)
    return graph.add("Div", centred, graph.add("Sqrt", graph.add("Add", variance, float(SMALLEST_VARIANCE))))


def normalised(values: Array, axes: tuple[int, ...]) -> Array:
    """The values with mean 0 and variance 1 over some axes."""
    values = values - values.mean(axis=axes, keepdims=True)
    variance = np.square(values).mean(axis=axes, keepdims=True)
    values /= np.sqrt(variance + SMALLEST_VARIANCE)
    return values


def layer_from_word(arguments: str, builder: Builder) -> Normalisation:
    """The layer of the word layernorm."""
    if arguments:
        raise builder.misfit(f"layernorm{arguments}", "takes no number: layernorm, or groupnorm4 for 4 groups")
    builder.require_channels_first("layernorm")
    return Normalisation(builder.shape, builder.times, None)


def group_from_word(arguments: str, builder: Builder) -> Normalisation:
    """The layer of a word such as groupnorm4."""
    word = f"groupnorm{arguments}"
    groups = whole(arguments, "a number of groups such as groupnorm4")
    builder.require_channels_first(word)
    if builder.shape[0] % groups:
        raise builder.misfit(word, f"has {groups} groups, which must divide the channels")
    return Normalisation(builder.shape, builder.times, groups)
