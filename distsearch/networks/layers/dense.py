"""A dense layer: neurons that see W x + b, with the biases as the last column of its matrix."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Shared
from distsearch.networks.building import Builder, whole
from distsearch.networks.changes import Change, Everything, Moved, Reach, Window
from distsearch.networks.exactness import coarsened
from distsearch.networks.graph import Graph, Value
from distsearch.networks.initial import Start
from distsearch.networks.layers.base import Layer, Movable, Nodes, mean_size
from distsearch.networks.matrices import Matrix
from distsearch.networks.neurons import Neurons

Array = NDArray[np.float32]

NODE_COST = 60.0  # measured cost, in multiplications, that moving one node adds in each node above, besides products
SPARSE_COST = 20.0  # the same at each time step, where only what changes is computed again


class Buffers(NamedTuple):
    """One layer's activations, kept between calls for the same number of candidates and examples."""

    activations: Array  # (candidates, rows, columns), the last row ones, unless the layer is the last
    products: Array  # the same without the ones: a view
    zeros: Array  # (rows, columns)


class Trace(NamedTuple):
    """A forward pass of one set of weights, kept to see what moving nodes changes."""

    matrix: Array  # (outputs, inputs + 1)
    inputs: Array  # (inputs + 1, columns)
    mean_inputs: Array  # (inputs + 1, examples), over the time steps
    sums: Array  # (1, outputs, columns), the layer's nodes
    activations: Array  # (rows, columns)
    zeros: Array  # (rows, columns)


