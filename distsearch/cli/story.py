"""The chapter's own search, and a search told step by step: what was tried, and whether it was kept."""

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.errors import UserError
from distsearch.objectives.base import Measurement
from distsearch.search.assembly import Assembly
from distsearch.search.observers import Observer, Round
from distsearch.strategies.base import AnyStrategy, State

CHAPTER: Mapping[str, Any] = {  # one candidate per round, on the chapter's data and network, with its fixed step
    "data": "vertical",
    "layers": [3],
    "strategy": "hill-climb",
    "population": 2,  # the center and one other
    "ladder": 1,
    "adapt": False,
    "sigma": 0.05,
    "rounds": 10_000,
    "workers": 0,
}
TOLD = ("hill-climb", "random-search")
"""The strategies that either accept a round's best candidate or revert; the first always does."""


class Chapter(Observer):
    """Prints the chapter's line whenever better weights are found."""

    def __init__(self, say: Callable[[str], None], measure: Callable[[NDArray[np.float32]], Measurement]) -> None:
        self._say = say
        self._measure = measure

    def round(self, done: Round) -> None:
        """Print the line, if there are better weights."""
        row = done.record
        if row.accepted:
            accuracy = self._measure(done.after.best.weights).accuracy
            reached = "" if accuracy is None else f" acc: {accuracy}"
            self._say(f"New set of weights found, iteration: {row.round} loss: {row.best_loss}{reached}")


class Story(Observer):
    """Prints what each round tried, and whether it was accepted or reverted.

    Where the best weights are chosen by measuring, on validation examples or on all, it is the center that is stepped
    from and reverted to, by the losses of the round.
    """

    def __init__(self, say: Callable[[str], None], strategy: AnyStrategy) -> None:
        self._measured = strategy.chosen_by_measuring
        told = TOLD[:1] if self._measured else TOLD
        if strategy.name not in told:
            where = " where validation examples, batches or constraints choose the best weights" * self._measured
            raise UserError(
                f"--story describes steps that are accepted or reverted: expected --strategy {' or '.join(told)}"
                f"{where}, got {strategy.name}"
            )
        self._say = say
        self._best = inf

    def started(self, state: State) -> None:
        """Keep the loss to beat."""
        self._best = state.best.loss

    def round(self, done: Round) -> None:
        """Tell of the round."""
        row, tried = done.record, done.losses[1:]
        if not len(tried):
            return
        best = min(inf, row.center_loss) if self._measured else min(self._best, row.center_loss)
        lowest = float(np.min(np.where(np.isnan(tried), inf, tried)))
        what = "the candidate's loss" if len(tried) == 1 else f"the lowest loss of {len(tried)} candidates"
        end = "accepted" if lowest < best else "as good: accepted" if lowest == best else "reverted"
        beaten = "the center's" if self._measured else "the best so far"
        self._say(f"round {row.round}: {what} is {lowest:.6f}, {beaten} {best:.6f}: {end}")
        self._best = row.best_loss


def of_chapter(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The flags of the chapter's search, with those that were given. Raises UserError for another strategy."""
    if flags.get("strategy", CHAPTER["strategy"]) != CHAPTER["strategy"]:
        raise UserError(
            f"--chapter is {CHAPTER['strategy']} with one candidate per round: leave out --chapter or --strategy "
            f"{flags['strategy']}"
        )
    return {**CHAPTER, **flags}


def narrators(assembly: Assembly, chapter: bool, story: bool, say: Callable[[str], None]) -> list[Observer]:
    """The observers that tell of a search as was asked for. Raises UserError if there is no such story."""
    told: list[Observer] = [Story(say, assembly.strategy)] if story else []
    return [*told, Chapter(say, assembly.objective.measure)] if chapter else told
