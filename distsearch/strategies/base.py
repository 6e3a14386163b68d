"""The base of all strategies: from a state, it specifies work; from the answers, it makes the next state.

A strategy itself is constant (its settings); everything that changes is in the state, which is frozen. `work` runs on
workers, `tell` on the driver; both are pure functions of their arguments. Strategies whose units are candidates derive
from `PopulationStrategy`.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np
from msgspec import Struct, structs
from numpy.typing import NDArray

from distsearch.errors import ObjectiveError
from distsearch.objectives.base import Objective, Task
from distsearch.randomness import Stream, noise
from distsearch.settings import Settings
from distsearch.strategies.sums import Subtree, merge, total

Array = NDArray[np.float32]
Losses = NDArray[np.float64]

LARGEST_SIGMA = 1e6  # keeps candidates far from overflow
NOISE_RANGE = 16  # noise vectors summed together

NOTHING = np.empty(0, np.float32)


@dataclass(frozen=True, slots=True)
class Best:
    """The best weights seen so far, (n,), and the round and index that produced them.

    They are those of the lowest loss. Under constraints, those that hold to them come before those that do not, of
    which a smaller violation is better.
    """

    weights: Array
    loss: float
    round: int
    index: int
    violation: float | None = None  # of the constraints; None where there are none

    def is_beaten_by(self, loss: float, violation: float | None) -> bool:
        """Whether weights of this loss and violation are better."""
        if not -math.inf < loss < math.inf:
            return False
        known = self.loss < math.inf
        before, after = (self.violation or 0.0 if known else math.inf), violation or 0.0
        return after < before or (after == before and loss < self.loss)

    @classmethod
    def unknown(cls, start: Array) -> "Best":
        """The best before the first round: the initial weights, (n,), with unknown loss."""
        return cls(start, math.inf, 0, 0)


@dataclass(frozen=True, slots=True)
class State:
    """Everything that a strategy knows at the start of a round."""

    seed: int
    round: int
    center: Array  # (n,); candidate 0 of the round
    sigma: float  # step size
    best: Best
    multipliers: NDArray[np.float64] | None = field(default=None, kw_only=True)
    """Under constraints, (1 + constraints,): what their violations cost, and the multiplier of each."""

    @classmethod
    def before_any_round(cls, weights: Array, seed: int, sigma: float) -> "State":
        """The state of a strategy that knows no more than this, centred on the weights, (n,)."""
        start = frozen(weights)
        return State(seed, 0, start, sigma, Best.unknown(start))


class Answer(NamedTuple):
    """Results of a contiguous range of units: their losses, (units,), and sums of vectors, if any."""

    losses: Losses
    sums: tuple[Subtree, ...] = ()


WeightedNoise = Callable[[Array], Array]
"""Σ cᵢ zᵢ over the noise of a round, (n,), from coefficients, (noises,); or another sum, see `Strategy.noise_sum`."""


class RoundResult(Struct, frozen=True):
    """Results of a whole round: losses, (units,), in index order, and the index of the lowest, which is finite.

    Also the answers, with their sums, and a function that sums the round's noise.
    """

    losses: Losses
    lowest: int
    answers: Sequence[Answer]
    weighted_noise: WeightedNoise

    def total(self, numbers: slice) -> Array:
        """The sum of all units' vectors, of some of their numbers."""
        parts = (part for answer in self.answers for part in answer.sums)
        lo, hi = numbers.start, numbers.stop
        return total(part.within(lo, hi) for part in parts if part.start < hi and lo < part.stop)


S = TypeVar("S", bound=Settings)
T = TypeVar("T", bound=State)


