"""What perturbed nodes do to each example's own loss, by forward passes alone.

A layer's weights act on an example only through the layer's pre-activations, its nodes. So perturb nodes, not weights:
a small group of them at a time, by ±σ, in every example by signs of its own; see how the loss of each example changes;
and the change divided by the perturbation, times the layer's inputs, says where the weights are to go. Perturbing one
node at a time is Madaline Rule III (Andes, Widrow, Lehr and Wan 1990, "MRIII: a robust algorithm for training analog
neural networks"); all nodes at once, node perturbation (Fiete and Seung 2006, doi 10.1103/PhysRevLett.97.048104);
groups lie between. Layers below the perturbed one are not computed again, and the first layer behind it only where the
group reaches.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from distsearch.networks.network import ACTIVATIONS, CACHE_BYTES, Network
from distsearch.objectives.batches import Split
from distsearch.objectives.losses import Loss

SMALLEST_SIZE = 0.01

Array = NDArray[np.float32]


class Nodes:
    """The nodes of a network under a loss."""

    def __init__(self, network: Network, loss: Loss) -> None:
        self._network = network
        self._loss = loss
        self._activate = ACTIVATIONS[network.activation]

    def updates(self, weights: Array, examples: Split, signs: Array, sigma: float, groups: int) -> tuple[Array, Array]:
        """Each example's loss, (examples,), and the sum over the examples of the estimated gradients, (n,).

        weights are the center's, (n,); signs, (nodes, examples), are ±1, the nodes of the first layer first. sigma is
        in units of what a layer's inputs call for: of the pre-activations that weights as they start (he) would make of
        them. (Those of the weights as they are would grow with them, and so would the steps.) Each layer is perturbed
        in so many groups, or node by node if it has no more.
        """
        passed = _Passed(self._network, self._activate, weights, examples.inputs)
        base = self._loss.each(passed.pre[-1].copy(), examples.targets)[0]
        estimated, start = np.empty_like(weights), 0
        for number, layer in enumerate(self._network.layers):
            steps = signs[start : start + layer.outputs] * np.float32(sigma * _size(passed.inputs[number]))
            start += layer.outputs
            nodes = -(-layer.outputs // groups)  # of a group
            losses = [
                self._loss.each(passed.outputs(number, steps, slice(at, at + size), nodes), examples.targets)
                for at, size in passed.blocks(number, nodes)
            ]
            changes = np.repeat(np.concatenate(losses) - base, nodes, axis=0)[: layer.outputs]
            np.matmul(changes / steps, passed.inputs[number].T, out=layer.matrix(estimated))
        return base, estimated


class _Passed:
    """A forward pass of some weights that is kept, and what comes of it when nodes are moved."""

    def __init__(
        self, network: Network, activate: Callable[[Array, Array], None], weights: Array, inputs: Array
    ) -> None:
        self._activate = activate
        self._matrices = [layer.matrix(weights) for layer in network.layers]
        self.inputs = [inputs]  # of each layer, (inputs + 1, examples)
        self.pre: list[Array] = []  # each layer's pre-activations, (1, outputs, examples)
        for matrix in self._matrices:
            self.pre.append(np.matmul(matrix, self.inputs[-1])[np.newaxis])
            self.inputs.append(self._active(self.pre[-1])[0])

    def blocks(self, number: int, nodes: int) -> Iterator[tuple[int, int]]:
        """(first, count) of the groups of a layer that are moved together, so that what comes of it fits the cache."""
        groups = -(-self.pre[number].shape[1] // nodes)
        behind = self.pre[number + 1 :] or self.pre[-1:]
        size = max(1, CACHE_BYTES // sum(pre.nbytes for pre in behind))
        return ((at, min(size, groups - at)) for at in range(0, groups, size))

    def outputs(self, number: int, steps: Array, some: slice, nodes: int) -> Array:
        """The network's outputs when one group of a layer's nodes is moved by its steps, (groups, outputs, examples).

        steps are (nodes of the layer, examples); `some` are the groups, of so many nodes each.
        """
        at = slice(some.start * nodes, some.stop * nodes)
        if number == len(self.pre) - 1:
            return self._moved(number, steps, at, nodes)
        before = self.inputs[number + 1][:-1][at]
        changes = self._active((self.pre[number][0, at] + steps[at])[np.newaxis])[0, :-1] - before
        columns = self._matrices[number + 1][:, :-1][:, at]
        pre = _by_groups(columns, changes, nodes)
        pre += self.pre[number + 1]
        for matrix in self._matrices[number + 2 :]:
            pre = np.matmul(matrix, self._active(pre))
        return pre

    def _moved(self, number: int, steps: Array, at: slice, nodes: int) -> Array:
        """The pre-activations of a layer, (groups, outputs, examples), one group moved in each."""
        moved = steps[at]
        places = np.arange(len(moved))
        pre = np.repeat(self.pre[number], -(-len(moved) // nodes), axis=0)
        pre[places // nodes, at.start + places] += moved
        return pre

    def _active(self, pre: Array) -> Array:
        """The activations, (candidates, neurons + 1, examples), the last row ones."""
        hidden = np.ones((len(pre), pre.shape[1] + 1, pre.shape[2]), np.float32)
        hidden[:, :-1] = pre
        self._activate(hidden, np.zeros_like(hidden[0]))
        return hidden


def _size(inputs: Array) -> float:
    """√(2 · the mean square of a layer's inputs), (inputs + 1, examples), but never next to nothing."""
    flat = inputs.ravel(order="K")  # as it lies in memory, the row of ones included
    squares = float(np.vdot(flat, flat)) - inputs.shape[1]
    return max(SMALLEST_SIZE, math.sqrt(max(0.0, 2 * squares / (inputs.size - inputs.shape[1]))))


def _by_groups(columns: Array, changes: Array, nodes: int) -> Array:
    """What changes of a layer's activations, (neurons, examples), do to the next pre-activations, group by group.

    columns are the next layer's, (outputs, neurons). Gives (groups, outputs, examples).
    """
    if nodes == 1:
        return np.multiply(columns.T[:, :, np.newaxis], changes[:, np.newaxis])
    missing = -len(changes) % nodes
    columns, changes = np.pad(columns, ((0, 0), (0, missing))), np.pad(changes, ((0, missing), (0, 0)))
    outputs, examples = len(columns), changes.shape[1]
    stacked = np.ascontiguousarray(columns.reshape(outputs, -1, nodes).transpose(1, 0, 2))
    return np.matmul(stacked, changes.reshape(-1, nodes, examples))
