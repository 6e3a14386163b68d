"""What every strategy is: from a state it asks for candidates, and from their losses it makes the next state.

A strategy itself is constant (its settings); all that changes is in the state, which is frozen. `ask` and `work`
run on workers, `tell` on the driver; all are pure functions of their arguments.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, Any, ClassVar, NamedTuple, Protocol, TypeVar

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from distsearch import memory
from distsearch.candidates.base import Candidates, Dense, Space
from distsearch.errors import ObjectiveError
from distsearch.randomness import Stream, noise
from distsearch.settings import Settings, about
from distsearch.strategies.sums import Subtree, joined, total

F = TypeVar("F", np.float32, np.float64)

LARGEST_SIGMA = 1e6  # keeps candidates far from overflow
NOISE_RANGE = 16  # noise vectors that are summed together
CANDIDATE_BYTES = 64  # of a round's losses, their order and their tiles


class Objective(Protocol):
    """What maps candidates to losses."""

    tile: int
    """Candidates that are computed together."""
    low_rank_tile: int
    """The same, if they are low-rank."""

    def losses(self, candidates: Candidates, round_number: int) -> NDArray[np.float64]:
        """The loss of each candidate, (candidates,)."""
        ...

    def node_gradients(
        self,
        weights: NDArray[np.float32],
        round_number: int,
        examples: slice,
        signs: NDArray[np.float32],
        sigma: float,
        groups: int,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The loss of each of some of the round's examples, (examples,), and the sum of their gradients, (n,).

        These are estimated by moving nodes by ±σ; signs are (nodes, examples).
        """
        ...


@dataclass(frozen=True, slots=True)
class Best:
    """The lowest-loss weights seen so far, (n,), and the round and index that produced them."""

    weights: NDArray[np.float32]
    loss: float
    round: int
    index: int

    @classmethod
    def unknown(cls, start: NDArray[np.float32]) -> "Best":
        """Before the first round: the first weights, (n,), whose loss nobody knows."""
        return cls(start, math.inf, 0, 0)


NOTHING = np.empty(0, np.float32)


@dataclass(frozen=True, slots=True)
class State:
    """All that a strategy knows at the start of a round."""

    seed: int
    round: int
    center: NDArray[np.float32]  # (n,); candidate 0 of the round
    sigma: float  # step size
    best: Best


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of some units of a round in a row: their losses, (units,), and sums of vectors, if asked for."""

    losses: NDArray[np.float64]
    sums: tuple[Subtree, ...] = ()


WeightedNoise = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Σ cᵢ zᵢ over the noise of a round, (n,), from coefficients, (noises,); or another sum, see `_noise_sum`."""


class Told(NamedTuple):
    """All that came of a round: losses, (units,), in index order, and the index of the lowest, which is finite.

    With them come their answers' sums, and the noise of the round, to be summed.
    """

    losses: NDArray[np.float64]
    lowest: int
    answers: Sequence[Answer]
    weighted_noise: WeightedNoise

    def total(self) -> NDArray[np.float32]:
        """The sum of the vectors of all units."""
        return total(part for answer in self.answers for part in answer.sums)


def losses_of(answers: Iterable[Answer]) -> NDArray[np.float64]:
    """All losses of a round, (units,), from its answers in index order."""
    parts = [answer.losses for answer in answers]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


class StrategySettings(Settings, frozen=True):
    """The settings that every strategy has."""

    sigma: Annotated[float, about("step size: the deviation of a candidate's noise", above=0, below=LARGEST_SIGMA)] = (
        0.05
    )


class PopulationSettings(StrategySettings, frozen=True):
    """The settings of every strategy whose units are candidates."""

    population: Annotated[
        int, about("candidates evaluated per round, the center among them", unit="candidates", at_least=2)
    ] = 32


NO_TILE = (None, 0, None)


