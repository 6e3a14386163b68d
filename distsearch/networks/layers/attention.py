"""Attention by argmax: of several keys, the one most similar to the layer's input decides what is let through.

With input h and keys kᵢ, i the one with the largest kᵢ·h, the activations are (V h + b) · sigmoid(kᵢ), element by
element. (The argmax attention of PolyStep, arXiv 2605.01928.) A key matters in two ways: by its similarity, which can
make another one the chosen, and by its elements, if it is chosen itself.
"""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Shared
from distsearch.candidates.blocks import Block
from distsearch.errors import SettingError, brief
from distsearch.networks.building import Builder, whole
from distsearch.networks.changes import Change, Everything, Moved, Reach
from distsearch.networks.graph import Graph, Value
from distsearch.networks.initial import Start
from distsearch.networks.layers import dense
from distsearch.networks.layers.base import Above, Layer, Movable, Nodes, Stage, mean_size, take_all, tensors_of
from distsearch.networks.layers.dense import NODE_COST, Dense, sums_after
from distsearch.networks.layers.routing import Numbers, Switched, strongest
from distsearch.networks.neurons import Linear
from distsearch.networks.precision import FLOAT32

Array = NDArray[np.float32]

EXPECTED = "attention such as attention8 or attention8x128, with at least 2 keys"


class Trace(NamedTuple):
    """A forward pass of one set of weights, kept to see what moving nodes changes."""

    inputs: Array  # (size + 1, columns)
    keys: Array  # (keys, size + 1), the last column zeros
    scores: Array  # (1, keys, columns): how similar each key is to the inputs
    choice: Numbers  # (columns,), the most similar
    strengths: Array  # (keys, size), the sigmoids of the keys
    strength: Array  # (size, columns), those of the chosen keys
    values: dense.Trace
    activations: Array  # (size + 1, columns)


class Attention(Layer):
    """Keys, and a dense map of the inputs to values, which the sigmoid of the most similar key multiplies."""

    kind = "attention"

    def __init__(self, keys: Block, values: Dense, times: int) -> None:
        self.keys = Keys(keys, times)
        self.values = values
        self.blocks = (keys, *values.blocks)
        self.shape = values.shape
        self.times = times

    @property
    def memory(self) -> int:
        """The numbers kept per candidate and example: activations and similarities."""
        return self.times * (self.rows + self.keys.count)

    def buffers(self, candidates: int, examples: int) -> dense.Buffers:
        """Allocate the values of this many candidates on this many examples."""
        return self.values.buffers(candidates, examples)

    def forward(self, candidates: Candidates, below: Shared | Array, buffers: dense.Buffers) -> Array:
        """The layer's activations, from those below, (candidates, size + 1, columns)."""
        inputs = below.array if isinstance(below, Shared) else below
        keys = candidates.matrices(self.keys.block)
        choices = strongest(np.matmul(keys, inputs[..., :-1, :]))  # (candidates, columns)
        strengths = sigmoid(keys)
        activations = self.values.forward(candidates, below, buffers)
        values = activations[:, :-1]
        for key in range(self.keys.count):
            chosen = (choices == key)[:, np.newaxis]
            np.multiply(values, strengths[:, key, :, np.newaxis], out=values, where=chosen)
        return activations

    def express(self, graph: Graph, weights: Array, below: list[Value]) -> list[Value]:
        """For each step the values, times the sigmoids of the most similar key."""
        keys = self.keys.block.matrix(weights)
        strengths, made = sigmoid(keys), []
        for value, values in zip(below, self.values.express(graph, weights, below), strict=True):
            choice = graph.strongest(graph.add("MatMul", value, np.ascontiguousarray(keys.T)))
            made.append(graph.add("Mul", values, graph.add("Gather", strengths, choice, axis=0)))
        return made

    def trace(self, weights: Array, below: Array) -> Trace:
        """The forward pass of some weights, (n,), through the layer, from activations below, (size + 1, columns)."""
        keys = self.keys.block.matrix(weights)
        strengths = sigmoid(keys)
        keys = np.pad(keys, ((0, 0), (0, 1)))
        scores = np.matmul(keys, below)[np.newaxis]
        choice = strongest(scores[0])
        strength = np.ascontiguousarray(strengths[choice].T)
        values = self.values.trace(weights, below)
        activations = values.activations.copy()
        activations[:-1] *= strength
        return Trace(below, keys, scores, choice, strengths, strength, values, activations)

    def movable(self, trace: Trace | None = None) -> Iterator[Movable]:
        """The keys' similarities and elements; then the values' sums."""
        yield Movable(self.keys, trace)
        yield Movable(self.values, trace and trace.values, (Above(Strengthening(), trace),))

    def after(self, trace: Trace, change: Change) -> Everything:
        """The activations after a change below: of the same keys, and where another is now more similar, of that."""
        scores = np.empty((change.experiments, *trace.scores.shape[1:]), np.float32)
        sums_after(trace.keys, trace.scores, change, scores)
        switched = Switched.of(scores, trace.choice)
        activations = self.values.after(trace.values, change).activations
        values = activations[:, :-1]
        others = values[switched.experiments, :, switched.columns]
        values *= trace.strength
        switch(trace, switched, others, activations)
        return Everything(activations)

    def reached(self, below: Reach) -> Reach:
        """All activations, by way of the similarities and of the values."""
        cost = self.times * NODE_COST * self.keys.count
        reach = self.values.reached(below)
        return reach._replace(multiplications=reach.multiplications + cost)

    def scale_start(self, weights: Array, deviation: Start) -> None:
        """Make the initial weights normal, with zero biases."""
        keys, size = self.keys, self.outputs
        keys.block.matrix(weights)[:] *= np.float32(deviation(size, keys.count))
        self.values.scale_start(weights, deviation)

    def named(self, weights: Array) -> Iterator[tuple[str, Array]]:
        """`keys` (keys, size), and the tensors of the values, a dense layer: values.weights and values.biases."""
        yield "keys", self.keys.block.matrix(weights)
        yield from tensors_of([("values", self.values)], weights)

    def take(self, arrays: dict[str, Array], weights: Array) -> None:
        """Write the tensors into the flat weights, (n,). Raises KeyError or ValueError if they are another layer's."""
        keys, found = self.keys.block.matrix(weights), arrays["keys"]
        if found.shape != keys.shape:
            raise ValueError(f"the keys are {found.shape}, not {keys.shape}")
        keys[:] = found
        take_all([("values", self.values)], arrays, weights)


