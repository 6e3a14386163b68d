"""A mixture of experts: a gate picks one of several stacks of dense layers for each example, by argmax.

The gate is a dense layer with a sum for each expert; the strongest one's expert makes the layer's activations. (The
hard mixture of PolyStep, arXiv 2605.01928.) A move below or in the gate changes what the chosen expert sees, and sends
a few examples to another one: those are computed one by one.
"""

import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Shared
from distsearch.errors import SettingError, brief
from distsearch.networks.building import Builder, whole
from distsearch.networks.changes import Change, Everything, Reach
from distsearch.networks.graph import Graph, Value
from distsearch.networks.initial import Start
from distsearch.networks.layers import dense, experts
from distsearch.networks.layers.base import Above, Layer, Movable, Stage
from distsearch.networks.layers.dense import NODE_COST, Dense
from distsearch.networks.layers.experts import Experts, Stack
from distsearch.networks.layers.routing import Numbers, Routing, Switched, strongest
from distsearch.networks.neurons import Elementwise, Linear, Neurons

Array = NDArray[np.float32]

EXPECTED = "a mixture such as moe4(128) or moe4(128,128), with at least 2 experts"


class Buffers(NamedTuple):
    """Kept between calls for the same number of candidates and examples."""

    gate: dense.Buffers
    experts: tuple[experts.Buffers, ...]


class Trace(NamedTuple):
    """A forward pass of one set of weights."""

    inputs: Array  # (inputs + 1, columns)
    gate: dense.Trace
    choice: Numbers  # (columns,), the expert
    routing: Routing
    experts: tuple[experts.Trace, ...]
    activations: Array  # (outputs + 1, columns)


class Mixture(Layer):
    """A gate, and layers of which every expert has its own."""

    kind = "mixture"

    def __init__(self, gate: Dense, layers: Sequence[Experts], times: int) -> None:
        self.gate = gate
        self.experts = tuple(layers)
        self.blocks = (*gate.blocks, *(layer.matrix.block for layer in layers))
        self.shape = (layers[-1].nodes,)
        self.times = times
        self.bits = layers[-1].bits
        self.jumps = any(layer.neurons.jumps for layer in layers)  # a mixture's loss is not flat between its jumps
        self._stack = Stack(self.experts)
        self._choosing = Choosing(self.experts)

    @property
    def memory(self) -> int:
        """The numbers kept per candidate and example: activations, and all experts' sums."""
        kept = sum((self.gate.nodes + 1) * layer.nodes + 1 for layer in self.experts)
        return self.times * (self.gate.nodes + kept)

    def buffers(self, candidates: int, examples: int) -> Buffers:
        """Allocate the sums and activations of this many candidates on this many examples."""
        columns = examples * self.times
        return Buffers(
            self.gate.buffers(candidates, examples),
            tuple(layer.buffers(candidates, columns) for layer in self.experts),
        )

    def forward(self, candidates: Candidates, below: Shared | Array, buffers: Buffers) -> Array:
        """The activations of each candidate's chosen experts, from those below, (candidates, inputs + 1, columns)."""
        choices = strongest(self.gate.forward(candidates, below, buffers.gate))
        activations: Shared | Array = below
        for layer, own in zip(self.experts, buffers.experts, strict=True):
            activations = layer.forward(candidates, activations, choices, own)
        return own.activations

    def express(self, graph: Graph, weights: Array, below: list[Value]) -> list[Value]:
        """For each step the gate's choice, and the chosen experts' layers."""
        made = []
        for value, scores in zip(below, self.gate.express(graph, weights, below), strict=True):
            choice = graph.reshaped(graph.strongest(scores), 1, 1)
            chosen = graph.add("Equal", choice, np.arange(self.gate.nodes, dtype=np.int64).reshape(1, 1, -1))
            for layer in self.experts:
                value = layer.express(graph, weights, value, chosen)
            made.append(value)
        return made

    def trace(self, weights: Array, below: Array) -> Trace:
        """The forward pass of some weights, (n,), through the layer, from activations below, (inputs + 1, columns)."""
        gate = self.gate.trace(weights, below)
        choice = strongest(gate.activations)
        routing = Routing.of(choice, self.gate.nodes)
        traces: list[experts.Trace] = []
        inputs = below.take(routing.order, axis=1)
        for layer in self.experts:
            traces.append(layer.trace(weights, inputs, routing))
            inputs = traces[-1].sorted.activations
        return Trace(below, gate, choice, routing, tuple(traces), traces[-1].columns.activations)

    def movable(self, trace: Trace | None = None) -> Iterator[Movable]:
        """The gate's sums; then of each of the experts' layers the sums of whichever expert is chosen."""
        yield Movable(self.gate, trace and trace.gate, (Above(self._choosing, trace),))
        traces: Sequence[experts.Trace | None] = trace.experts if trace else [None] * len(self.experts)
        for number, layer in enumerate(self.experts):
            over = Above(Stack(self.experts[number + 1 :]), traces[number + 1 :])
            yield Movable(layer, traces[number], (over,))

    def after(self, trace: Trace, change: Change) -> Everything:
        """The activations after a change below: of the same experts, and where the gate now says so of others."""
        scores = self.gate.after(trace.gate, change).activations
        activations = self._stack.after(trace.experts, change).everything(trace.activations)
        switched = Switched.of(scores, trace.choice)
        inputs = change.of_pairs(trace.inputs, switched.experiments, switched.columns)
        self._choosing.write(trace, switched, inputs, activations)
        return Everything(activations)

    def reached(self, below: Reach) -> Reach:
        """All activations, by way of the gate and of every layer of the experts."""
        inner = self._stack.reached(below)
        gate = self.gate.reached(below).multiplications - below.multiplications
        return inner._replace(multiplications=inner.multiplications + gate + self._choosing.cost)

    def scale_start(self, weights: Array, deviation: Start) -> None:
        """Make the initial weights normal, with zero biases; the gate's too."""
        self.gate.scale_start(weights, deviation)
        for layer in self.experts:
            layer.scale_start(weights, deviation)

    def named(self, weights: Array) -> Iterator[tuple[str, Array]]:
        """The tensors of the gate, a dense layer, and of the experts' layers: gate.weights, layer1.weights, …"""
        for name, layer in self._named_layers():
            yield from ((f"{name}.{tensor}", array) for tensor, array in layer.named(weights))

    def take(self, arrays: dict[str, Array], weights: Array) -> None:
        """Write the tensors into the flat weights, (n,). Raises KeyError or ValueError if they are another layer's."""
        for name, layer in self._named_layers():
            layer.take({tensor: arrays[f"{name}.{tensor}"] for tensor in ("weights", "biases")}, weights)

    def _named_layers(self) -> Iterator[tuple[str, Dense | Experts]]:
        yield "gate", self.gate
        for number, layer in enumerate(self.experts, start=1):
            yield f"layer{number}", layer


