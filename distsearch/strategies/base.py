"""What every strategy is: from a state it asks for candidates, and from their losses it makes the next state.

A strategy itself is constant (its settings); all that changes is in the state, which is frozen. `ask` and `work`
run on workers, `tell` on the driver; all are pure functions of their arguments.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates import Dense
from distsearch.errors import ObjectiveError
from distsearch.settings import Settings, about

LARGEST_SIGMA = 1e6  # keeps candidates far from overflow


class Objective(Protocol):
    """What maps candidates to losses."""

    tile: int
    """Candidates that are computed together."""

    def losses(self, candidates: Dense, round_number: int) -> NDArray[np.float64]:
        """The loss of each candidate, (candidates,)."""
        ...


@dataclass(frozen=True, slots=True)
class Best:
    """The lowest-loss weights seen so far, (n,), and the round and index that produced them."""

    weights: NDArray[np.float32]
    loss: float
    round: int
    index: int


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
    """What came of the units lo to hi of a round: their losses, (hi - lo,)."""

    lo: int
    losses: NDArray[np.float64]


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
    Settings: ClassVar[type[PopulationSettings]] = PopulationSettings
    state_type: ClassVar[type[State]] = State

    def __init__(self, settings: Any) -> None:
        self.settings: Any = settings

    def init(self, weights: NDArray[np.float32], seed: int) -> State:
        """The state before the first round, centred on `weights`, (n,)."""
        start = frozen(weights)
        return State(seed, 0, start, self.settings.sigma, Best(start, np.inf, 0, 0))

    def units(self, state: State) -> int:
        """The number of units that the round is divided into: the population, unless a strategy says otherwise."""
        population: int = self.settings.population
        return population

    @abstractmethod
    def ask(self, state: State, lo: int, hi: int) -> Dense:
        """The candidates lo to hi of the round; candidate 0 is the center."""

    def work(self, state: State, objective: Objective, lo: int, hi: int) -> Answer:
        """Try the units lo to hi, a tile at a time, so that no more than a tile of candidates is ever held."""
        tiles = [(start, min(start + objective.tile, hi)) for start in range(lo, hi, objective.tile)]
        losses = [objective.losses(self.ask(state, *tile), state.round) for tile in tiles]
        return Answer(lo, losses[0] if len(losses) == 1 else np.concatenate(losses))

    def tell(self, state: State, answers: Iterable[Answer]) -> State:
        """The next round's state, from answers in index order. ObjectiveError if no loss is finite."""
        losses = losses_of(answers)
        best = self._best(state, losses)
        return self.advance(state, losses, best)

    @abstractmethod
    def advance(self, state: State, losses: NDArray[np.float64], best: Best) -> State:
        """The next round's state, given the losses, (population,), and the best of all rounds with this one."""

    def _best(self, state: State, losses: NDArray[np.float64]) -> Best:
        index = int(losses.argmin())
        loss = float(losses[index])
        if not math.isfinite(loss):  # argmin stops at a NaN; such a candidate never wins
            finite = np.where(np.isfinite(losses), losses, np.inf)
            index = int(finite.argmin())
            loss = float(finite[index])
            if loss == np.inf:
                raise ObjectiveError(
                    f"round {state.round}: none of the {len(losses)} candidates has a finite loss; "
                    "try a smaller --sigma, or --scale if the features are large"
                )
        if loss >= state.best.loss:
            return state.best
        weights = state.center if index == 0 else self.ask(state, index, index + 1).dense()[0]
        return Best(frozen(weights), loss, state.round, index)


def frozen(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weights as an array of their own that nobody can write to: perturbing a copy never moves the kept ones."""
    if weights.flags.writeable:
        weights = weights.copy()
        weights.flags.writeable = False
    return weights
