"""Dense layers of every expert of a mixture, of which one expert sees each example.

Node j is neuron j of whichever expert sees an example; its weights are those of neuron j of every expert. The forward
pass of candidates computes all experts for all examples; that of one set of weights sorts the examples by expert.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Shared
from distsearch.networks.changes import Change, Everything, Moved, Reach
from distsearch.networks.exactness import coarsened
from distsearch.networks.graph import Graph, Value
from distsearch.networks.initial import Start
from distsearch.networks.layers.base import Nodes, Stage, mean_size
from distsearch.networks.layers.dense import NODE_COST
from distsearch.networks.layers.routing import Numbers, Routing
from distsearch.networks.matrices import Matrix
from distsearch.networks.neurons import Neurons

Array = NDArray[np.float32]


class Buffers(NamedTuple):
    """Kept between calls for the same number of candidates and examples."""

    sums: Array  # (candidates, units · experts, columns), of all experts
    activations: Array  # (candidates, units + 1, columns), of the chosen ones, the last row ones
    zeros: Array  # (units + 1, columns)


class Columns(NamedTuple):
    """What a layer sees and makes of each example, in some order."""

    masks: Array  # (experts, columns): a one where the expert is chosen, else zero
    sums: Array  # (1, units, columns)
    activations: Array  # (units + 1, columns)

    def ordered(self, order: Numbers) -> "Columns":
        """The same in another order."""
        return Columns(*(array.take(order, axis=-1) for array in self))


class Trace(NamedTuple):
    """A forward pass of one set of weights."""

    matrices: Array  # (experts, units, inputs + 1)
    routing: Routing
    inputs: Array  # (inputs + 1, columns), sorted by expert
    sorted: Columns
    columns: Columns  # in the order of the examples
    zeros: Array  # (units + 1, columns)


class Experts(Nodes):
    """One dense layer of every expert: a matrix of (units · experts, inputs + 1), the experts of a unit in a row."""

    def __init__(
        self, matrix: Matrix, experts: int, neurons: Neurons, times: int, bits_below: int | None = None
    ) -> None:
        self.matrix = matrix
        self.experts = experts
        self.neurons = neurons
        self.nodes = matrix.block.rows // experts
        self.width = experts * matrix.block.columns
        self.inputs = matrix.block.columns - 1
        self._times = times
        self._exact = bits_below if matrix.precision.whole and times == 1 else None
        self.bits = neurons.bits if self._exact is not None else None
        """Its activations are whole numbers, up to 2^bits, of a power of two; None if they are not."""

    def buffers(self, candidates: int, columns: int) -> Buffers:
        """Allocate what the forward pass of this many candidates on this many columns needs."""
        activations = np.ones((candidates, self.nodes + 1, columns), np.float32)
        sums = np.empty((candidates, self.nodes * self.experts, columns), np.float32)
        return Buffers(sums, activations, np.zeros_like(activations[0]))

    def forward(
        self, candidates: Candidates, below: Shared | Array, choices: NDArray[np.intp], buffers: Buffers
    ) -> Array:
        """The activations of the experts that are chosen, (candidates, columns), from all experts' sums."""
        sums, chosen = buffers.sums, buffers.activations[:, :-1]
        self.matrix.apply(candidates, below, sums)
        by_expert = sums.reshape(len(sums), self.nodes, self.experts, -1)
        chosen[:] = by_expert[:, :, 0]
        for expert in range(1, self.experts):
            np.copyto(chosen, by_expert[:, :, expert], where=(choices == expert)[:, np.newaxis])
        return self.neurons.apply(buffers.activations, buffers.zeros)

    def express(self, graph: Graph, weights: Array, below: Value, chosen: Value) -> Value:
        """The activations of the experts that are chosen: truths, (examples, 1, experts)."""
        sums = graph.reshaped(graph.linear(below, self.matrix.of(weights)), self.nodes, self.experts)
        alone = graph.add("Where", chosen, sums, 0.0)
        return self.neurons.express(graph, [graph.add("ReduceSum", alone, np.array([2], np.int64), keepdims=0)])[0]

    def trace(self, weights: Array, below: Array, routing: Routing) -> Trace:
        """The forward pass of some weights, (n,), from activations below, (inputs + 1, columns), sorted by expert."""
        by_unit = self.matrix.of(weights).reshape(self.nodes, self.experts, -1)
        matrices = np.ascontiguousarray(by_unit.transpose(1, 0, 2))
        padded = np.empty((1, self.nodes + 1, below.shape[1]), np.float32)
        self._multiply(matrices, routing, below[np.newaxis], padded)
        sums, zeros = padded[:, :-1].copy(), np.zeros_like(padded[0])
        some = Columns(routing.masks, sums, self._activated(padded, zeros)[0])
        return Trace(matrices, routing, below, some, some.ordered(routing.places), zeros)

    def _multiply(self, matrices: Array, routing: Routing, below: Array, padded: Array) -> None:
        """Write each expert's sums of sorted activations, (experiments, inputs + 1, columns), into padded ones."""
        for expert, matrix in enumerate(matrices):
            some = routing.columns(expert)
            np.matmul(matrix, below[:, :, some], out=padded[:, :-1, some])

    def _activated(self, padded: Array, zeros: Array) -> Array:
        """The activations of sums with a row to spare, (experiments, rows, columns), perhaps in their place."""
        return self.neurons.below_others(padded, zeros)

    def few(self, change: Change) -> TypeGuard[Moved]:
        """Whether so few activations have changed below that each expert's may be multiplied for all examples."""
        return isinstance(change, Moved) and change.group * self.experts <= self.inputs

    def after_few(self, trace: Trace, columns: Columns, change: Moved) -> Everything:
        """The activations after a move below, in the order of the columns.

        Every expert's columns of the matrix are multiplied, by zeros where it is not chosen: one product of a few
        columns instead of one for each expert.
        """
        group, experiments = change.group, change.experiments
        missing = experiments * group - len(change.changes)
        moved = trace.matrices[:, :, :-1][:, :, change.rows]
        if missing:
            moved = np.pad(moved, ((0, 0), (0, 0), (0, missing)))
        stacked = moved.reshape(*moved.shape[:2], experiments, group).transpose(2, 1, 0, 3)
        changes = change.stacked()[:, np.newaxis] * columns.masks[:, np.newaxis]
        padded = np.empty((experiments, *columns.activations.shape), np.float32)
        np.matmul(
            np.ascontiguousarray(stacked).reshape(experiments, self.nodes, -1),
            changes.reshape(experiments, self.experts * group, -1),
            out=padded[:, :-1],
        )
        padded[:, :-1] += columns.sums
        return Everything(self._activated(padded, trace.zeros))

    def after_all(self, trace: Trace, below: Array) -> Everything:
        """The activations of sorted ones below, (experiments, inputs + 1, columns); sorted too."""
        padded = np.empty((len(below), *trace.sorted.activations.shape), np.float32)
        self._multiply(trace.matrices, trace.routing, below, padded)
        return Everything(self._activated(padded, trace.zeros))

    def of_pairs(self, trace: Trace, inputs: Array, choices: Numbers) -> Array:
        """The activations of one expert each, (pairs, units + 1), for inputs, (pairs, inputs + 1).

        One product for each pair, as their number must not change its last bits.
        """
        padded = np.empty((1, self.nodes + 1, len(inputs)), np.float32)
        for expert, matrix in enumerate(trace.matrices):
            some = np.flatnonzero(choices == expert)
            padded[0, :-1, some] = np.matmul(inputs[some, np.newaxis], matrix.T)[:, 0]
        return self._activated(padded, np.zeros_like(padded[0]))[0].T

    def reached(self, below: Reach) -> Reach:
        """All units; what one row changes costs no product worth counting."""
        products = 0 if below.rows == 1 else below.rows * self.nodes
        cost = self._times * (products + NODE_COST * self.nodes)
        return Reach(self.nodes + 1, None, below.multiplications + cost, below.numbers + self._times * self.nodes)

    @property
    def products(self) -> int:
        """Multiplications per example of all experts, as the forward pass of candidates has them."""
        return self.nodes * self.width * self._times

    def size(self, trace: Trace) -> float:
        """√2 times the inputs' root mean square."""
        return mean_size(trace.inputs, by_blas=self._exact is None)

    def reach(self) -> Reach:
        """A move changes one row."""
        return Reach(1)

    def moved(self, trace: Trace, steps: Array, at: slice, group: int, place: int) -> Moved:
        """The change in activations due to steps of the nodes `at`, (nodes, examples), at each time."""
        steps = np.tile(steps, self._times)
        padded = np.empty((1, len(steps) + 1, steps.shape[1]), np.float32)
        np.add(trace.columns.sums[0, at], steps, out=padded[0, :-1])
        changes = self._activated(padded, trace.zeros)[0, :-1]
        changes -= trace.columns.activations[:-1][at]
        return Moved(changes, at, group)

    def gradient(self, trace: Trace, slopes: Array, at: slice, out: Array) -> None:
        """Write the gradient of some units' weights, (units, experts · (inputs + 1)), from (units, 1, examples).

        Each expert learns from the examples that it sees, at the times when it does.
        """
        routing, gradients = trace.routing, out.reshape(len(out), self.experts, -1)
        along = np.tile(slopes[:, 0], self._times).take(routing.order, axis=1)
        along /= self._times  # as a step is constant in time
        if self._exact is not None:
            along = coarsened(along, self._exact)
        for expert in range(self.experts):
            some = routing.columns(expert)
            gradients[:, expert] = np.matmul(along[:, some], trace.inputs[:, some].T)

    def scale_start(self, weights: Array, deviation: Start) -> None:
        """Make the initial weights normal, with zero biases."""
        matrix = self.matrix.block.matrix(weights)
        matrix[:, :-1] *= np.float32(deviation(self.inputs, self.nodes))
        matrix[:, -1] = 0

    def named(self, weights: Array) -> Iterator[tuple[str, Array]]:
        """`weights` (experts, inputs, units) and `biases` (experts, units)."""
        by_unit = self._by_unit(weights)
        yield "weights", np.ascontiguousarray(by_unit[:, :, :-1].transpose(1, 2, 0))
        yield "biases", np.ascontiguousarray(by_unit[:, :, -1].T)

    def take(self, arrays: dict[str, Array], weights: Array) -> None:
        """Write the tensors into the flat weights, (n,). Raises KeyError or ValueError if they are another layer's."""
        expected, found = (self.experts, self.inputs, self.nodes), arrays["weights"]
        if found.shape != expected or arrays["biases"].shape != (self.experts, self.nodes):
            raise ValueError(f"the experts' weights are {found.shape}, not {expected}")
        by_unit = self._by_unit(weights)
        by_unit[:, :, :-1] = found.transpose(2, 0, 1)
        by_unit[:, :, -1] = arrays["biases"].T

    def _by_unit(self, weights: Array) -> Array:
        """Its part of the flat weights, (n,), as a view: (units, experts, inputs + 1)."""
        return self.matrix.block.matrix(weights).reshape(self.nodes, self.experts, -1)


class Stack(Stage):
    """Layers of the experts, one upon the other, when every example stays with its expert."""

    def __init__(self, layers: Sequence[Experts]) -> None:
        self.layers = tuple(layers)

    def after(self, trace: Sequence[Trace], change: Change) -> Change:
        """The last layer's activations after a change below the first. Examples are sorted if it pays."""
        if not self.layers:
            return change
        first, *others = self.layers
        if not others and first.few(change):
            return first.after_few(trace[0], trace[0].columns, change)
        routing = trace[0].routing
        change = change.in_columns(routing.order)
        if first.few(change):
            below = first.after_few(trace[0], trace[0].sorted, change)
        else:
            below = first.after_all(trace[0], change.everything(trace[0].inputs))
        for layer, own in zip(others, trace[1:], strict=True):
            below = layer.after_all(own, below.activations)
        return below.in_columns(routing.places)

    def reached(self, below: Reach) -> Reach:
        """All units of the last layer; what is below the last is not kept for long."""
        for layer in self.layers:
            below = layer.reached(below)
        return below