class Dense(Layer, Nodes):
    """A dense layer of neurons, on activations of that many time steps and, if they are few, that many bits."""

    kind = "dense"

    def __init__(
        self,
        matrix: Matrix,
        neurons: Neurons,
        times_below: int = 1,
        last: bool = False,
        bits_below: int | None = None,
    ) -> None:
        block = matrix.block
        self.matrix = matrix
        self.neurons = neurons
        self.blocks = (block,)
        self.shape = (block.rows,)
        self.times = neurons.times
        self.jumps = neurons.jumps
        self.last = last
        self.nodes = block.rows
        self.width = block.columns
        self._times_below = times_below
        self._exact = bits_below if matrix.precision.whole and times_below == 1 else None
        self.bits = neurons.bits if self._exact is not None else None

    @property
    def inputs(self) -> int:
        """The number of inputs, without the row of ones."""
        return self.width - 1

    def buffers(self, candidates: int, examples: int) -> Buffers:
        """Allocate the activations of this many candidates on this many examples."""
        columns = examples * self._times_below
        if not self.last:
            ones = np.ones((candidates, self.rows, columns), np.float32)
            return Buffers(ones, ones[:, :-1], np.zeros_like(ones[0]))
        if examples == 1:  # otherwise NumPy would sum one candidate's outputs in a different order from many's
            outputs = np.empty((candidates, self.outputs, columns), np.float32)
        else:
            # In memory (outputs, candidates, examples), so that a loss's operations on every example run on from one
            # candidate to the next.
            outputs = np.empty((self.outputs, candidates, columns), np.float32).transpose(1, 0, 2)
        return Buffers(outputs, outputs, outputs[:0])

    def forward(self, candidates: Candidates, below: Shared | Array, buffers: Buffers) -> Array:
        """The layer's activations, from those below, (candidates, inputs + 1, columns)."""
        self.matrix.apply(candidates, below, buffers.products)
        return self.neurons.apply(buffers.activations, buffers.zeros)

    def express(self, graph: Graph, weights: Array, below: list[Value]) -> list[Value]:
        """A product and the neurons."""
        matrix = self.matrix.of(weights)
        return self.neurons.express(graph, [graph.linear(value, matrix) for value in below])

    def trace(self, weights: Array, below: Array) -> Trace:
        """The forward pass of some weights, (n,), through the layer, from activations below, (inputs + 1, columns)."""
        matrix = self.matrix.of(weights)
        sums = np.matmul(matrix, below)[np.newaxis]
        padded = self._padded(1, below.shape[1])
        padded[:, : self.outputs] = sums
        zeros = np.zeros_like(padded[0])
        return Trace(matrix, below, self._mean(below), sums, self._activated(padded, zeros)[0], zeros)

    def _mean(self, inputs: Array) -> Array:
        """The mean over the time steps of inputs, (inputs + 1, columns): (inputs + 1, examples)."""
        if self._times_below == 1:
            return inputs
        share = np.full(self._times_below, 1 / self._times_below, np.float32)
        return np.matmul(share, inputs.reshape(len(inputs), self._times_below, -1))  # ten times as fast as `mean`

    def _padded(self, experiments: int, columns: int) -> Array:
        """Memory for sums, and for the row of ones below activations, (experiments, rows, columns)."""
        return np.empty((experiments, self.rows, columns), np.float32)

    def _activated(self, padded: Array, zeros: Array) -> Array:
        """The activations of sums with a row to spare, perhaps in their place."""
        if self.last:
            return self.neurons.apply(padded, zeros[: padded.shape[1]])
        return self.neurons.below_others(padded, zeros)

    def movable(self, trace: Trace | None = None) -> Iterator[Movable]:
        """Its neurons' sums."""
        yield Movable(self, trace)

    @property
    def products(self) -> int:
        """Multiplications per example of the forward pass."""
        return self.nodes * self.width * self._times_below

    def size(self, trace: Trace) -> float:
        """√2 times the inputs' root mean square, but no less than makes sense to its neurons."""
        return max(self.neurons.smallest_step, mean_size(trace.inputs, by_blas=self._exact is None))

    def steps(self, trace: Trace, signs: Array, at: slice, sigma: float) -> Array:
        """As for all nodes; but upward by enough to wake neurons that would be silent for ever."""
        steps = super().steps(trace, signs, at, sigma)
        if self.neurons.waking is None:
            return steps
        return np.maximum(steps, self.neurons.waking - self._mean(trace.sums[0, at]), out=steps, where=signs > 0)

    def aimed(self, trace: Trace, steps: Array, at: slice) -> Array:
        """Down for neurons that are on and up for those that are off, where they switch: others change nothing."""
        if not self.neurons.switches or self._times_below > 1:
            return steps
        return np.copysign(steps, np.float32(0.5) - trace.activations[at, np.newaxis])

    def reach(self) -> Reach:
        """A move changes one row; in the output layer, that is all."""
        return Reach(1, None, NODE_COST * self.outputs, self.outputs) if self.last else Reach(1)

    def moved(self, trace: Trace, steps: Array, at: slice, group: int, place: int) -> Moved:
        """The change in activations due to steps of the nodes `at`, (nodes, examples)."""
        if self._times_below > 1:  # a constant step, at each time
            steps = np.tile(steps, self._times_below)
        if self.neurons.linear:
            return Moved(steps, at, group)
        padded = np.empty((1, len(steps) + (not self.last), steps.shape[1]), np.float32)
        np.add(trace.sums[0, at], steps, out=padded[0, : len(steps)])
        changes = self._activated(padded, trace.zeros)[0, : len(steps)]
        changes -= trace.activations[: self.outputs][at]
        return Moved(changes, at, group)

    def after(self, trace: Trace, change: Change) -> Everything:
        """The activations after a change below: only the columns of the matrix for what has changed are multiplied."""
        if isinstance(change, Moved) and change.group == 1 and self.neurons.spiking:
            weights = trace.matrix.T[:-1][change.rows]
            return Everything(self.neurons.after(trace.activations, trace.sums, weights, change.changes))
        padded = self._padded(change.experiments, trace.inputs.shape[1])
        sums_after(trace.matrix, trace.sums, change, padded[:, : self.outputs])
        return Everything(self._activated(padded, trace.zeros))

    def reached(self, below: Reach) -> Reach:
        """All neurons; what one row changes costs no product worth counting."""
        products = 0 if below.rows == 1 else below.rows * self.outputs
        sparse = self.neurons.spiking and below.rows == 1
        cost = self._times_below * (products + (SPARSE_COST if sparse else NODE_COST) * self.outputs)
        numbers = self.outputs * (self.times if sparse else self._times_below)
        return Reach(self.rows, None, below.multiplications + cost, below.numbers + numbers)

    def gradient(self, trace: Trace, slopes: Array, at: slice, out: Array) -> None:
        """Write the gradient of some nodes' weights, (nodes, inputs + 1), from slopes, (nodes, 1, examples)."""
        sloping = slopes[:, 0] if self._exact is None else coarsened(slopes[:, 0], self._exact)
        np.matmul(sloping, trace.mean_inputs.T, out=out)  # a step is constant in time, and so is what it stands for

    def scale_start(self, weights: Array, deviation: Start) -> None:
        """Make the initial weights normal, with zero biases."""
        matrix = self.blocks[0].matrix(weights)
        matrix[:, :-1] *= np.float32(deviation(self.inputs, self.outputs))
        matrix[:, -1] = 0

    def named(self, weights: Array) -> Iterator[tuple[str, Array]]:
        """`weights` (inputs, outputs) and `biases` (outputs,), the course's shapes."""
        matrix = self.blocks[0].matrix(weights)
        yield "weights", np.ascontiguousarray(matrix[:, :-1].T)
        yield "biases", np.ascontiguousarray(matrix[:, -1])

    def take(self, arrays: dict[str, Array], weights: Array) -> None:
        """Write the tensors into the flat weights, (n,). Raises KeyError or ValueError if they are another layer's."""
        matrix, found = self.blocks[0].matrix(weights), arrays["weights"]
        if found.shape != (self.inputs, self.outputs) or arrays["biases"].shape != (self.outputs,):
            raise ValueError(f"the weights are {found.shape}, not {(self.inputs, self.outputs)}")
        matrix[:, :-1] = found.T
        matrix[:, -1] = arrays["biases"]


