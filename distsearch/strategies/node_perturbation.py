"""Node perturbation: move nodes instead of weights, in every example by itself, and see how its own loss changes.

Forward passes alone, so neither activations nor losses need a gradient. A candidate has as many dimensions as the
network has weights; an example's perturbation only as many as it has nodes, and every example of the batch is an
experiment of its own: that is why it needs a hundred times fewer forward passes than noise on weights. The experiment
itself is in the objective, which knows the network; here its outcome becomes a step.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from msgspec import structs

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
from distsearch.strategies.descent import Descent, DescentSettings, DescentState, outgoing, resolved
from distsearch.strategies.optimizers import Moments
from distsearch.strategies.schedules import Plateau
from distsearch.strategies.sums import Subtree, joined

SLICE = 128  # examples of a unit
PASSES = 4.0  # forward passes that a round was measured to cost beside its experiments


class NodePerturbationSettings(DescentSettings, frozen=True):
    """The settings of node-perturbation."""

    sigma: (
        Annotated[
            float,
            about(
                "how far a node is moved, its inputs' size being 1; "
                "if not set 0.3, for classification-error 1, for a loss of numbers 0.03 (without step activations)",
                above=0,
                below=LARGEST_SIGMA,
            ),
        ]
        | None
    ) = None
    groups: Annotated[
        int, about("groups of nodes that a layer is moved in; a layer with no more is moved node by node", at_least=1)
    ] = 128
    average: Annotated[
        float,
        about("memory of the running mean of the weights that is measured and kept; 0: no mean", at_least=0, below=1),
    ] = 0.99


@dataclass(frozen=True, slots=True)
class NodePerturbationState(DescentState):
    """What node-perturbation knows at the start of a round."""

    average: Array  # (n,), the running mean of the centers


class NodePerturbation(Strategy[NodePerturbationSettings, NodePerturbationState]):
    """Units are slices of the batch; each answers the center's loss on it, and its examples' estimated gradients."""

    name = "node-perturbation"
    summary = "moves nodes in every example by itself: for networks, by far the fastest; needs no gradient"
    when = "every network whose loss is a mean over examples"
    Settings = NodePerturbationSettings
    state_type = NodePerturbationState
    batch = 256
    sums = True

    def __init__(self, settings: NodePerturbationSettings, task: Task) -> None:
        super().__init__(settings, task)
        self._descent = Descent(self.settings, decided(self.settings.sigma))

    @classmethod
    def resolved(cls, settings: NodePerturbationSettings, task: Task) -> NodePerturbationSettings:
        """σ, the learning rate and the horizon. SettingError if there are no nodes."""
        if not task.nodes:
            raise SettingError("node-perturbation moves the nodes of a network: for a function take another strategy")
        rate = min(0.1, 1 / math.sqrt(task.weights_count))
        chosen = resolved(settings, rate, task.rounds)
        return structs.replace(chosen, sigma=_sigma(task) if settings.sigma is None else settings.sigma)

    def init(self, weights: Array, seed: int) -> NodePerturbationState:
        """The state before the first round: without moments, and the mean of one center."""
        start = frozen(weights)
        sigma, best = decided(self.settings.sigma), Best.unknown(start)
        return NodePerturbationState(seed, 0, start, sigma, best, Moments.zero(start.size), Plateau(), start)

    def units(self, state: NodePerturbationState) -> int:
        """Slices of the batch."""
        return -(-self.task.batch // SLICE)

    def boundaries(self, state: NodePerturbationState, objective: Objective) -> Sequence[int]:
        """A slice is computed by itself."""
        return range(self.units(state) + 1)

    def passes(self, state: NodePerturbationState) -> float:
        """The cost of the round, as the number of forward passes over its examples that would take as long."""
        moved = 0.0
        for layer in self.task.nodes:
            group = math.ceil(layer.nodes / self.settings.groups)  # nodes
            moved += math.ceil(layer.nodes / group) * layer.price
        return PASSES + moved / self.task.weights_count

    def outgoing(self, state: NodePerturbationState) -> NodePerturbationState:
        """The center alone."""
        return replace(outgoing(super().outgoing(state)), average=NOTHING)

    def work(self, state: NodePerturbationState, objective: Objective, lo: int, hi: int) -> Answer:
        """The center's mean loss on the slices lo to hi, and the sum over their examples of the gradients."""
        if objective.nodes is None:
            raise AssertionError("the objective has no nodes")
        losses, sums = np.empty(hi - lo), []
        nodes = sum(layer.nodes for layer in self.task.nodes)
        for unit in range(lo, hi):
            examples = slice(unit * SLICE, min((unit + 1) * SLICE, self.task.batch))
            drawn = signs(state.seed, Stream.SIGNS, state.round, unit, nodes * SLICE).reshape(nodes, SLICE)
            drawn = drawn[:, : examples.stop - examples.start]
            each, gradient = objective.nodes.node_gradients(
                state.center, state.round, examples, drawn, state.sigma, self.settings.groups
            )
            losses[unit - lo] = each.mean(dtype=np.float64)
            sums.append(Subtree(0, unit, gradient))
        return Answer(losses, joined(sums))

    def advance(self, state: NodePerturbationState, result: RoundResult, best: Best) -> NodePerturbationState:
        """A step against the mean gradient."""
        gradient = result.total() * np.float32(1 / self.task.batch)
        following = self._descent.step(state, gradient, best)
        return replace(following, average=self._averaged(state.average, following.center, following.round))

    def proposed(self, state: NodePerturbationState) -> Array:
        """The running mean of the centers: where the steps lead on the whole."""
        return state.average

    def measured(self, state: NodePerturbationState, loss: float) -> NodePerturbationState:
        """As every strategy, and the measured loss tells of plateaus."""
        return self._descent.measured(super().measured(state, loss), loss)

    def _averaged(self, average: Array, center: Array, count: int) -> Array:
        """The mean of all centers at first, then one that forgets."""
        memory = min(self.settings.average, count / (count + 9))
        if not memory:
            return center
        mean = center - average
        mean *= np.float32(1 - memory)
        mean += average
        mean.flags.writeable = False
        return mean


def _sigma(task: Task) -> float:
    """How far nodes are moved: less for smoother losses, because experiments see the loss blurred by this much."""
    if task.traits.flat:
        return 1.0
    return 0.03 if task.traits.numbers and not task.traits.jumps else 0.3
