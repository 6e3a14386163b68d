"""A dense layer: an activation of W x + b, with the biases as the last column of its block.

Activations are (candidates, neurons + 1, examples), their last row ones, so that the next layer's product includes its
biases.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Shared
from distsearch.candidates.blocks import Block
from distsearch.networks.activations import Activation

Array = NDArray[np.float32]


class Buffers(NamedTuple):
    """One layer's activations, kept between calls for the same number of candidates and examples."""

    activations: Array  # (candidates, outputs + 1, examples), the last row ones; without that row if it is linear
    products: Array  # the same without the ones: a view
    zeros: Array  # (outputs + 1, examples)


class Trace(NamedTuple):
    """A forward pass of one set of weights through a layer, kept to see what moving nodes changes."""

    matrix: Array  # (outputs, inputs + 1)
    inputs: Array  # (inputs + 1, examples)
    sums: Array  # (1, outputs, examples), the layer's nodes: its pre-activations
    activations: Array  # (outputs + 1, examples); the sums themselves if it is linear


@dataclass(frozen=True, slots=True)
class Dense:
    """A dense layer; without an activation it is linear, and the last of its network."""

    block: Block
    activation: Activation | None

    @property
    def inputs(self) -> int:
        """The number of inputs, without the row of ones."""
        return self.block.columns - 1

    @property
    def outputs(self) -> int:
        """The number of neurons, which are the nodes that can be moved."""
        return self.block.rows

    @property
    def rows(self) -> int:
        """The number of rows of one candidate's activations."""
        return self.outputs + (self.activation is not None)

    def buffers(self, candidates: int, examples: int) -> Buffers:
        """Allocate the activations of this many candidates on this many examples."""
        if self.activation is not None:
            ones = np.ones((candidates, self.outputs + 1, examples), np.float32)
            return Buffers(ones, ones[:, :-1], np.zeros_like(ones[0]))
        if examples == 1:  # otherwise NumPy would sum one candidate's outputs in a different order from many's
            outputs = np.empty((candidates, self.outputs, 1), np.float32)
        else:
            # In memory (outputs, candidates, examples), so that a loss's operations on every example run on from one
            # candidate to the next.
            outputs = np.empty((self.outputs, candidates, examples), np.float32).transpose(1, 0, 2)
        return Buffers(outputs, outputs, outputs[:0])

    def forward(self, candidates: Candidates, below: Shared | Array, buffers: Buffers) -> Array:
        """The layer's activations, in its buffers, from those below, (candidates, inputs + 1, examples)."""
        candidates.apply(self.block, below, buffers.products)
        if self.activation is not None:
            self.activation.apply(buffers.activations, buffers.zeros)
        return buffers.activations

    # What follows is for node perturbation: a layer's nodes are moved, one group in each experiment.

    def trace(self, weights: Array, below: Array) -> Trace:
        """The forward pass of some weights, (n,), through the layer, from inputs, (inputs + 1, examples)."""
        matrix = self.block.matrix(weights)
        sums = np.matmul(matrix, below)[np.newaxis]
        return Trace(matrix, below, sums, self.activated(sums)[0])

    def activated(self, sums: Array) -> Array:
        """The activations for pre-activations, (experiments, outputs, examples), with their row of ones."""
        if self.activation is None:
            return sums
        activations = np.ones((len(sums), sums.shape[1] + 1, sums.shape[2]), np.float32)
        activations[:, :-1] = sums
        self.activation.apply(activations, np.zeros_like(activations[0]))
        return activations

    def changes(self, trace: Trace, steps: Array, at: slice) -> Array:
        """The change in activations of the nodes `at` due to their steps, (outputs, examples): (nodes, examples)."""
        return self.activated((trace.sums[0, at] + steps[at])[np.newaxis])[0, :-1] - trace.activations[:-1][at]

    def moved(self, trace: Trace, steps: Array, at: slice, group: int) -> Array:
        """The pre-activations with the nodes `at` moved by their steps, one group of nodes in each experiment.

        steps are (outputs, examples). Returns (experiments, outputs, examples).
        """
        moved = steps[at]
        places = np.arange(len(moved))
        sums = np.repeat(trace.sums, -(-len(moved) // group), axis=0)
        sums[places // group, at.start + places] += moved
        return sums

    def shifted(self, trace: Trace, changes: Array, at: slice, group: int) -> Array:
        """The pre-activations when the inputs `at` change, (inputs, examples), one group of them in each experiment.

        Returns (experiments, outputs, examples): only the columns for what has changed are multiplied.
        """
        columns = trace.matrix[:, :-1][:, at]
        if group == 1:
            sums = np.multiply(columns.T[:, :, np.newaxis], changes[:, np.newaxis])
        else:
            missing = -len(changes) % group
            columns, changes = np.pad(columns, ((0, 0), (0, missing))), np.pad(changes, ((0, missing), (0, 0)))
            stacked = np.ascontiguousarray(columns.reshape(len(columns), -1, group).transpose(1, 0, 2))
            sums = np.matmul(stacked, changes.reshape(-1, group, changes.shape[1]))
        sums += trace.sums
        return sums

    def gradient(self, trace: Trace, slopes: Array, out: Array) -> None:
        """Write its weights' gradient to their part of `out`, (n,), from slopes of the loss, (outputs, examples)."""
        np.matmul(slopes, trace.inputs.T, out=self.block.matrix(out))
