"""Node perturbation: move nodes instead of weights, in every example by itself, and see how its own loss changes.

Forward passes alone, so neither activations nor losses need a gradient. A candidate has as many dimensions as the
network has weights; an example's perturbation only as many as it has nodes, and every example of the batch is an
experiment of its own: that is why it needs a hundred times fewer forward passes than noise on weights. The experiment
itself is in the objective, which knows the network; here its outcome becomes a step.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Dense, Space
from distsearch.errors import SettingError
from distsearch.randomness import Stream, signs
from distsearch.settings import about
from distsearch.strategies.base import (
    LARGEST_SIGMA,
    NOTHING,
    Answer,
    Best,
    Objective,
    State,
    Told,
)
from distsearch.strategies.descent import Descent, DescentState
from distsearch.strategies.optimizers import OptimizerSettings
from distsearch.strategies.sums import Subtree, joined

SLICE = 128  # examples of a unit
# What a round costs was measured to be that of four forward passes, and for each group of nodes a product in every
# layer but the next above it, and 60 multiplications for each node above it, or beside it in the last layer.
PASSES, NODE_COST = 4.0, 60.0


class NodePerturbationSettings(OptimizerSettings, frozen=True):
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
    ) = None  # type: ignore[assignment]  # it is chosen before it is used
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

    average: NDArray[np.float32]  # (n,), the running mean of the centers


class NodePerturbation(Descent):
    """Units are slices of the batch; each answers the center's loss on it, and where its examples want the weights."""

    name = "node-perturbation"
    summary = "moves nodes in every example by itself: for networks, by far the fastest; needs no gradient"
    when = "every network whose loss is a mean over examples"
    Settings = NodePerturbationSettings
    state_type = NodePerturbationState
    batch = 256
    sums = True

    @classmethod
    def resolved(cls, settings: Any, space: Space) -> Any:
        """σ, the learning rate and the horizon. SettingError if there is no network."""
        if not space.layers:
            raise SettingError("node-perturbation moves the nodes of a network: for a function take another strategy")
        rate = min(0.1, 1 / math.sqrt(space.weights_count))
        chosen = settings.resolved_for(rate, space.rounds)
        return structs.replace(chosen, sigma=_sigma(space) if settings.sigma is None else settings.sigma)

    def beginning(self, start: NDArray[np.float32]) -> dict[str, Any]:
        """Moments of nothing, no loss yet, and the mean of one center."""
        return {**super().beginning(start), "average": start}

    def units(self, state: State) -> int:
        """Slices of the batch."""
        return -(-self.space.batch // SLICE)

    def tiles(self, state: State, objective: Objective) -> Sequence[int]:
        """A slice is computed by itself."""
        return range(self.units(state) + 1)

    def passes(self, state: State) -> float:
        """What the round costs, in forward passes over its examples that would take as long."""
        layers = self.space.layers
        moved = 0.0
        for number, layer in enumerate(layers):
            products = sum(above.outputs * (above.inputs + 1) for above in layers[number + 2 :])
            nodes = sum(behind.outputs for behind in layers[number + 1 :] or layers[-1:])
            of_a_group = math.ceil(layer.outputs / self.settings.groups)
            moved += math.ceil(layer.outputs / of_a_group) * (products + NODE_COST * nodes)
        return PASSES + moved / self.space.weights_count

    def outgoing(self, state: Any) -> Any:
        """The center alone."""
        return replace(super().outgoing(state), average=NOTHING)

    def ask(self, state: State, lo: int, hi: int) -> Candidates:
        """The center, for every unit, (hi - lo, n): what is moved are nodes."""
        return Dense(np.broadcast_to(state.center, (hi - lo, state.center.size)))

    def work(self, state: State, objective: Objective, lo: int, hi: int) -> Answer:
        """The center's mean loss on the slices lo to hi, and the sum over their examples of the gradients."""
        losses, sums = np.empty(hi - lo), []
        nodes = sum(layer.outputs for layer in self.space.layers)
        for unit in range(lo, hi):
            examples = slice(unit * SLICE, min((unit + 1) * SLICE, self.space.batch))
            drawn = signs(state.seed, Stream.SIGNS, state.round, unit, nodes * SLICE).reshape(nodes, SLICE)
            drawn = drawn[:, : examples.stop - examples.start]
            each, gradient = objective.node_gradients(
                state.center, state.round, examples, drawn, state.sigma, self.settings.groups
            )
            losses[unit - lo] = each.mean(dtype=np.float64)
            sums.append(Subtree(0, unit, gradient))
        return Answer(losses, joined(sums))

    def advance(self, state: Any, told: Told, best: Best) -> State:
        """A step against the mean gradient."""
        gradient = told.total() * np.float32(1 / self.space.batch)
        following = self.descended(state, gradient, float(told.losses.mean()), best)
        average = self._averaged(state.average, following.center, following.round)
        averaged: State = replace(following, average=average)
        return averaged

    def proposed(self, state: Any) -> NDArray[np.float32]:
        """The running mean of the centers: where the steps point on the whole."""
        average: NDArray[np.float32] = state.average
        return average

    def _averaged(self, average: NDArray[np.float32], center: NDArray[np.float32], count: int) -> NDArray[np.float32]:
        """The mean of all centers at first, then one that forgets."""
        memory = min(self.settings.average, count / (count + 9))
        if not memory:
            return center
        mean = center - average
        mean *= np.float32(1 - memory)
        mean += average
        mean.flags.writeable = False
        return mean


def _sigma(space: Space) -> float:
    """How far nodes are moved: the less the smoother the loss, for what is seen is the loss with this much blur."""
    if space.flat:
        return 1.0
    return 0.03 if space.numbers and not space.steps else 0.3