class Keys(Nodes):
    """The keys as one node: moves of each one's similarity, then of each element of whichever one is chosen."""

    nodes = 1
    tied = True

    def __init__(self, block: Block, times: int) -> None:
        self.block = block
        self.count = block.rows
        self.places = block.rows + block.columns
        self.width = block.size
        self._size = block.columns
        self._times = times

    @property
    def products(self) -> int:
        """Multiplications per example of the similarities."""
        return self.width * self._times

    def size(self, trace: Trace) -> float:
        """√2 times the inputs' root mean square, for similarities."""
        return mean_size(trace.inputs)

    def _element_share(self, trace: Trace) -> np.float32:
        """What a step of an element is of a similarity's: relative to 1, the width of the sigmoid."""
        return np.float32(1 / self.size(trace))

    def moved(self, trace: Trace, steps: Array, at: slice, group: int, place: int) -> Everything:
        """The activations after the moves `at`, by steps, (moves, examples), each in an experiment of its own."""
        steps = np.tile(steps, self._times)
        activations = np.repeat(trace.activations[np.newaxis], len(steps), axis=0)
        similar = max(0, min(self.count, at.stop) - at.start)  # the number of moves of similarities
        scores = np.repeat(trace.scores, similar, axis=0)
        moves = np.arange(len(steps))
        scores[moves[:similar], at.start + moves[:similar]] += steps[:similar]
        switched = Switched.of(scores, trace.choice)
        switch(trace, switched, trace.values.activations[:-1].T[switched.columns], activations)
        elements = at.start + moves[similar:] - self.count
        keys = trace.keys.T[elements][:, trace.choice] + steps[similar:] * self._element_share(trace)
        activations[moves[similar:], elements] = trace.values.activations[elements] * sigmoid(keys)
        return Everything(activations)

    def reach(self) -> Reach:
        """All activations."""
        return Reach(self._size + 1, None, self._times * NODE_COST, self._times * self._size)

    def gradient(self, trace: Trace, slopes: Array, at: slice, out: Array) -> None:
        """Write the gradient of the keys, (1, keys · size), from slopes, (1, moves, examples)."""
        similarities, elements = slopes[0, : self.count], slopes[0, self.count :]
        inputs = trace.inputs[:-1].reshape(self._size, self._times, -1).mean(axis=1)  # a step is constant in time
        chosen = (np.arange(self.count)[:, np.newaxis] == trace.choice).reshape(self.count, self._times, -1)
        shares = chosen.mean(axis=1, dtype=np.float32)
        gradient = np.matmul(similarities, inputs.T)
        gradient += np.matmul(shares, elements.T) / self._element_share(trace)
        out[:] = gradient.reshape(1, -1)


class Strengthening(Stage):
    """What a move of the values changes: the chosen key's sigmoids multiply it."""

    def after(self, trace: Trace, change: Change) -> Moved:
        """The change times the sigmoids."""
        if not isinstance(change, Moved):
            raise AssertionError("values are moved one by one")
        return change._replace(changes=change.changes * trace.strength[change.rows])

    def reached(self, below: Reach) -> Reach:
        """What is reached stays the same."""
        return below


def switch(trace: Trace, switched: Switched, values: Array, activations: Array) -> None:
    """Write what other keys make of values, (pairs, size), to activations, (experiments, size + 1, columns)."""
    values = values * trace.strengths[switched.choices]
    activations[:, :-1][switched.experiments, :, switched.columns] = values


def sigmoid(keys: Array) -> Array:
    """1 / (1 + exp(−keys))."""
    powers = np.exp(-keys)
    powers += np.float32(1)
    return np.reciprocal(powers, out=powers)


def from_word(arguments: str, builder: Builder) -> Attention:
    """The layer that attention8 stands for: that many keys of the size of what is below."""
    found = re.fullmatch(r"(\d+)(?:x(\d+))?", arguments)
    if not found or whole(found[1], EXPECTED) == 1:
        raise SettingError(f"network.layers: expected {EXPECTED}, got {brief('attention' + arguments)}")
    size = math.prod(builder.shape)
    if found[2] and whole(found[2], EXPECTED) != size:
        why = f"has keys of another length than its inputs: expected attention{found[1]}x{size}"
        raise builder.misfit(f"attention{arguments}", why)
    keys = builder.matrix(int(found[1]), size, FLOAT32).block
    values = Dense(builder.matrix(size, size + 1, builder.precision()), Linear(builder.times), builder.times)
    return Attention(keys, values, builder.times)
