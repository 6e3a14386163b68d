"""Node perturbation: move nodes instead of weights, in each example separately, and see how its own loss changes.

It only needs forward passes, so neither activations nor losses need a gradient. A candidate has as many dimensions as
the network has weights, but an example's perturbation only as many as it has nodes, and every example in the batch is
an experiment of its own: so it needs a hundred times fewer forward passes than noise on weights. The experiments
are run by the objective, which knows the network; here their outcome becomes a step.
"""

import math
from collections.abc import Callable, Sequence
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
    Losses,
    RoundResult,
    Strategy,
    decided,
    frozen,
)
from distsearch.strategies.descent import Descent, DescentSettings, DescentState, outgoing, resolve
from distsearch.strategies.node_parts import Parts, slice_size
from distsearch.strategies.optimizers import Moments
from distsearch.strategies.ranges import in_ranges
from distsearch.strategies.schedules import Plateau
from distsearch.strategies.sums import Subtree, merge, total

RATE, LARGEST_RATE, RATE_SHARE_OF_JUMPS = 0.28, 0.1, 0.3
SIGMA_OF_JUMPS = 0.6  # found by trying: 0.5 is as good for steps and signs, 1 for staircases
DECAY, LARGEST_DECAY, DECAY_ROWS = 0.03, 0.1, 100
GROWTH = 1.2  # of the decay where others choose the best: at each plateau of their loss
PASSES = 4.0  # measured cost of a round besides its experiments, in forward passes


