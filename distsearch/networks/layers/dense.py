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
    activations: Array  # (rows, examples)
    zeros: Array  # (rows, examples)


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
        padded = self._padded(1, below.shape[1])
        padded[:, : self.outputs] = sums
        zeros = np.zeros_like(padded[0])
        return Trace(matrix, below, sums, self.activated(padded, zeros)[0], zeros)

    def activated(self, padded: Array, zeros: Array) -> Array:
        """The activations, (experiments, rows, examples), of pre-activations with a row to spare, in their place."""
        if self.activation is not None:
            padded[:, -1] = 1
            self.activation.apply(padded, zeros[: padded.shape[1]])
        return padded

    def _padded(self, experiments: int, examples: int) -> Array:
        """Memory for pre-activations, and for the row of ones below activations, (experiments, rows, examples)."""
        return np.empty((experiments, self.rows, examples), np.float32)

    def changes(self, trace: Trace, steps: Array, at: slice) -> Array:
        """The change in activations of the nodes `at` due to their steps, (nodes, examples): of the same shape."""
        padded = np.empty((1, len(steps) + 1, steps.shape[1]), np.float32)
        np.add(trace.sums[0, at], steps, out=padded[0, :-1])
        changes = self.activated(padded, trace.zeros)[0, :-1]
        changes -= trace.activations[:-1][at]
        return changes

    def moved(self, trace: Trace, steps: Array, at: slice, group: int) -> Array:
        """The pre-activations with the nodes `at` moved by their steps, one group of nodes in each experiment.

        steps are (nodes, examples). Returns (experiments, outputs, examples).
        """
        places = np.arange(len(steps))
        sums = np.repeat(trace.sums, -(-len(steps) // group), axis=0)
        sums[places // group, at.start + places] += steps
        return sums

    def shifted(self, trace: Trace, changes: Array, at: slice, group: int) -> Array:
        """The pre-activations when the inputs `at` change, (inputs, examples), one group of them in each experiment.

        Returns (experiments, rows, examples), to be `activated`: only the columns for what has changed are multiplied.
        """
        columns = trace.matrix[:, :-1][:, at]
        padded = self._padded(-(-len(changes) // group), changes.shape[1])
        sums = padded[:, : self.outputs]
        if group == 1:
            np.multiply(columns.T[:, :, np.newaxis], changes[:, np.newaxis], out=sums)
        else:
            missing = -len(changes) % group
            columns, changes = np.pad(columns, ((0, 0), (0, missing))), np.pad(changes, ((0, missing), (0, 0)))
            stacked = np.ascontiguousarray(columns.reshape(len(columns), -1, group).transpose(1, 0, 2))
            np.matmul(stacked, changes.reshape(-1, group, changes.shape[1]), out=sums)
        sums += trace.sums
        return padded

    def following(self, trace: Trace, activations: Array) -> Array:
        """The pre-activations for activations below, (experiments, inputs + 1, examples), to be `activated`."""
        padded = self._padded(len(activations), activations.shape[2])
        np.matmul(trace.matrix, activations, out=padded[:, : self.outputs])
        return padded

    def gradient(self, trace: Trace, slopes: Array, out: Array) -> None:
        """Write the gradient of some nodes' weights, (nodes, inputs + 1), to `out`, from slopes, (nodes, examples)."""
        np.matmul(slopes, trace.inputs.T, out=out)
