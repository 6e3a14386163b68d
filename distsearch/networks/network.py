"""A stack of layers: where each one's weights are, and the forward pass of many candidates at once.

Activations are (candidates, rows, columns): the examples are last, and contiguous.
"""

import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Shared
from distsearch.candidates.blocks import Block, NodeLayer
from distsearch.networks.graph import Graph, Value
from distsearch.networks.initial import STARTS
from distsearch.networks.layers.base import Above, Layer, Movable, take_all, tensors_of
from distsearch.networks.matrices import Matrix
from distsearch.networks.nodes import NodeExperiments
from distsearch.networks.spikes import RateCode
from distsearch.networks.trainable import ONE, Described, LossesOf, Trainable
from distsearch.randomness import Stream, noise

Array = NDArray[np.float32]

MOST_GROUPS = 128  # of a layer's nodes
MOST_PASSES = 8.0  # the cost of moving the nodes of a layer with many places, in forward passes


class _ThreadBuffers(threading.local):
    """The layers' buffers of each thread, by candidates and examples: threads must not write into each other's."""

    def __init__(self) -> None:
        self.kept: dict[tuple[int, int], list[Any]] = {}

    def __reduce__(self) -> tuple[type["_ThreadBuffers"], tuple[()]]:
        return _ThreadBuffers, ()


class Network(Trainable):
    """Layers, each fed by the one before; the last is the output layer. The first may see its inputs as spikes."""

    def __init__(self, layers: Sequence[Layer], matrices: Sequence[Matrix] = (), code: RateCode | None = None) -> None:
        self.layers = tuple(layers)
        self.matrices = tuple(matrices)
        """Those of the weights that may be rounded."""
        self.code = code
        self.blocks: tuple[Block, ...] = tuple(block for layer in layers for block in layer.blocks)
        self.weights_count = self.blocks[-1].stop
        self._buffers = _ThreadBuffers()

    @property
    def jumps(self) -> bool:
        """Whether any activation jumps."""
        return any(layer.jumps for layer in self.layers)

    @property
    def neurons(self) -> int:
        """The number of activations kept per candidate and example, including the rows of ones."""
        return sum(layer.memory for layer in self.layers)

    @property
    def outputs(self) -> int:
        """The number of outputs for an example."""
        return self.layers[-1].shape[-1]

    @property
    def windows(self) -> int:
        """The most columns that any of its products has for an example: more than 1 for convolutions."""
        return max(layer.windows for layer in self.layers)

    def described(self) -> list[Described]:
        """Each layer's kind, shape and weights, and how many bits these have in the forward pass."""
        bits = {matrix.block: matrix.precision.bits for matrix in self.matrices}
        return [
            Described(
                layer.kind,
                layer.shape,
                sum(block.size for block in layer.blocks),
                tuple(sorted({bits.get(block, 32) for block in layer.blocks})),
            )
            for layer in self.layers
        ]

    def start(self, kind: str | None, seed: int) -> Array:
        """The initial weights, (n,): normal by `kind`, with zero biases. Raises SettingError if it is unknown."""
        if kind is None:
            raise AssertionError("the kind of the initial weights has not been chosen")
        deviation = STARTS.find(kind)
        weights = noise(seed, Stream.START, 0, 0, 1, self.weights_count)[0]
        for layer in self.layers:
            layer.scale_start(weights, deviation)
        return weights

    def forward(self, candidates: Candidates, inputs: Shared) -> Array:
        """The outputs of every candidate, (candidates, outputs, examples), in a buffer that the thread soon reuses.

        inputs are (features + 1, examples), their last row ones.
        """
        below: Shared | Array = Shared(self.code.of(inputs.array), kept=False) if self.code else inputs
        outputs = inputs.array
        for layer, buffers in zip(self.layers, self._buffers_for(len(candidates), inputs.array.shape[-1]), strict=True):
            below = outputs = layer.forward(candidates, below, buffers)
        return outputs

    def express(self, graph: Graph, weights: Array, features: Value) -> Value:
        """Add the forward pass of some weights, (n,), to a graph: (examples, outputs) from (examples, features).

        Raises SettingError if it has a part without such a form.
        """
        values = self.code.express(graph, features) if self.code else [features]
        for layer in self.layers:
            values = layer.express(graph, weights, values)
        return values[0]

    def experiments(
        self, weights: Array, inputs: Array, losses_of: LossesOf, unit: np.float64 = ONE
    ) -> NodeExperiments:
        """The forward pass of the weights, (n,), and what moving nodes changes in it."""
        return NodeExperiments(self, weights, inputs, losses_of, unit)

    def traces(self, weights: Array, inputs: Array) -> list[Any]:
        """The forward pass of some weights, (n,), through each layer, kept to see what moving nodes changes."""
        traces: list[Any] = []
        if self.code:
            inputs = self.code.of(inputs)
        for layer in self.layers:
            traces.append(layer.trace(weights, inputs))
            inputs = traces[-1].activations
        return traces

    def movable(self, traces: Sequence[Any] | None = None) -> Iterator[Movable]:
        """The nodes that can be moved, from the first layer on, and all stages above them."""
        given = [None] * len(self.layers) if traces is None else traces
        for number, layer in enumerate(self.layers):
            over = tuple(map(Above, self.layers[number + 1 :], given[number + 1 :]))
            for movable in layer.movable(given[number]):
                yield movable._replace(above=movable.above + over)

    def rounded(self, weights: Array) -> Array:
        """The flat weights, (n,), as the forward pass sees them."""
        seen = weights.copy()
        for matrix in self.matrices:
            matrix.block.matrix(seen)[:] = matrix.of(weights)
        return seen

    @cached_property
    def node_layers(self) -> tuple[NodeLayer, ...]:
        """The nodes of each layer, and the cost of an experiment with some of them: worked out once."""
        movable = list(self.movable())
        affordable = MOST_PASSES * sum(each.nodes.products for each in movable)
        found = []
        for each in movable:
            nodes, price = each.nodes, each.reach().multiplications * each.nodes.places
            groups = MOST_GROUPS if nodes.places == 1 else min(MOST_GROUPS, max(1, int(affordable / price)))
            found.append(NodeLayer(nodes.nodes, price, nodes.width, nodes.places, nodes.products, groups))
        return tuple(found)

    def named(self, weights: Array) -> dict[str, Array]:
        """The flat weights as each layer's tensors, such as `weights` (inputs, outputs) and `biases` (outputs,)."""
        return dict(tensors_of(self._numbered(), weights))

    def flat(self, arrays: dict[str, Array]) -> Array:
        """The flat weights, (n,), from what `named` returned. Raises KeyError or ValueError if of another network."""
        weights = np.empty(self.weights_count, np.float32)
        taken = take_all(self._numbered(), arrays, weights)
        if taken != len(arrays):
            raise ValueError(f"expected {taken} arrays, got {len(arrays)}")
        return weights

    def _numbered(self) -> Iterator[tuple[str, Layer]]:
        """The layers that have weights, with the names of their tensors: dense1, dense2, …"""
        with_weights = [layer for layer in self.layers if layer.blocks]
        for number, layer in enumerate(with_weights, start=1):
            yield f"{layer.kind}{number}", layer

    def _buffers_for(self, candidates: int, examples: int) -> list[Any]:
        kept = self._buffers.kept
        buffers = kept.get((candidates, examples))
        if buffers is None:
            if len(kept) >= 8:  # a search has at most four shapes: of whole and last tiles and chunks
                kept.clear()
            buffers = kept[candidates, examples] = [layer.buffers(candidates, examples) for layer in self.layers]
        return buffers
