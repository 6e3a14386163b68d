"""Node perturbation: move nodes instead of weights, in each example separately, and see how its own loss changes.

It only needs forward passes, so neither activations nor losses need a gradient. A candidate has as many dimensions as
the network has weights, but an example's perturbation only as many as it has nodes, and every example in the batch is
an experiment of its own: so it needs a hundred times fewer forward passes than noise on weights. The experiments
are run by the objective, which knows the network; here their outcome becomes a step.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import numpy as np
from msgspec import structs

from distsearch.candidates.blocks import NodeLayer
from distsearch.errors import SettingError
from distsearch.objectives.base import Objective, Task
from distsearch.randomness import Stream, signs
from distsearch.settings import about
from distsearch.strategies.base import (
    LARGEST_SIGMA,
    NOTHING,
    Answer,
    Array,
    Best,
    RoundResult,
    Strategy,
    decided,
    frozen,
)
from distsearch.strategies.descent import Descent, DescentSettings, DescentState, outgoing, resolve
from distsearch.strategies.optimizers import Moments
from distsearch.strategies.ranges import in_ranges
from distsearch.strategies.schedules import Plateau
from distsearch.strategies.sums import Subtree, merge

SLICE = 128  # examples per unit
UNIT_COST = 23_000  # multiplications per example that are worth a unit, besides the forward pass that all need
MOST_PARTS = 32  # that the nodes are divided into
PASSES = 4.0  # measured cost of a round besides its experiments, in forward passes


class NodePerturbationSettings(DescentSettings, frozen=True):
    """The settings of node-perturbation."""

    sigma: (
        Annotated[
            float,
            about(
                "how far a node is moved, relative to the size of its inputs; if not set, 0.3, for "
                "classification-error 1, for regression losses 0.03 (without step activations)",
                above=0,
                below=LARGEST_SIGMA,
            ),
        ]
        | None
    ) = None
    groups: Annotated[
        int, about("groups of nodes moved together, per layer; a layer with no more nodes is moved singly", at_least=1)
    ] = 128
    average: Annotated[
        float,
        about("memory of the running mean of weights, which is measured and kept; 0: no mean", at_least=0, below=1),
    ] = 0.99


@dataclass(frozen=True, slots=True)
class NodePerturbationState(DescentState):
    """The state of a descent, and the running mean of its centers."""

    average: Array  # (n,), the running mean of the centers


class NodePerturbation(Strategy[NodePerturbationSettings, NodePerturbationState]):
    """Units are slices of the batch times parts of the nodes, all parts of the first slice first.

    Each gives the center's loss on its slice, and the sum of its examples' gradients of the weights of its nodes.
    """

    name = "node-perturbation"
    summary = "moves nodes in each example separately: by far the fastest for networks; needs no gradient"
    when = "any network whose loss is a mean over examples"
    Settings = NodePerturbationSettings
    state_type = NodePerturbationState
    batch = 256
    sums = True

    def __init__(self, settings: NodePerturbationSettings, task: Task) -> None:
        super().__init__(settings, task)
        self._descent = Descent(self.settings, decided(self.settings.sigma))
        self._parts = Parts.of(task.nodes, self.settings.groups)

    @classmethod
    def resolve(cls, settings: NodePerturbationSettings, task: Task) -> NodePerturbationSettings:
        """The settings with σ, the learning rate and the horizon. Raises SettingError if there are no nodes."""
        if not task.nodes:
            raise SettingError("node-perturbation moves the nodes of a network: use another strategy for a function")
        rate = min(0.1, 1 / math.sqrt(task.weights_count))
        chosen = resolve(settings, rate, task.rounds)
        return structs.replace(chosen, sigma=_sigma(task) if settings.sigma is None else settings.sigma)

    def init(self, weights: Array, seed: int) -> NodePerturbationState:
        """The state before the first round: zero moments, and the initial weights as the running mean."""
        start = frozen(weights)
        sigma, best = decided(self.settings.sigma), Best.unknown(start)
        return NodePerturbationState(seed, 0, start, sigma, best, Moments.zero(start.size), Plateau(), start)

    def units(self, state: NodePerturbationState) -> int:
        """The number of slices of the batch, times the parts of the nodes."""
        return -(-self.task.batch // SLICE) * len(self._parts)

    def boundaries(self, state: NodePerturbationState, objective: Objective) -> Sequence[int]:
        """Every unit is a tile of its own."""
        return range(self.units(state) + 1)

    def passes(self, state: NodePerturbationState) -> float:
        """The cost of the round, as the number of forward passes over its examples that would take as long."""
        moved = 0.0
        for layer in self.task.nodes:
            moved += math.ceil(layer.nodes / group_size(layer, self.settings.groups)) * layer.price
        return PASSES + moved / self.task.weights_count

    def outgoing(self, state: NodePerturbationState) -> NodePerturbationState:
        """The state as sent to workers: only the center."""
        return replace(outgoing(super().outgoing(state)), average=NOTHING)

    def work(self, state: NodePerturbationState, objective: Objective, lo: int, hi: int) -> Answer:
        """The losses of the units [lo, hi), and a sum of gradients for each slice that they touch."""
        if objective.nodes is None:
            raise AssertionError("the objective has no nodes")
        losses, sums, parts = np.empty(hi - lo), [], self._parts
        for number in range(lo // len(parts), -(-hi // len(parts))):
            start = number * len(parts)
            first, last = max(lo, start), min(hi, start + len(parts))
            examples = slice(number * SLICE, min((number + 1) * SLICE, self.task.batch))
            experiments = objective.nodes.experiments(state.center, state.round, examples)
            losses[first - lo : last - lo] = experiments.losses.mean(dtype=np.float64)
            ends = parts.nodes[first - start : last - start + 1]
            drawn = signs(state.seed, Stream.SIGNS, state.round, number, ends[0], ends[-1], SLICE)
            drawn = drawn[:, : examples.stop - examples.start]
            begin, end = parts.weights[first - start], parts.weights[last - start]
            gradient = np.empty(end - begin, np.float32)
            experiments.gradient(ends, drawn, state.sigma, self.settings.groups, gradient)
            sums.append(Subtree(0, number, gradient, begin))
        return Answer(losses, merge(sums))

    def advance(self, state: NodePerturbationState, result: RoundResult, best: Best) -> NodePerturbationState:
        """One step against the mean gradient."""
        share = np.float32(1 / self.task.batch)
        following = self._descent.step(state, lambda numbers: result.total(numbers) * share, best)
        return replace(following, average=self._averaged(state.average, following.center, following.round))

    def proposed(self, state: NodePerturbationState) -> Array:
        """The running mean of the centers: where the steps lead on average."""
        return state.average

    def measured(self, state: NodePerturbationState, loss: float) -> NodePerturbationState:
        """The state after measuring, as for every strategy; the measured loss also detects plateaus."""
        return self._descent.measured(super().measured(state, loss), loss)

    def _averaged(self, average: Array, center: Array, count: int) -> Array:
        """The mean of all centers at first, later an exponentially forgetting one."""
        memory = min(self.settings.average, count / (count + 9))
        if not memory:
            return center
        mean = np.empty_like(center)

        def move(some: slice) -> None:
            part = np.subtract(center[some], average[some], out=mean[some])
            part *= np.float32(1 - memory)
            part += average[some]

        in_ranges(center.size, move)
        mean.flags.writeable = False
        return mean


class Parts(NamedTuple):
    """The nodes divided into parts of about the same cost: where each begins, and one past the last one's end."""

    nodes: tuple[int, ...]
    weights: tuple[int, ...]  # the first of each part's weights

    def __len__(self) -> int:
        return len(self.nodes) - 1

    @classmethod
    def of(cls, layers: Sequence[NodeLayer], groups: int) -> "Parts":
        """As many parts as are worth a unit; each ends at a whole group of nodes."""
        nodes, weights, costs = [0], [0], [0.0]  # of all groups, added up
        for layer in layers:
            size, left = group_size(layer, groups), layer.nodes
            while left:
                some = min(size, left)
                nodes.append(nodes[-1] + some)
                weights.append(weights[-1] + some * layer.width)
                costs.append(costs[-1] + layer.price + some * layer.width)
                left -= some
        count = max(1, min(MOST_PARTS, int(costs[-1] / UNIT_COST)))
        chosen = {bisect_left(costs, costs[-1] * part / count) for part in range(count)} | {len(nodes) - 1}
        at = sorted(chosen)
        return cls(tuple(nodes[place] for place in at), tuple(weights[place] for place in at))


def group_size(layer: NodeLayer, groups: int) -> int:
    """The number of a layer's nodes that are moved together."""
    return math.ceil(layer.nodes / groups)


def _sigma(task: Task) -> float:
    """How far to move nodes: less for smoother losses, as experiments see the loss blurred by this much."""
    if task.traits.flat:
        return 1.0
    return 0.03 if task.traits.numbers and not task.traits.jumps else 0.3
