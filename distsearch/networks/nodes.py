"""How moving nodes changes each example's own loss, using only forward passes.

A layer's weights affect an example only through the layer's pre-activations, its nodes. So perturb nodes, not weights:
a small group at a time, by ±σ, with separate signs for every example. The change in each example's loss, divided by the
perturbation and multiplied by the layer's inputs, says which way its weights should go. Perturbing one node at a time
is Madaline Rule III (Andes, Widrow, Lehr and Wan 1990, "MRIII: a robust algorithm for training analog neural
networks"); all nodes at once, node perturbation (Fiete and Seung 2006, doi 10.1103/PhysRevLett.97.048104); groups are
in between. Layers below the perturbed one are not recomputed, and those above only where the group reaches.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.blocks import NodeLayer
from distsearch.networks.changes import Change
from distsearch.networks.layers.base import CACHE_BYTES, Movable
from distsearch.networks.quiet import quietly, without_overflows
from distsearch.networks.trainable import ONE, LossesOf

Array = NDArray[np.float32]


class Layered(Protocol):
    """A stack of layers, as `networks.network.Network` is."""

    @property
    def node_layers(self) -> tuple[NodeLayer, ...]:
        """The nodes of each layer, and what an experiment with some of them costs."""
        ...

    def traces(self, weights: Array, inputs: Array) -> list[Any]:
        """The forward pass of some weights, (n,), through each layer."""
        ...

    def movable(self, traces: Sequence[Any] | None = None) -> Iterator[Movable]:
        """The nodes that can be moved, from the first layer on, and all stages above them."""
        ...


class NodeExperiments:
    """A stored forward pass of some weights, (n,), and how moving nodes changes it.

    Moves are numbered from those of the first layer on, node by node, and a node's places one after the other.
    """

    def __init__(
        self, network: Layered, weights: Array, inputs: Array, losses_of: LossesOf, unit: np.float64 = ONE
    ) -> None:
        self._losses_of = losses_of
        traces = network.traces(weights, inputs)
        self._movable = list(network.movable(traces))
        self._priced = network.node_layers
        self._firsts = [0]  # each layer's first move, and one past the last
        for movable in self._movable:
            self._firsts.append(self._firsts[-1] + movable.nodes.nodes * movable.nodes.places)
        self._outputs = traces[-1].activations
        self.losses = losses_of(self._outputs[np.newaxis].copy())[0]  # (examples,)
        self.loss = self.losses.mean(dtype=np.float64) * unit

    @quietly
    def gradient(self, ends: Sequence[int], signs: Array, sigma: float, groups: int | None, out: Array) -> None:
        """Write the sum over examples of the estimated gradients of some nodes' weights to `out`, (their weights,).

        The nodes are those of the moves from ends[0] to ends[-1]; the products of each part between two ends are
        computed by themselves, so that its bits do not depend on what else is. Ends are at whole groups of nodes.

        signs, (moves, examples), are ±1; single nodes that know better do not follow them. sigma is relative to the
        size of a layer's inputs: in units of the pre-activations that initial weights (he) would give. Each layer is
        moved in `groups` groups, or in as many as its price affords; node by node if it has no more nodes.
        """
        written = 0
        for movable, layer, (first, last) in zip(self._movable, self._priced, pairwise(self._firsts), strict=True):
            inside = sorted({min(max(end, first), last) for end in ends})
            if len(inside) == 1:
                continue
            nodes, places = movable.nodes, movable.nodes.places
            lo, hi = inside[0], inside[-1]
            at = [(end - first) // places for end in inside]  # the nodes where parts begin and end
            some, group = slice(at[0], at[-1]), layer.group_size(groups)
            slopes = self._slopes(movable, some, signs[lo - ends[0] : hi - ends[0]], sigma, group)
            for start, stop in pairwise(at):
                size = (stop - start) * nodes.width
                rows = out[written : written + size].reshape(stop - start, nodes.width)
                nodes.gradient(movable.trace, slopes[start - at[0] : stop - at[0]], slice(start, stop), rows)
                written += size

    def _slopes(self, movable: Movable, some: slice, signs: Array, sigma: float, group: int) -> Array:
        """The slopes of each example's loss along moves of some nodes, (nodes, places, examples), from their signs."""
        nodes = movable.nodes
        steps = nodes.steps(movable.trace, signs, some, sigma)
        steps = steps.reshape(-1, nodes.places, steps.shape[1])
        if group == 1:
            steps = nodes.aimed(movable.trace, steps, some)
        places = 1 if nodes.tied else nodes.places
        steps = steps.reshape(-1, places, steps.shape[2])
        together = group * self._together(movable, steps.shape[2])
        for place in range(places):
            losses = []
            for at in range(0, len(steps), together):
                moving = steps[at : at + together, place]
                where = slice(some.start + at, some.start + at + len(moving))
                change = nodes.moved(movable.trace, moving, where, group, place)
                losses.append(self._losses_of(self._outputs_after(movable, change)))
            changes = losses[0] if len(losses) == 1 else np.concatenate(losses)
            changes -= self.losses
            changes = without_overflows(changes)
            if group > 1:
                changes = np.repeat(changes, group, axis=0)[: len(steps)]
            np.divide(changes, steps[:, place], out=steps[:, place])
        return steps.reshape(-1, nodes.places, steps.shape[2])

    def _together(self, movable: Movable, examples: int) -> int:
        """How many groups are moved together, so that what they change fits the cache."""
        return max(1, CACHE_BYTES // (4 * movable.reach().numbers * examples))

    def _outputs_after(self, movable: Movable, change: Change) -> Array:
        """The network's outputs, (experiments, outputs, examples), after a change in a layer's activations."""
        for stage, trace in movable.above:
            change = stage.after(trace, change)
        return change.everything(self._outputs)
