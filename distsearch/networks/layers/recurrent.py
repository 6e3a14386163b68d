"""A recurrent layer: spiking neurons that also see each other's spikes of the step before, V sₜ₋₁ + W xₜ + b."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Shared
from distsearch.errors import SettingError
from distsearch.networks.building import Builder, whole
from distsearch.networks.changes import Change, Everything, Moved, Reach
from distsearch.networks.graph import Graph, Value
from distsearch.networks.initial import Start
from distsearch.networks.layers.base import Layer, Movable, Nodes, mean_size
from distsearch.networks.layers.dense import NODE_COST
from distsearch.networks.matrices import Matrix
from distsearch.networks.spikes import Spiking

Array = NDArray[np.float32]


class Trace(NamedTuple):
    """A forward pass of one set of weights, kept to see what moving nodes changes."""

    matrix: Array  # (neurons, neurons + inputs + 1)
    inputs: Array  # (inputs + 1, columns)
    mean_inputs: Array  # (neurons + inputs + 1, examples), over the time steps
    sums: Array  # (1, neurons, columns), without what is fed back
    activations: Array  # (rows, steps · examples)


class Recurrent(Layer, Nodes):
    """A recurrent layer on activations of that many time steps. A row of its matrix is V's, then W's, then a bias."""

    kind = "recurrent"
    jumps = True

    def __init__(self, matrix: Matrix, neurons: Spiking, times_below: int) -> None:
        self.matrix = matrix
        self.neurons = neurons
        self.blocks = (matrix.block,)
        self.nodes, self.width = matrix.block.rows, matrix.block.columns
        self.shape = (self.nodes,)
        self.times = neurons.times
        self._times_below = times_below

    def buffers(self, candidates: int, examples: int) -> None:
        """Nothing is kept."""

    def forward(self, candidates: Candidates, below: Shared | Array, buffers: None) -> Array:
        """The layer's spikes, (candidates, rows, columns), from those below, (candidates, inputs + 1, columns)."""
        matrices = self.matrix.each(candidates)
        sums = np.matmul(matrices[:, :, self.nodes :], below.array if isinstance(below, Shared) else below)
        return self.neurons.recurrent(sums, matrices[:, :, : self.nodes])

    def express(self, graph: Graph, weights: Array, below: list[Value]) -> list[Value]:
        """The sums of each step, and the neurons, which see their own spikes."""
        matrix = self.matrix.of(weights)
        sums = [graph.linear(value, matrix[:, self.nodes :]) for value in below]
        return self.neurons.express_recurrent(graph, sums, matrix[:, : self.nodes])

    def trace(self, weights: Array, below: Array) -> Trace:
        """The forward pass of some weights, (n,), through the layer, from activations below, (inputs + 1, columns)."""
        matrix = self.matrix.of(weights)
        sums = np.matmul(matrix[:, self.nodes :], below)[np.newaxis]
        activations = self.neurons.recurrent(sums, matrix[:, : self.nodes])[0]
        spikes = activations[:-1].reshape(self.nodes, self.times, -1)
        inputs = below.reshape(len(below), self._times_below, -1)
        means = spikes[:, :-1].sum(axis=1) / np.float32(self.times), inputs.mean(axis=1)
        return Trace(matrix, below, np.concatenate(means), sums, activations)

    def movable(self, trace: Trace | None = None) -> Iterator[Movable]:
        """Its neurons' sums."""
        yield Movable(self, trace)

    @property
    def products(self) -> int:
        """Multiplications per example of the forward pass."""
        return self.nodes * ((self.width - self.nodes) * self._times_below + self.nodes * self.times)

    def size(self, trace: Trace) -> float:
        """√2 times the inputs' root mean square, but no less than makes sense to its neurons."""
        return max(self.neurons.smallest_step, mean_size(trace.inputs))

    def reach(self) -> Reach:
        """A move changes the spikes of all neurons."""
        return self._run(0.0, 0)

    def moved(self, trace: Trace, steps: Array, at: slice, group: int, place: int) -> Everything:
        """The activations after constant currents, (nodes, examples), into the nodes `at`, a group an experiment."""
        change = Moved(np.tile(steps, self._times_below), at, group)
        return Everything(self.neurons.recurrent(change.everything(trace.sums[0]), trace.matrix[:, : self.nodes]))

    def after(self, trace: Trace, change: Change) -> Everything:
        """The activations after a change below."""
        sums = np.matmul(trace.matrix[:, self.nodes :], change.everything(trace.inputs))
        return Everything(self.neurons.recurrent(sums, trace.matrix[:, : self.nodes]))

    def reached(self, below: Reach) -> Reach:
        """All neurons."""
        products = self._times_below * self.nodes * (self.width - self.nodes)
        return self._run(below.multiplications + products, below.numbers)

    def _run(self, multiplications: float, numbers: int) -> Reach:
        """How far a change of sums reaches: to everyone, and its cost beside that of what is below."""
        steps = self.times * self.nodes
        return Reach(self.rows, None, multiplications + steps * (self.nodes + NODE_COST), numbers + 2 * steps)

    def gradient(self, trace: Trace, slopes: Array, at: slice, out: Array) -> None:
        """Write the gradient of some nodes' weights, (nodes, width), from slopes, (nodes, 1, examples)."""
        np.matmul(slopes[:, 0], trace.mean_inputs.T, out=out)

    def scale_start(self, weights: Array, deviation: Start) -> None:
        """Make the initial weights normal, those of other neurons' spikes like those of inputs, with zero biases."""
        matrix = self.blocks[0].matrix(weights)
        matrix[:, :-1] *= np.float32(deviation(self.width - 1, self.nodes))
        matrix[:, -1] = 0

    def named(self, weights: Array) -> Iterator[tuple[str, Array]]:
        """`weights` (inputs, neurons), `recurrent` (neurons before, neurons) and `biases` (neurons,)."""
        matrix = self.blocks[0].matrix(weights)
        yield "weights", np.ascontiguousarray(matrix[:, self.nodes : -1].T)
        yield "recurrent", np.ascontiguousarray(matrix[:, : self.nodes].T)
        yield "biases", np.ascontiguousarray(matrix[:, -1])

    def take(self, arrays: dict[str, Array], weights: Array) -> None:
        """Write the tensors into the flat weights, (n,). Raises KeyError or ValueError if they are another layer's."""
        shapes = tuple(arrays[name].shape for name in ("weights", "recurrent", "biases"))
        expected = (self.width - 1 - self.nodes, self.nodes), (self.nodes, self.nodes), (self.nodes,)
        if shapes != expected:
            raise ValueError(f"the tensors are {shapes}, not {expected}")
        matrix = self.blocks[0].matrix(weights)
        matrix[:, self.nodes : -1] = arrays["weights"].T
        matrix[:, : self.nodes] = arrays["recurrent"].T
        matrix[:, -1] = arrays["biases"]


def from_word(arguments: str, builder: Builder) -> Recurrent:
    """The layer of a word such as r128: 128 recurrent spiking neurons."""
    count = whole(arguments, "a number of neurons such as r64")
    neurons, times = builder.neurons(), builder.times
    if not isinstance(neurons, Spiking):
        raise SettingError(f"network.layers: r{count} is recurrent, and takes only the activation lif")
    return Recurrent(builder.matrix(count, count + math.prod(builder.shape) + 1, builder.precision()), neurons, times)