class NodePerturbationSettings(DescentSettings, frozen=True):
    """The settings of node-perturbation."""

    sigma: (
        Annotated[
            float,
            about(
                "how far a node is moved, relative to the size of its inputs; if not set, 0.3, or 0.6 where "
                "activations jump; for classification-error 1; for regression losses 0.03, or 0.3 where they jump",
                above=0,
                below=LARGEST_SIGMA,
            ),
        ]
        | None
    ) = None
    groups: (
        Annotated[
            int,
            about(
                "groups of nodes moved together, per layer; a layer with no more nodes is moved singly; if not set, "
                "128, or fewer for convolutions",
                at_least=1,
            ),
        ]
        | None
    ) = None
    average: Annotated[
        float,
        about("memory of the running mean of weights, which is measured and kept; 0: no mean", at_least=0, below=1),
    ] = 0.998
    replicas: Annotated[
        int,
        about(
            "copies of the weights that run --local-rounds rounds separately, on their own batches, and are then "
            "averaged: for workers far apart",
            at_least=1,
        ),
    ] = 1
    local_rounds: Annotated[
        int, about("rounds that each replica runs between two averages; they count as one round", at_least=1)
    ] = 1


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
    when = "any network with a built-in loss, or with your own loss per example"
    Settings = NodePerturbationSettings
    state_type = NodePerturbationState
    units_called = "parts of the batch"
    step = "rate"
    batch = 256
    sums = True

    def __init__(self, settings: NodePerturbationSettings, task: Task) -> None:
        super().__init__(settings, task)
        self._descent = Descent(self.settings, decided(self.settings.sigma), self.settings.local_rounds)
        self._parts = Parts.of(task.nodes, self.settings.groups)
        self._slice = slice_size(task.nodes)
        self._gradient_units = -(-task.batch // self._slice) * len(self._parts)

    @classmethod
    def resolve(cls, settings: NodePerturbationSettings, task: Task) -> NodePerturbationSettings:
        """The settings with σ, the learning rate and the horizon. Raises SettingError if there are no nodes."""
        if not task.nodes:
            raise SettingError(
                "node-perturbation moves the nodes of a network: use another strategy for a function, or for a loss "
                "that takes a torch module itself"
            )
        if not task.traits.by_example:
            raise SettingError(
                "node-perturbation needs to know what a change of one example does to the loss, and yours gives one "
                "number for all: give one for each example, or choose --strategy evolution-strategy"
            )
        decay = _decay(task)
        chosen = resolve(settings, _rate(task), task.rounds, decay, GROWTH if decay and task.validated else 1.0)
        return structs.replace(chosen, sigma=_sigma(task) if settings.sigma is None else settings.sigma)

    def init(self, weights: Array, seed: int) -> NodePerturbationState:
        """The state before the first round: zero moments, and the initial weights as the running mean."""
        start = frozen(weights)
        sigma, best = decided(self.settings.sigma), Best.unknown(start)
        return NodePerturbationState(seed, 0, start, sigma, best, Moments.zero(start.size), Plateau(), start)

    def units(self, state: NodePerturbationState) -> int:
        """The number of slices of the batch, times the parts of the nodes; or the replicas, if they go apart."""
        return self.settings.replicas if self._apart else self._gradient_units

    def center_loss(self, losses: Losses) -> float:
        """The mean over the round's examples; over the replicas, if they go apart."""
        return float(losses.mean()) if self._apart else self._mean_of_slices(losses)

    def _mean_of_slices(self, losses: Losses) -> float:
        """The mean over the examples of the batch, from the losses of slices times parts."""
        of_slices = losses[:: len(self._parts)]
        ends = np.minimum(self._slice * np.arange(1, len(of_slices) + 1), self.task.batch)
        return float(np.add.reduce(of_slices * np.diff(ends, prepend=0)) / self.task.batch)

    def boundaries(self, state: NodePerturbationState, objective: Objective) -> Sequence[int]:
        """Every unit is a tile of its own."""
        return range(self.units(state) + 1)

    def passes(self, state: NodePerturbationState) -> float:
        """The cost of the round, as the number of forward passes over its examples that would take as long."""
        moved = 0.0
        for layer in self.task.nodes:
            moved += math.ceil(layer.nodes / layer.group_size(self.settings.groups)) * layer.price
        return (PASSES + moved / self.task.products) * self.settings.replicas * self.settings.local_rounds

    @property
    def _apart(self) -> bool:
        """Whether rounds are gone by replicas."""
        return self.settings.replicas * self.settings.local_rounds > 1

    def outgoing(self, state: NodePerturbationState) -> NodePerturbationState:
        """The state as sent to workers: only the center, and the moments for replicas that go apart."""
        sent = super().outgoing(state) if self._apart else outgoing(super().outgoing(state))
        return replace(sent, average=NOTHING)

    def work(self, state: NodePerturbationState, objective: Objective, lo: int, hi: int) -> Answer:
        """The losses of the units [lo, hi), and sums: of gradients, or of what replicas have come to."""
        if not self._apart:
            return self._gradients(state, state.round, objective, lo, hi)
        ends = [self._replica(state, objective, number) for number in range(lo, hi)]
        losses = np.array([loss for loss, _ in ends])
        return Answer(losses, merge(Subtree(0, number, rows) for number, (_, rows) in enumerate(ends, start=lo)))

    def _replica(self, state: NodePerturbationState, objective: Objective, number: int) -> tuple[float, Array]:
        """A replica's mean loss over its rounds, and what it has come to, (3, n): weights, and both moments."""
        rounds, losses = self.settings.local_rounds, []
        local = replace(state, round=state.round * rounds)
        for _ in range(rounds):
            draw = local.round * self.settings.replicas + number  # its batch and signs are no other replica's
            answer = self._gradients(local, draw, objective, 0, self._gradient_units)
            losses.append(self._mean_of_slices(answer.losses))
            local = self._step(local, total(answer.sums).__getitem__, local.best)
        return float(np.mean(losses)), np.stack([local.center, local.moments.first, local.moments.second])

    def _gradients(self, state: NodePerturbationState, draw: int, objective: Objective, lo: int, hi: int) -> Answer:
        """The losses of slices times parts [lo, hi), and a sum of gradients for each slice that they touch.

        The batch and the signs are those of round `draw`.
        """
        if objective.nodes is None:
            raise AssertionError("the objective has no nodes")
        losses, sums, parts = np.empty(hi - lo), [], self._parts
        for number in range(lo // len(parts), -(-hi // len(parts))):
            start = number * len(parts)
            first, last = max(lo, start), min(hi, start + len(parts))
            examples = slice(number * self._slice, min((number + 1) * self._slice, self.task.batch))
            experiments = objective.nodes.experiments(state.center, draw, examples)
            losses[first - lo : last - lo] = experiments.loss
            ends = parts.moves[first - start : last - start + 1]
            drawn = signs(state.seed, Stream.SIGNS, draw, number, ends[0], ends[-1], self._slice)
            drawn = drawn[:, : examples.stop - examples.start]
            begin, end = parts.weights[first - start], parts.weights[last - start]
            gradient = np.empty(end - begin, np.float32)
            experiments.gradient(ends, drawn, state.sigma, self.settings.groups, gradient)
            sums.append(Subtree(0, number, gradient, begin))
        return Answer(losses, merge(sums))

    def advance(self, state: NodePerturbationState, result: RoundResult, best: Best) -> NodePerturbationState:
        """One step against the mean gradient; or the mean of what the replicas have come to."""
        if self._apart:
            following = self._mean_of_replicas(state, result, best)
        else:
            following = self._step(state, result.total, best)
        return replace(following, average=self._averaged(state.average, following.center, following.round))

    def _step(
        self, state: NodePerturbationState, sum_of: Callable[[slice], Array], best: Best
    ) -> NodePerturbationState:
        """One step against the mean of the batch's gradients, from ranges of their sum."""
        share = np.float32(1 / self.task.batch)
        return self._descent.step(state, lambda numbers: sum_of(numbers) * share, best)

    def _mean_of_replicas(self, state: NodePerturbationState, result: RoundResult, best: Best) -> NodePerturbationState:
        """The state after a round of replicas: the mean of their weights and moments (local SGD, arXiv 1805.09767)."""
        mean = result.total(slice(0, state.center.size)) * np.float32(1 / self.settings.replicas)
        mean.flags.writeable = False
        number = state.round + 1
        sigma = self._descent.sigma(number * self.settings.local_rounds, state.plateau.count)  # of a local round
        return replace(state, round=number, center=mean[0], sigma=sigma, best=best, moments=Moments(mean[1], mean[2]))

    def proposed(self, state: NodePerturbationState) -> Array:
        """The running mean of the centers: where the steps lead on average.

        Rounds of all examples often have a center whose loss is lower still, but it is fitted to those alone: on
        examples held out, the mean's loss was lower (four tables, five folds, three seeds: by up to 12%).
        """
        return state.average

    def measured(
        self, state: NodePerturbationState, loss: float, violation: float | None = None
    ) -> NodePerturbationState:
        """The state after measuring, as for every strategy; the measured loss also detects plateaus."""
        return self._descent.measured(super().measured(state, loss, violation), loss)

    def _averaged(self, average: Array, center: Array, count: int) -> Array:
        """The mean of about the last tenth of the centers, later an exponentially forgetting one.

        Found by trying: with a memory of 0.998 rather than 0.99, MNIST with a fifth of its labels wrong comes to 96.7%
        rather than 96.6% (two seeds), and the validation loss of MNIST and of tables of 20,000 rows is lower by 1% to
        4%; that of Fashion-MNIST is the same within 0.5%.
        """
        memory = min(self.settings.average**self.settings.local_rounds, count / (count + 9))
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


def _rate(task: Task) -> float:
    """The learning rate: less for wider and for deeper networks, and where losses jump.

    Found by trying (scripts/tune-rates): at three times as much the search does not settle, at a third it takes twice
    as long.
    """
    widest = max(layer.width for layer in task.nodes)
    rate = min(LARGEST_RATE, RATE / math.sqrt(widest * max(1, len(task.nodes) - 1)))
    return rate * RATE_SHARE_OF_JUMPS if task.traits.flat or task.traits.jumps else rate


def _decay(task: Task) -> float:
    """How much weights are pulled to zero: not at all where every round sees all examples, as those are to be fitted.

    More where others choose the best, which are to be predicted. Found by trying: with 0.1, networks of more weights
    than examples remember fewer wrong labels (MNIST, a fifth of them wrong: 96.7% rather than 96.4%), and others learn
    tables of 20,000 rows worse (95.2% rather than 95.7%). Numbers of as many rows are learnt worse with 0.03. Where the
    others' loss no longer falls, the decay grows, and with wrong labels that loss falls again (96.9% rather than 96.7%;
    four seeds). A larger decay from the beginning costs Fashion-MNIST 0.3 points; one that grows costs it nothing.
    """
    if not task.minibatch:
        return 0.0
    if task.traits.numbers:
        return min(DECAY, DECAY_ROWS / task.examples)
    most = LARGEST_DECAY if task.validated else DECAY
    return min(most, max(DECAY, LARGEST_DECAY * task.weights_count / task.examples))


def _sigma(task: Task) -> float:
    """How far to move nodes: less for smoother losses, as experiments see the loss blurred by this much."""
    if task.traits.flat:
        return 1.0
    if task.traits.numbers:
        return 0.3 if task.traits.jumps else 0.03
    return SIGMA_OF_JUMPS if task.traits.jumps else 0.3
