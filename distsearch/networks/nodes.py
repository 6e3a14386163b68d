"""How moving nodes changes each example's own loss, using only forward passes.

A layer's weights affect an example only through the layer's pre-activations, its nodes. So perturb nodes, not weights:
a small group at a time, by ±σ, with separate signs for every example. The change in each example's loss, divided by the
perturbation and multiplied by the layer's inputs, says which way its weights should go. Perturbing one node at a time
is Madaline Rule III (Andes, Widrow, Lehr and Wan 1990, "MRIII: a robust algorithm for training analog neural
networks"); all nodes at once, node perturbation (Fiete and Seung 2006, doi 10.1103/PhysRevLett.97.048104); groups are
in between. Layers below the perturbed one are not recomputed, and the next layer only where the group reaches.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.blocks import NodeLayer, group_size
from distsearch.networks.network import CACHE_BYTES, Network
from distsearch.networks.quiet import quietly

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
        found.append(NodeLayer(layer.outputs, products + NODE_COST * nodes, layer.block.columns))
    return tuple(found)


class NodeExperiments:
    """A stored forward pass of some weights, (n,), and how moving nodes changes it.

    Nodes are numbered from those of the first layer on.
    """

    def __init__(self, network: Network, weights: Array, inputs: Array, losses_of: LossesOf) -> None:
        self._layers = network.layers
        self._losses_of = losses_of
        self._traces = []
        self._firsts = [0]  # each layer's first node, and one past the last
        for layer in self._layers:
            self._traces.append(layer.trace(weights, inputs))
            self._firsts.append(self._firsts[-1] + layer.outputs)
            inputs = self._traces[-1].activations
        self.losses = losses_of(self._traces[-1].sums.copy())[0]  # (examples,)

    @quietly
    def gradient(self, ends: Sequence[int], signs: Array, sigma: float, groups: int, out: Array) -> None:
        """Write the sum over examples of the estimated gradients of some nodes' weights to `out`, (their weights,).

        The nodes are those from ends[0] to ends[-1]; the products of each part between two ends are computed by
        themselves, so that its bits do not depend on what else is. Ends are at whole groups.

        signs, (nodes, examples), are ±1. sigma is relative to the size of a layer's inputs: in units of the
        pre-activations that initial weights (he) would give. (Those of the current weights would grow with them, and
        so would the steps.) Each layer is moved in `groups` groups, or node by node if it has no more nodes.
        """
        written = 0
        for number, (first, last) in enumerate(pairwise(self._firsts)):
            inside = sorted({min(max(end, first), last) for end in ends})
            if len(inside) == 1:
                continue
            layer, trace = self._layers[number], self._traces[number]
            lo, hi = inside[0], inside[-1]
            slopes = self._slopes(
                number, slice(lo - first, hi - first), signs[lo - ends[0] : hi - ends[0]], sigma, groups
            )
            for start, stop in pairwise(inside):
                size = (stop - start) * layer.block.columns
                rows = out[written : written + size].reshape(stop - start, layer.block.columns)
                layer.gradient(trace, slopes[start - lo : stop - lo], rows)
                written += size

    def _slopes(self, number: int, nodes: slice, signs: Array, sigma: float, groups: int) -> Array:
        """The slopes of each example's loss along some of a layer's nodes, (nodes, examples), from their signs."""
        layer, trace = self._layers[number], self._traces[number]
        steps = signs * np.float32(sigma * _size(trace.inputs))
        group = group_size(layer.outputs, groups)
        together = group * self._together(number)
        losses = [
            self._losses_of(self._outputs(number, nodes.start + at, steps[at : at + together], group))
            for at in range(0, len(steps), together)
        ]
        changes = losses[0] if len(losses) == 1 else np.concatenate(losses)
        changes -= self.losses
        if group > 1:
            changes = np.repeat(changes, group, axis=0)[: len(steps)]
        return np.divide(changes, steps, out=steps)

    def _together(self, number: int) -> int:
        """How many of a layer's groups are moved together, so that their activations fit the cache."""
        above = self._traces[number + 1 :] or self._traces[-1:]
        return max(1, CACHE_BYTES // sum(trace.sums.nbytes for trace in above))

    def _outputs(self, number: int, first: int, steps: Array, group: int) -> Array:
        """The network's outputs, (experiments, outputs, examples), when nodes of a layer are moved, from `first` on.

        steps are (nodes, examples); each experiment moves one group of nodes.
        """
        layers, traces, at = self._layers, self._traces, slice(first, first + len(steps))
        if number == len(layers) - 1:
            return layers[number].moved(traces[number], steps, at, group)
        changes = layers[number].changes(traces[number], steps, at)
        sums = layers[number + 1].shifted(traces[number + 1], changes, at, group)
        for above in range(number + 2, len(layers)):
            activations = layers[above - 1].activated(sums, traces[above - 1].zeros)
            sums = layers[above].following(traces[above], activations)
        return sums


def _size(inputs: Array) -> float:
    """√(2 · the mean square of a layer's inputs), (inputs + 1, examples), but never close to zero."""
    flat = inputs.ravel(order="K")  # in memory order, including the row of ones
    squares = float(np.vdot(flat, flat)) - inputs.shape[1]
    return max(SMALLEST_SIZE, math.sqrt(max(0.0, 2 * squares / (inputs.size - inputs.shape[1]))))