class Choosing(Stage):
    """What the gate's sums decide: which of the experts make the activations."""

    def __init__(self, layers: Sequence[Experts]) -> None:
        self._experts = tuple(layers)
        self.cost = NODE_COST * sum(layer.nodes for layer in layers)
        """Of the few examples that are sent elsewhere, in multiplications per example."""

    def after(self, trace: Trace, change: Change) -> Everything:
        """The activations after a change of the gate's sums."""
        scores = change.everything(trace.gate.activations)
        activations = np.repeat(trace.activations[np.newaxis], len(scores), axis=0)
        switched = Switched.of(scores, trace.choice)
        self.write(trace, switched, trace.inputs.T[switched.columns], activations)
        return Everything(activations)

    def write(self, trace: Trace, switched: Switched, inputs: Array, activations: Array) -> None:
        """Write what other experts make of inputs, (pairs, inputs + 1), to (experiments, rows, columns)."""
        for layer, own in zip(self._experts, trace.experts, strict=True):
            inputs = layer.of_pairs(own, inputs, switched.choices)
        activations[switched.experiments, :, switched.columns] = inputs

    def reached(self, below: Reach) -> Reach:
        """All activations."""
        rows = self._experts[-1].nodes + 1
        return Reach(rows, None, below.multiplications + self.cost, below.numbers + rows)


def from_word(arguments: str, builder: Builder) -> Mixture:
    """The layer that moe4(128,128) stands for: that many experts, each of layers with that many neurons."""
    found = re.fullmatch(r"(\d+)\(([^()]+)\)", arguments)
    if not found:
        raise SettingError(f"network.layers: expected {EXPECTED}, got {brief('moe' + arguments)}")
    count = whole(found[1], EXPECTED)
    if count == 1:
        raise SettingError(f"network.layers: expected {EXPECTED}, got {brief('moe' + arguments)}")
    units = [whole(part, "a number of neurons such as 64 in each layer of the experts") for part in found[2].split(",")]
    inputs, precision = math.prod(builder.shape), builder.precision()
    matrix, bits = builder.matrix(count, inputs + 1, precision), builder.bits
    gate = Dense(matrix, Linear(builder.times), builder.times, last=True, bits_below=bits)
    layers = []
    for number, rows in enumerate(units, start=1):
        matrix = builder.matrix(rows * count, inputs + 1, precision)
        ends = len(units) > 1 and number == len(units)
        layers.append(Experts(matrix, count, _neurons(builder, ends), builder.times, bits))
        inputs, bits = rows, layers[-1].bits
    return Mixture(gate, layers, builder.times)


def _neurons(builder: Builder, ends: bool) -> Neurons:
    """The next activation; the last of several layers is linear if there is one activation for all."""
    neurons = builder.neurons("linear" if ends else None)
    if not isinstance(neurons, Elementwise | Linear):
        raise SettingError(
            "network.activation: experts cannot spike, as each example may choose another one at each time step"
        )
    return neurons
