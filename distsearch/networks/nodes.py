"""How moving nodes changes each example's own loss, using only forward passes.

A layer's weights affect an example only through the layer's pre-activations, its nodes. So perturb nodes, not weights:
a small group at a time, by ±σ, with separate signs for every example. The change in each example's loss, divided by the
perturbation and multiplied by the layer's inputs, says which way its weights should go. Perturbing one node at a time
is Madaline Rule III (Andes, Widrow, Lehr and Wan 1990, "MRIII: a robust algorithm for training analog neural
networks"); all nodes at once, node perturbation (Fiete and Seung 2006, doi 10.1103/PhysRevLett.97.048104); groups are
in between. Layers below the perturbed one are not recomputed, and the next layer only where the group reaches.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.blocks import NodeLayer
from distsearch.networks.network import CACHE_BYTES, Network

SMALLEST_SIZE = 0.01
NODE_COST = 60.0  # measured cost, in multiplications, that moving one node adds in each node above, besides products

Array = NDArray[np.float32]

LossesOf = Callable[[Array], Array]
"""Every example's loss, (experiments, examples), from outputs, (experiments, outputs, examples), used as scratch."""


def node_layers(network: Network) -> tuple[NodeLayer, ...]:
    """The nodes of each layer, and the cost of an experiment with some of them."""
    layers = network.layers
    found = []
    for number, layer in enumerate(layers):
        products = sum(above.block.size for above in layers[number + 2 :])
        nodes = sum(above.outputs for above in layers[number + 1 :] or layers[-1:])
        found.append(NodeLayer(layer.outputs, products + NODE_COST * nodes))
    return tuple(found)


class NodeExperiments:
    """A stored forward pass of some weights, (n,), and how moving nodes changes it."""

    def __init__(self, network: Network, weights: Array, inputs: Array, losses_of: LossesOf) -> None:
        self._layers = network.layers
        self._losses_of = losses_of
        self._traces = []
        for layer in self._layers:
            self._traces.append(layer.trace(weights, inputs))
            inputs = self._traces[-1].activations
        self.losses = losses_of(self._traces[-1].sums.copy())[0]  # (examples,)

    def gradient(self, signs: Array, sigma: float, groups: int, out: Array) -> None:
        """Write the sum over examples of the estimated gradients, (n,), to `out`.

        signs, (nodes, examples), are ±1, beginning with the nodes of the first layer. sigma is relative to the size of
        a layer's inputs: in units of the pre-activations that initial weights (he) would give. (Those of the current
        weights would grow with them, and so would the steps.) Each layer is perturbed in `groups` groups, or node by
        node if it has no more nodes.
        """
        start = 0
        for number, (layer, trace) in enumerate(zip(self._layers, self._traces, strict=True)):
            steps = signs[start : start + layer.outputs] * np.float32(sigma * _size(trace.inputs))
            start += layer.outputs
            group = -(-layer.outputs // groups)  # nodes
            losses = [
                self._losses_of(self._outputs(number, steps, slice(at * group, (at + count) * group), group))
                for at, count in self._together(number, group)
            ]
            changes = np.repeat(np.concatenate(losses) - self.losses, group, axis=0)[: layer.outputs]
            layer.gradient(trace, changes / steps, out)

    def _together(self, number: int, group: int) -> Iterator[tuple[int, int]]:
        """(first, count) of a layer's groups to compute together, so that their activations fit the cache."""
        groups = -(-self._layers[number].outputs // group)
        above = self._traces[number + 1 :] or self._traces[-1:]
        size = max(1, CACHE_BYTES // sum(trace.sums.nbytes for trace in above))
        return ((at, min(size, groups - at)) for at in range(0, groups, size))

    def _outputs(self, number: int, steps: Array, at: slice, group: int) -> Array:
        """The network's outputs, (experiments, outputs, examples), when the nodes `at` of a layer are moved.

        steps are (nodes of the layer, examples); each experiment moves one group of nodes.
        """
        layers, traces = self._layers, self._traces
        if number == len(layers) - 1:
            return layers[number].moved(traces[number], steps, at, group)
        changes = layers[number].changes(traces[number], steps, at)
        sums = layers[number + 1].shifted(traces[number + 1], changes, at, group)
        for below, trace in zip(layers[number + 1 :], traces[number + 2 :], strict=False):
            sums = np.matmul(trace.matrix, below.activated(sums))
        return sums


def _size(inputs: Array) -> float:
    """√(2 · the mean square of a layer's inputs), (inputs + 1, examples), but never close to zero."""
    flat = inputs.ravel(order="K")  # in memory order, including the row of ones
    squares = float(np.vdot(flat, flat)) - inputs.shape[1]
    return max(SMALLEST_SIZE, math.sqrt(max(0.0, 2 * squares / (inputs.size - inputs.shape[1]))))