def from_word(arguments: str, builder: Builder) -> Dense:
    """The layer that a number of neurons stands for."""
    matrix = builder.matrix(
        whole(arguments, "a number of neurons such as 64"), math.prod(builder.shape) + 1, builder.precision()
    )
    return Dense(matrix, builder.neurons(), builder.times, bits_below=builder.bits)


def output_layer(outputs: int, builder: Builder) -> Dense:
    """The output layer: its neurons are linear, or spike."""
    matrix = builder.matrix(outputs, math.prod(builder.shape) + 1, builder.precision())
    return Dense(matrix, builder.output_neurons(), builder.times, last=True, bits_below=builder.bits)


def sums_after(matrix: Array, sums: Array, change: Change, out: Array) -> None:
    """Write a product after a change in what is below to `out`, (experiments, outputs, columns).

    The product is `sums`, (1, outputs, columns): of the matrix, (outputs, inputs + 1), and what is below unchanged.
    """
    match change:
        case Moved():
            _add_move(matrix, change, out)
        case Window():
            _add_window(matrix, change, out)
        case Everything(activations):
            np.matmul(matrix, activations, out=out)
            return
    out += sums


def _add_move(matrix: Array, change: Moved, out: Array) -> None:
    """What is added to the product when some inputs change, one group of them in each experiment.

    A column is multiplied as two of which one is zero: BLAS is three times as fast as NumPy's multiplication, to the
    same bits.
    """
    columns = matrix[:, :-1][:, change.rows]
    changes = change.stacked()
    if change.group == 1:
        stacked = np.zeros((len(changes), len(matrix), 2), np.float32)
        stacked[:, :, 0] = columns.T
        changes = np.concatenate([changes, np.zeros_like(changes)], axis=1)
    else:
        columns = np.pad(columns, ((0, 0), (0, -columns.shape[1] % change.group)))
        stacked = np.ascontiguousarray(columns.reshape(len(columns), -1, change.group).transpose(1, 0, 2))
    np.matmul(stacked, changes, out=out)


def _add_window(matrix: Array, change: Window, out: Array) -> None:
    """What is added to the product when a part of the image below changes."""
    experiments, channels, height, width, columns = change.changes.shape
    kernel = matrix[:, :-1].reshape(len(matrix), channels, *change.image)
    part = kernel[:, :, change.top : change.top + height, change.left : change.left + width]
    np.matmul(part.reshape(len(matrix), -1), change.changes.reshape(experiments, -1, columns), out=out)