class Strategy(ABC, Generic[S, T]):
    """A search algorithm with settings of type S and states of type T.

    A subclass implements `init`, `units`, `boundaries`, `work` and `advance`; the best weights are tracked here.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    when: ClassVar[str] = ""
    """When to use it."""
    Settings: ClassVar[type[Settings]]
    state_type: ClassVar[type[State]] = State
    sums: ClassVar[bool] = False
    """Whether its answers have sums besides the losses."""
    units_called: ClassVar[str] = "candidates"
    """What its units are."""
    step: ClassVar[str] = "sigma"
    """The setting that says how far the center moves in a round."""
    batch: ClassVar[int | None] = None
    """Examples per round if the user does not set them; None: all."""

    def __init__(self, settings: S, task: Task) -> None:
        """Raises SettingError if the settings cannot fit the task."""
        self.settings = self.resolve(settings, task)
        self.task = task
        self._given = settings

    @classmethod
    def resolve(cls, settings: S, task: Task) -> S:
        """The settings, with those left open chosen to fit the task. Raises SettingError if they cannot fit it."""
        return settings

    @property
    def chosen(self) -> str:
        """A sentence about the settings that differ from those given; empty if none do."""
        taken, given = structs.asdict(self.settings), structs.asdict(self._given)
        texts = [_taken(name, taken[name], given[name]) for name in taken if taken[name] != given[name]]
        return f"{self.name} chose {', '.join(texts)}" if texts else ""

    @abstractmethod
    def init(self, weights: Array, seed: int) -> T:
        """The state before the first round, centred on `weights`, (n,)."""

    @abstractmethod
    def units(self, state: T) -> int:
        """The number of units that the round is divided into."""

    @abstractmethod
    def boundaries(self, state: T, objective: Objective) -> Sequence[int]:
        """The tile boundaries, rising from 0 to the number of units: where a round may be divided among workers.

        The units between two boundaries are always computed together, on whichever machine.
        """

    @abstractmethod
    def work(self, state: T, objective: Objective, lo: int, hi: int) -> Answer:
        """Evaluate the units [lo, hi), both of which are tile boundaries."""

    def outgoing(self, state: T) -> T:
        """The state as sent to workers: without the best weights, which cost as much to send as the center."""
        return replace(state, best=replace(state.best, weights=NOTHING))

    def noise(self, state: T, lo: int, hi: int) -> Array:
        """The noise vectors [lo, hi) of the round, (hi - lo, n)."""
        return noise(state.seed, Stream.CANDIDATES, state.round, lo, hi, state.center.size)

    def noise_sum(self, state: T, coefficients: Array, lo: int, hi: int) -> Array:
        """Σ cᵢ zᵢ over the noise vectors [lo, hi), (n,), from their coefficients, (hi - lo,).

        A strategy that needs a different sum over its noise overrides this: see snes.
        """
        return coefficients @ self.noise(state, lo, hi)

    def noise_sums(self, state: T, coefficients: Array, lo: int, hi: int) -> tuple[Subtree, ...]:
        """The sums over ranges [lo, hi) of the round's noise, NOISE_RANGE vectors each, added up where possible.

        A mirrored pair of candidates has one noise vector; coefficients, (noises,), are those of the whole round.
        """
        ends = [min(number * NOISE_RANGE, len(coefficients)) for number in range(lo, hi + 1)]
        return merge(
            Subtree(0, number, self.noise_sum(state, coefficients[first:last], first, last))
            for number, (first, last) in enumerate(pairwise(ends), start=lo)
        )

    def weighted_noise(self, state: T, coefficients: Array) -> Array:
        """Σ cᵢ zᵢ over all of the round's noise, (n,), from coefficients, (noises,)."""
        return total(self.noise_sums(state, coefficients, 0, noise_ranges(coefficients)))

    @cached_property
    def chosen_by_measuring(self) -> bool:
        """Whether the best is chosen by `measured`, as a low loss in a round may be luck or not what counts."""
        return self.sums or self.task.chosen_by_measuring

    def passes(self, state: T) -> float:
        """The cost of the round, in forward passes over its examples: one per unit."""
        return float(self.units(state))

    def center_loss(self, losses: Losses) -> float:
        """The loss of the round's center on its examples, from those of the units, (units,)."""
        return float(losses[0])

    def tell(self, state: T, answers: Sequence[Answer], weighted_noise: WeightedNoise) -> T:
        """The next round's state, from answers in index order. Raises ObjectiveError if no loss is finite.

        weighted_noise returns Σ cᵢ zᵢ over the noise of the round, (n,), from coefficients, (noises,).
        """
        losses = losses_of(answers)
        lowest = lowest_of(losses)
        if not math.isfinite(losses[lowest]):
            raise ObjectiveError(self._without_a_loss(state.round, len(losses)))
        best = state.best if self.chosen_by_measuring else self.best(state, losses, lowest)
        after = self.advance(state, RoundResult(losses, lowest, answers, weighted_noise), best)
        return after if state.multipliers is None else replace(after, multipliers=state.multipliers)

    def _without_a_loss(self, number: int, units: int) -> str:
        """What to say if no unit of a round has a finite loss: not even the center, which is one of them."""
        none = f"round {number}: none of the {units} {self.units_called} has a finite loss"
        if number == 0:
            return f"{none}, not even the first weights; try another --start"
        return f"{none}, not even the weights that the rounds before led to; try a smaller --{self.step}"

    def best(self, state: T, losses: Losses, lowest: int) -> Best:
        """The best of all rounds up to this one, whose losses are (units,), unless it is chosen by measuring."""
        return state.best

    @abstractmethod
    def advance(self, state: T, result: RoundResult, best: Best) -> T:
        """The next round's state, from the results of this one and the best of all rounds up to this one."""

    def proposed(self, state: T) -> Array:
        """The search's current answer, (n,): its center."""
        return state.center

    def measured(self, state: T, loss: float, violation: float | None = None) -> T:
        """The state after measuring the loss of the proposed weights, on all examples that the best are chosen by.

        Under constraints, `violation` is 0 if they hold, else how far they are from holding.
        """
        if not state.best.is_beaten_by(loss, violation):
            return state
        return replace(state, best=Best(frozen(self.proposed(state)), loss, state.round, 0, violation))


AnyStrategy = Strategy[Any, Any]


def losses_of(answers: Sequence[Answer]) -> Losses:
    """All losses of a round, (units,), from its answers in index order."""
    if len(answers) == 1:
        return answers[0].losses
    return np.concatenate([answer.losses for answer in answers])


def _taken(name: str, value: object, given: object) -> str:
    """A phrase for a setting that was chosen; if one was given, it names both values."""
    shown = f"{value:.4g}" if isinstance(value, float) else f"{value}"
    return f"{name} {shown}" if given is None else f"{name} {shown} instead of {given}"


def noise_ranges(coefficients: Array) -> int:
    """The number of ranges in which the noise vectors with these coefficients, (noises,), are summed."""
    return -(-len(coefficients) // NOISE_RANGE)


def lowest_of(losses: Losses) -> int:
    """The index of the lowest finite loss; any index if none is finite."""
    index = int(losses.argmin())
    if math.isfinite(losses[index]):  # argmin stops at a NaN
        return index
    return int(np.where(np.isfinite(losses), losses, np.inf).argmin())


F = TypeVar("F", np.float32, np.float64)


def frozen(weights: NDArray[F]) -> NDArray[F]:
    """The weights as a read-only array of their own, so that perturbing a copy never changes those kept."""
    if weights.flags.writeable:
        weights = weights.copy()
        weights.flags.writeable = False
    return weights


V = TypeVar("V")


def decided(value: V | None) -> V:
    """The value of a setting, which `Strategy.resolve` must have chosen if it was left open."""
    if value is None:
        raise AssertionError("a setting that was left open has not been chosen")
    return value
