"""What every strategy is: from a state it asks for candidates, and from their losses it makes the next state.

A strategy itself is constant (its settings); all that changes is in the state, which is frozen. `ask` and `work`
run on workers, `tell` on the driver; all are pure functions of their arguments.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates import Candidates, Space
from distsearch.errors import ObjectiveError
from distsearch.randomness import Stream, noise
from distsearch.settings import Settings, about
from distsearch.strategies.sums import Subtree, joined, total

LARGEST_SIGMA = 1e6  # keeps candidates far from overflow
NOISE_RANGE = 16  # noise vectors that are summed together


class Objective(Protocol):
    """What maps candidates to losses."""

    tile: int
    """Candidates that are computed together."""

    def losses(self, candidates: Candidates, round_number: int) -> NDArray[np.float64]:
        """The loss of each candidate, (candidates,)."""
        ...


@dataclass(frozen=True, slots=True)
class Best:
    """The lowest-loss weights seen so far, (n,), and the round and index that produced them."""

    weights: NDArray[np.float32]
    loss: float
    round: int
    index: int


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
"""Σ cᵢ zᵢ over the noise of a round, (n,), from coefficients, (noises,)."""


@dataclass(frozen=True, slots=True)
class Told:
    """All that came of a round: losses, (units,), in index order; their answers' sums; and its noise, to be summed."""

    losses: NDArray[np.float64]
    answers: Sequence[Answer]
    weighted_noise: WeightedNoise

    def total(self) -> NDArray[np.float32]:
        """The sum of the vectors of all units."""
        return total(part for answer in self.answers for part in answer.sums)


def losses_of(answers: Iterable[Answer]) -> NDArray[np.float64]:
    """All losses of a round, (units,), from its answers in index order."""
    parts = [answer.losses for answer in answers]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


class PopulationSettings(Settings, frozen=True):
    """The settings that every strategy has."""

    population: Annotated[int, about("candidates tried each round", unit="candidates", at_least=2)] = 32
    sigma: Annotated[float, about("step size: the deviation of a candidate's noise", above=0, below=LARGEST_SIGMA)] = (
        0.05
    )


class Strategy(ABC):
    """A search algorithm. A subclass fills in `ask` and `advance`; the books (round, best) are kept here."""

    name: ClassVar[str]
    summary: ClassVar[str]
    when: ClassVar[str] = ""
    """When to use it."""
    Settings: ClassVar[type[PopulationSettings]] = PopulationSettings
    state_type: ClassVar[type[State]] = State
    sums: ClassVar[bool] = False
    """Whether its answers carry sums beside the losses."""
    batch: ClassVar[int | None] = None
    """Examples that a round sees if the user does not say; None: all."""

    def __init__(self, settings: Any, space: Space) -> None:
        self.settings: Any = self.resolved(settings, space)
        self.space = space

    @classmethod
    def resolved(cls, settings: Any, space: Space) -> Any:
        """The settings with what was left open chosen to fit the space. SettingError if they cannot fit it."""
        return settings

    def init(self, weights: NDArray[np.float32], seed: int) -> State:
        """The state before the first round, centred on `weights`, (n,)."""
        start = frozen(weights)
        return State(seed, 0, start, self.settings.sigma, Best(start, np.inf, 0, 0))

    def units(self, state: State) -> int:
        """The number of units that the round is divided into: the population, unless a strategy says otherwise."""
        population: int = self.settings.population
        return population

    def tile(self, objective: Objective) -> int:
        """Units that are computed together, wherever that is."""
        return objective.tile

    def outgoing(self, state: State) -> State:
        """The state as workers need it: without the best weights, which cost as much to send as the center."""
        return replace(state, best=replace(state.best, weights=NOTHING))

    @abstractmethod
    def ask(self, state: State, lo: int, hi: int) -> Candidates:
        """The candidates lo to hi of the round; candidate 0 is the center."""

    def work(self, state: State, objective: Objective, lo: int, hi: int) -> Answer:
        """Try the units lo to hi, a tile at a time, so that no more than a tile of candidates is ever held."""
        tiles = [(start, min(start + objective.tile, hi)) for start in range(lo, hi, objective.tile)]
        losses = [objective.losses(self.ask(state, *tile), state.round) for tile in tiles]
        return Answer(losses[0] if len(losses) == 1 else np.concatenate(losses))

    def noise_sums(self, state: State, coefficients: NDArray[np.float32], lo: int, hi: int) -> tuple[Subtree, ...]:
        """Σ cᵢ zᵢ over the ranges lo to hi of the round's noise, of NOISE_RANGE vectors each, added up where they can.

        A mirrored pair of candidates has one noise; coefficients, (noises,), are those of all.
        """
        return joined(Subtree(0, number, self._noise_sum(state, coefficients, number)) for number in range(lo, hi))

    def all_noise_sums(self, state: State, coefficients: NDArray[np.float32]) -> tuple[Subtree, ...]:
        """The same over all ranges."""
        return self.noise_sums(state, coefficients, 0, -(-len(coefficients) // NOISE_RANGE))

    def _noise_sum(self, state: State, coefficients: NDArray[np.float32], number: int) -> NDArray[np.float32]:
        first = number * NOISE_RANGE
        some = coefficients[first : first + NOISE_RANGE]
        return some @ self.noise(state, first, first + len(some))

    def noise(self, state: State, lo: int, hi: int) -> NDArray[np.float32]:
        """The noise vectors lo to hi of the round, (hi - lo, n)."""
        return noise(state.seed, Stream.CANDIDATES, state.round, lo, hi, state.center.size)

    @property
    def passes(self) -> float:
        """Forward passes over a round's examples that the round costs."""
        return float(self.settings.population)

    def tell(self, state: State, answers: Sequence[Answer], weighted_noise: WeightedNoise) -> State:
        """The next round's state, from answers in index order. ObjectiveError if no loss is finite.

        weighted_noise gives Σ cᵢ zᵢ over the units of the round, (n,), from coefficients, (units,).
        """
        losses = losses_of(answers)
        lowest = lowest_of(losses)
        if not math.isfinite(losses[lowest]):
            raise ObjectiveError(
                f"round {state.round}: none of the {len(losses)} candidates has a finite loss; "
                "try a smaller --sigma, or --scale if the features are large"
            )
        # On a minibatch a low loss may be luck: there the best is chosen by `measured`.
        best = state.best if self.space.minibatch else self._best(state, lowest, float(losses[lowest]))
        return self.advance(state, Told(losses, answers, weighted_noise), best)

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
        return state.center if index == 0 else frozen(self.ask(state, index, index + 1).dense()[0])

    def _best(self, state: State, index: int, loss: float) -> Best:
        return state.best if loss >= state.best.loss else Best(self.weights_of(state, index), loss, state.round, index)


def lowest_of(losses: NDArray[np.float64]) -> int:
    """The index of the lowest finite loss; any if none is finite."""
    index = int(losses.argmin())
    if math.isfinite(losses[index]):  # argmin stops at a NaN
        return index
    return int(np.where(np.isfinite(losses), losses, np.inf).argmin())


def frozen(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weights as an array of their own that nobody can write to: perturbing a copy never moves the kept ones."""
    if weights.flags.writeable:
        weights = weights.copy()
        weights.flags.writeable = False
    return weights
