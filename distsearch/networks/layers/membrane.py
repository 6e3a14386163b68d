"""The membranes of neurons that leak and integrate but do not spike, as the outputs' inputs.

After the last of T steps the membrane of an output is Σ βᵀ⁻¹⁻ᵗ Iₜ, which is linear in its currents I = W s + b. So the
mean of the spikes with these weights is taken first, and the output layer sees no time. The weights are made to sum to
1, so that a constant current gives itself.
"""

import math
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Shared
from distsearch.networks.changes import Change, Everything, Moved, Reach, Window
from distsearch.networks.graph import Graph, Value
from distsearch.networks.layers.base import Layer, one_each
from distsearch.networks.spikes import Spikes

Array = NDArray[np.float32]


class Trace(NamedTuple):
    """A forward pass."""

    inputs: Array  # (rows, steps · examples)
    activations: Array  # (rows, examples)


class Membrane(Layer):
    """The mean over the time steps, in which each step weighs β times what the next one does."""

    kind = "membrane"

    def __init__(self, shape: tuple[int, ...], spikes: Spikes) -> None:
        self.shape = (math.prod(shape),)
        self._steps = spikes.time_steps
        self._decay = spikes.decay

    @cached_property
    def _weights(self) -> Array:
        """That of each time step, (steps,): made when needed, as there may be too many to have at all."""
        weights = self._decay ** np.arange(self._steps)[::-1]
        return (weights / weights.sum()).astype(np.float32)

    def buffers(self, candidates: int, examples: int) -> Array:
        """Memory for the activations of that many candidates on that many examples."""
        return np.empty((candidates, self.rows, examples), np.float32)

    def forward(self, candidates: Candidates, below: Shared | Array, buffers: Array) -> Array:
        """The mean, (candidates, rows, examples), of activations below, (candidates, rows, columns)."""
        return self._with_ones(self._mean(one_each(below, len(candidates)), buffers))

    def express(self, graph: Graph, weights: Array, below: list[Value]) -> list[Value]:
        """The mean of all steps."""
        shares = [graph.add("Mul", value, float(share)) for value, share in zip(below, self._weights, strict=True)]
        mean = shares[0]
        for share in shares[1:]:
            mean = graph.add("Add", mean, share)
        return [mean]

    def trace(self, weights: Array, below: Array) -> Trace:
        """The mean of activations below, (rows, columns)."""
        return Trace(below, self._with_ones(self._mean(below[np.newaxis]))[0])

    def _mean(self, below: Array, out: Array | None = None) -> Array:
        """The weighted mean, (…, rows, examples), of (…, rows, steps · examples), added up step by step."""
        by_step = below.reshape(*below.shape[:-1], self._steps, -1)
        mean = np.multiply(by_step[..., 0, :], self._weights[0], out=out)
        for step in range(1, self._steps):
            mean += by_step[..., step, :] * self._weights[step]
        return mean

    def _with_ones(self, means: Array) -> Array:
        means[:, -1] = 1  # their sum may be off by a rounding
        return means

    def after(self, trace: Trace, change: Change) -> Change:
        """The means, or the means of what has changed."""
        match change:
            case Moved() | Window():
                return change._replace(changes=self._mean(change.changes))
            case Everything(activations):
                return Everything(self._with_ones(self._mean(activations)))

    def reached(self, below: Reach) -> Reach:
        """The same rows; a few operations for each."""
        rows = below.rows * self._steps
        return Reach(below.rows, below.window, below.multiplications + rows, below.numbers + rows)
