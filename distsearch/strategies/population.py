"""The base of strategies whose units are candidates: whole sets of weights, each with a loss."""

import math
from abc import abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, ClassVar, TypeVar, cast

import numpy as np

from distsearch.candidates.base import Candidates, Dense, boundaries
from distsearch.errors import UserError, brief
from distsearch.objectives.base import Objective, Task
from distsearch.settings import Settings, about
from distsearch.strategies.base import LARGEST_SIGMA, Answer, Array, Best, Losses, State, Strategy, frozen

MADE_AT_ONCE = 64  # candidates, where each is evaluated by itself
MOST_WEIGHTS = 1 << 22  # of all candidates made at once

S = TypeVar("S", bound=Settings)
T = TypeVar("T", bound=State)


StepSize = Annotated[float, about("step size: standard deviation of a candidate's noise", above=0, below=LARGEST_SIGMA)]


class PopulationSettings(Settings, frozen=True):
    """The settings shared by most strategies with a population."""

    sigma: StepSize = 0.05
    population: Annotated[
        int, about("candidates evaluated per round, including the center", unit="candidates", at_least=2)
    ] = 32


class PopulationStrategy(Strategy[S, T]):
    """A search algorithm that evaluates a population in every round. A subclass also implements `ask`."""

    Settings: ClassVar[type[Settings]] = PopulationSettings
    mirrored: ClassVar[bool] = False
    """Whether candidates are mirrored pairs: these share products, so their losses differ in the last bits from those
    of dense evaluation."""

    def __init__(self, settings: S, task: Task) -> None:
        super().__init__(settings, task)
        self._latest: tuple[T | None, int, Candidates | None] = (None, 0, None)  # state, first index, candidates

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_latest": (None, 0, None)}

    @abstractmethod
    def ask(self, state: T, lo: int, hi: int) -> Candidates:
        """The candidates [lo, hi) of the round; candidate 0 is the center."""

    def boundaries(self, state: T, objective: Objective) -> Sequence[int]:
        """Tiles of as many candidates as suit the objective; where each is evaluated by itself, they may part pairs."""
        if not objective.one_by_one:
            return self.tiles(state, objective)
        units, size = self.units(state), objective.tiling.candidates
        return range(units + 1) if size == 1 else boundaries(units, size)

    def tiles(self, state: T, objective: Objective) -> Sequence[int]:
        """The boundaries where candidates are evaluated together; a subclass may want whole pairs."""
        return boundaries(self.units(state), objective.tiling.candidates)

    def work(self, state: T, objective: Objective, lo: int, hi: int) -> Answer:
        """Evaluate the candidates [lo, hi), tile by tile, so that no more than one tile is in memory.

        Where each is evaluated by itself, as many are made at once as is fast.
        """
        if objective.one_by_one:
            ends: Sequence[int] = self._few_at_once(lo, hi)
        else:
            ends = self.boundaries(state, objective)
            if lo or hi != ends[-1]:
                ends = ends[bisect_left(ends, lo) : bisect_right(ends, hi)]
        losses = []
        for tile in pairwise(ends):
            candidates = self.ask(state, *tile) if self._latest[0] else self._first_asked(state, *tile)
            losses.append(objective.losses(candidates, state.round))
            self._latest = state, tile[0], candidates
        return Answer(losses[0] if len(losses) == 1 else np.concatenate(losses))

    def _first_asked(self, state: T, lo: int, hi: int) -> Candidates:
        """What `ask` returns. UserError if that is not that many candidates."""
        candidates: Any = self.ask(state, lo, hi)
        if not hasattr(candidates, "dense") or len(candidates) != hi - lo:
            came = f"{len(candidates)}" if hasattr(candidates, "dense") else brief(candidates)
            raise UserError(
                f"the strategy {self.name}: expected ask to return {hi - lo} candidates, such as "
                f"distsearch.candidates.base.Dense(weights), got {came}"
            )
        return cast(Candidates, candidates)

    def _few_at_once(self, lo: int, hi: int) -> list[int]:
        """The range [lo, hi) in parts that are quickly made and fit into memory. No mirrored pair is parted within."""
        count = max(2, min(MADE_AT_ONCE, MOST_WEIGHTS // self.task.weights_count))
        return [lo, *range((lo + count) | 1, hi, count - count % 2), hi]

    def weights_of(self, state: T, index: int) -> Array:
        """The weights, (n,), of one candidate of the round."""
        if index == 0:
            return state.center
        asked, lo, candidates = self._latest  # it may still be there: recomputing it takes a tenth of the time
        if asked is state and isinstance(candidates, Dense) and lo <= index < lo + len(candidates):
            return frozen(candidates.weights[index - lo])
        return frozen(self.ask(state, index, index + 1).dense()[0])

    def best(self, state: T, losses: Losses, lowest: int) -> Best:
        """The best of all rounds up to this one; with mirrored pairs, only the center's loss is exact to the bit."""
        index = 0 if self.mirrored and self.task.blocks else lowest
        loss = float(losses[index])
        better = -math.inf < loss < state.best.loss
        return Best(self.weights_of(state, index), loss, state.round, index) if better else state.best