class Strategy(ABC):
    """A search algorithm. A subclass fills in `ask` and `advance`; the books (round, best) are kept here."""

    name: ClassVar[str]
    summary: ClassVar[str]
    when: ClassVar[str] = ""
    """When to use it."""
    Settings: ClassVar[type[StrategySettings]] = PopulationSettings
    state_type: ClassVar[type[State]] = State
    sums: ClassVar[bool] = False
    """Whether its answers carry sums beside the losses."""
    mirrored: ClassVar[bool] = False
    """Whether candidates are mirrored pairs: in a network these share products, so that their last bits are others."""
    batch: ClassVar[int | None] = None
    """Examples that a round sees if the user does not say; None: all."""

    def __init__(self, settings: Any, space: Space) -> None:
        self.settings: Any = self.resolved(settings, space)
        if count := getattr(self.settings, "population", 0):
            memory.require(f"a round of {count:,} candidates", count * CANDIDATE_BYTES, "choose a smaller population")
        self.space = space
        self._given = settings
        self._latest: tuple[State | None, int, Candidates | None] = NO_TILE

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_latest": NO_TILE}

    @classmethod
    def resolved(cls, settings: Any, space: Space) -> Any:
        """The settings with what was left open chosen to fit the space. SettingError if they cannot fit it."""
        return settings

    @property
    def chosen(self) -> str:
        """A sentence on the settings that were not taken as they were given, if any."""
        taken, given = structs.asdict(self.settings), structs.asdict(self._given)
        texts = [_taken(name, taken[name], given[name]) for name in taken if taken[name] != given[name]]
        return f"{self.name} has chosen {', '.join(texts)}" if texts else ""

    def init(self, weights: NDArray[np.float32], seed: int) -> State:
        """The state before the first round, centred on `weights`, (n,)."""
        start = frozen(weights)
        return self.state_type(seed, 0, start, self.settings.sigma, Best.unknown(start), **self.beginning(start))

    def beginning(self, start: NDArray[np.float32]) -> dict[str, Any]:
        """What the strategy's own kind of state begins with beside, by name; start is the first weights, (n,)."""
        return {}

    def units(self, state: State) -> int:
        """The number of units that the round is divided into: the population, unless a strategy says otherwise."""
        population: int = self.settings.population
        return population

    def tiles(self, state: State, objective: Objective) -> Sequence[int]:
        """Where the units of a round may be parted, rising, from 0 to their number.

        Those between two boundaries are computed together, wherever that is.
        """
        units = self.units(state)
        return [*range(0, units, objective.tile), units]

    def outgoing(self, state: Any) -> Any:
        """The state as workers need it: without the best weights, which cost as much to send as the center."""
        return replace(state, best=replace(state.best, weights=NOTHING))

    @abstractmethod
    def ask(self, state: State, lo: int, hi: int) -> Candidates:
        """The candidates lo to hi of the round; candidate 0 is the center."""

    def work(self, state: State, objective: Objective, lo: int, hi: int) -> Answer:
        """Try the units lo to hi, both boundaries of tiles, so that no more than a tile of candidates is ever held."""
        boundaries = [at for at in self.tiles(state, objective) if lo <= at <= hi]
        losses = []
        for tile in pairwise(boundaries):
            candidates = self.ask(state, *tile)
            losses.append(objective.losses(candidates, state.round))
            self._latest = state, tile[0], candidates
        return Answer(losses[0] if len(losses) == 1 else np.concatenate(losses))

    def noise_sums(self, state: State, coefficients: NDArray[np.float32], lo: int, hi: int) -> tuple[Subtree, ...]:
        """Σ cᵢ zᵢ over the ranges lo to hi of the round's noise, of NOISE_RANGE vectors each, added up where they can.

        A mirrored pair of candidates has one noise; coefficients, (noises,), are those of all.
        """
        ends = [min(number * NOISE_RANGE, len(coefficients)) for number in range(lo, hi + 1)]
        return joined(
            Subtree(0, number, self._noise_sum(state, coefficients[first:last], first, last))
            for number, (first, last) in enumerate(pairwise(ends), start=lo)
        )

    def weighted_noise(self, state: State, coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
        """Σ cᵢ zᵢ over all of the round's noise, (n,), from coefficients, (noises,)."""
        return total(self.noise_sums(state, coefficients, 0, noise_ranges(coefficients)))

    def _noise_sum(self, state: State, coefficients: NDArray[np.float32], lo: int, hi: int) -> NDArray[np.float32]:
        """Σ cᵢ zᵢ over the noise vectors lo to hi, (n,), from their coefficients, (hi - lo,).

        A strategy that needs another sum over noise makes it here: see snes.
        """
        return coefficients @ self.noise(state, lo, hi)

    def noise(self, state: State, lo: int, hi: int) -> NDArray[np.float32]:
        """The noise vectors lo to hi of the round, (hi - lo, n)."""
        return noise(state.seed, Stream.CANDIDATES, state.round, lo, hi, state.center.size)

    @property
    def chosen_by_measuring(self) -> bool:
        """Whether the best is chosen by `measured`: on a minibatch a low loss may be luck."""
        return self.sums or self.space.minibatch

    def passes(self, state: State) -> float:
        """Forward passes over the round's examples that the round costs: one for each candidate."""
        return float(self.units(state))

    def tell(self, state: State, answers: Sequence[Answer], weighted_noise: WeightedNoise) -> State:
        """The next round's state, from answers in index order. ObjectiveError if no loss is finite.

        weighted_noise gives Σ cᵢ zᵢ over the noise of the round, (n,), from coefficients, (noises,).
        """
        losses = losses_of(answers)
        lowest = lowest_of(losses)
        if not math.isfinite(losses[lowest]):
            raise ObjectiveError(
                f"round {state.round}: none of the {len(losses)} candidates has a finite loss; "
                "try a smaller --sigma, or --scale if the features are large"
            )
        best = state.best if self.chosen_by_measuring else self._best(state, losses, lowest)
        return self.advance(state, Told(losses, lowest, answers, weighted_noise), best)

    @abstractmethod
    def advance(self, state: State, told: Told, best: Best) -> State:
        """The next round's state, given what came of this one, and the best of all rounds with this one."""

    def proposed(self, state: State) -> NDArray[np.float32]:
        """The weights, (n,), that the search stands for at this point: its center."""
        return state.center

    def measured(self, state: State, loss: float) -> State:
        """The state once the loss of the proposed weights on all training examples is known."""
        if not loss < state.best.loss:
            return state
        return replace(state, best=Best(frozen(self.proposed(state)), loss, state.round, 0))

    def weights_of(self, state: State, index: int) -> NDArray[np.float32]:
        """The weights, (n,), of one candidate of the round."""
        if index == 0:
            return state.center
        asked, lo, candidates = self._latest  # the candidate may still be there: to make one anew costs a tenth of all
        if asked is state and isinstance(candidates, Dense) and lo <= index < lo + len(candidates):
            return frozen(candidates.weights[index - lo])
        return frozen(self.ask(state, index, index + 1).dense()[0])

    def _best(self, state: State, losses: NDArray[np.float64], lowest: int) -> Best:
        """The best of all rounds with this one; of mirrored pairs only the center's loss is a loss to the bit."""
        index = 0 if self.mirrored and self.space.layers else lowest
        loss = float(losses[index])
        return Best(self.weights_of(state, index), loss, state.round, index) if loss < state.best.loss else state.best


def _taken(name: str, value: object, given: object) -> str:
    """The words for a setting that was chosen; one that was given as well is named, for it could not be kept to."""
    shown = f"{value:.4g}" if isinstance(value, float) else f"{value}"
    return f"{name} {shown}" if given is None else f"{name} {shown} instead of {given}"


def noise_ranges(coefficients: NDArray[np.float32]) -> int:
    """The number of ranges that noise vectors with so many coefficients, (noises,), are summed in."""
    return -(-len(coefficients) // NOISE_RANGE)


def lowest_of(losses: NDArray[np.float64]) -> int:
    """The index of the lowest finite loss; any if none is finite."""
    index = int(losses.argmin())
    if math.isfinite(losses[index]):  # argmin stops at a NaN
        return index
    return int(np.where(np.isfinite(losses), losses, np.inf).argmin())


def frozen(weights: NDArray[F]) -> NDArray[F]:
    """The weights as an array of their own that nobody can write to: perturbing a copy never moves the kept ones."""
    if weights.flags.writeable:
        weights = weights.copy()
        weights.flags.writeable = False
    return weights
