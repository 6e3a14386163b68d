"""What workers are asked for: a request is divided into parts, and any worker can answer any range of them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Dense, boundaries
from distsearch.objectives.base import Objective, Sums
from distsearch.strategies.base import Answer, AnyStrategy, State, noise_ranges
from distsearch.strategies.sums import Subtree


class Request(ABC):
    """What is asked for in one sweep over all workers. A range of parts gives the same bits, whoever answers it."""

    kind: str
    """Names requests whose parts cost the same."""
    evaluates: bool = True
    """Whether weights are evaluated on the objective."""

    @abstractmethod
    def boundaries(self, strategy: AnyStrategy, objective: Objective) -> Sequence[int]:
        """Where it may be divided, rising, from its beginning to its end."""

    begin = 0
    """The first boundary."""

    def end(self, strategy: AnyStrategy, objective: Objective) -> int:
        """The last boundary."""
        return self.boundaries(strategy, objective)[-1]

    @abstractmethod
    def answer(self, strategy: AnyStrategy, objective: Objective, lo: int, hi: int) -> Any:
        """The answer for lo to hi, both of them boundaries."""

    def outgoing(self, strategy: AnyStrategy) -> "Request":
        """The request as workers need it: nothing is sent that they do not look at."""
        return self


@dataclass(slots=True)  # not frozen: made in every round, which takes three times as long
class EvaluateRound(Request):
    """Evaluate all units of a round."""

    kind = "losses"
    state: State

    def boundaries(self, strategy: AnyStrategy, objective: Objective) -> Sequence[int]:
        """Tiles of units."""
        return strategy.boundaries(self.state, objective)

    def end(self, strategy: AnyStrategy, objective: Objective) -> int:
        """The number of units."""
        return strategy.units(self.state)

    def answer(self, strategy: AnyStrategy, objective: Objective, lo: int, hi: int) -> Answer:
        """The answer to the units lo to hi."""
        return strategy.work(self.state, objective.under(self.state.multipliers), lo, hi)

    def outgoing(self, strategy: AnyStrategy) -> "EvaluateRound":
        """With the state as workers need it."""
        return EvaluateRound(strategy.outgoing(self.state))


@dataclass(frozen=True, slots=True)
class MeasureWeights(Request):
    """Measure weights, (n,), on all the data."""

    kind = "measuring"
    weights: NDArray[np.float32]

    def boundaries(self, strategy: AnyStrategy, objective: Objective) -> Sequence[int]:
        """The parts of the data."""
        return range(objective.parts + 1)

    def answer(self, strategy: AnyStrategy, objective: Objective, lo: int, hi: int) -> list[Sums]:
        """What the weights come to on the parts lo to hi."""
        return objective.sums(self.weights, lo, hi)


@dataclass(frozen=True, slots=True)
class SumNoise(Request):
    """Sum the noise of a round, each vector times its coefficient, (noises,)."""

    kind = "noise"
    evaluates = False
    state: State
    coefficients: NDArray[np.float32]

    def boundaries(self, strategy: AnyStrategy, objective: Objective) -> Sequence[int]:
        """Ranges of noise vectors."""
        return range(noise_ranges(self.coefficients) + 1)

    def answer(self, strategy: AnyStrategy, objective: Objective, lo: int, hi: int) -> tuple[Subtree, ...]:
        """The sums over the ranges lo to hi."""
        return strategy.noise_sums(self.state, self.coefficients, lo, hi)

    def outgoing(self, strategy: AnyStrategy) -> "SumNoise":
        """With the state as workers need it."""
        return SumNoise(strategy.outgoing(self.state), self.coefficients)


@dataclass(frozen=True, slots=True)
class EvaluateAgain(Request):
    """Evaluate the same weights, (n,), several times, as candidates of a round."""

    kind = "again"
    weights: NDArray[np.float32]
    round_number: int
    times: int

    def boundaries(self, strategy: AnyStrategy, objective: Objective) -> Sequence[int]:
        """Tiles."""
        return boundaries(self.times, objective.tiling.candidates)

    def answer(self, strategy: AnyStrategy, objective: Objective, lo: int, hi: int) -> NDArray[np.float64]:
        """The losses of the evaluations lo to hi, (hi - lo,)."""
        same = Dense(np.repeat(self.weights[np.newaxis], hi - lo, axis=0))
        return objective.losses(same, self.round_number)


class Part(Request):
    """A part of a request: what lies between some of its boundaries, one after another."""

    def __init__(self, whole: Request, boundaries: Sequence[int]) -> None:
        self._whole = whole
        self._boundaries = boundaries
        self.kind = whole.kind
        self.evaluates = whole.evaluates
        self.begin = boundaries[0]

    def boundaries(self, strategy: AnyStrategy, objective: Objective) -> Sequence[int]:
        """Those given."""
        return self._boundaries

    def answer(self, strategy: AnyStrategy, objective: Objective, lo: int, hi: int) -> Any:
        """The answer for lo to hi."""
        return self._whole.answer(strategy, objective, lo, hi)

    def outgoing(self, strategy: AnyStrategy) -> Request:
        """The whole request as workers need it: they are sent ranges of it."""
        return self._whole.outgoing(strategy)
