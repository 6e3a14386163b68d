"""Answering a request in this process a piece at a time, so that time and workers can be looked at in between."""

import time
from collections.abc import Callable, Iterator
from math import inf
from typing import Any

from distsearch.objectives.base import Objective
from distsearch.strategies.base import AnyStrategy
from distsearch.workers.base import TimeIsUpError
from distsearch.workers.requests import Request

PIECE_SECONDS = 0.1  # of work between two looks


class Pieces:
    """Cuts requests into pieces of a few tiles; as many as take about PIECE_SECONDS, which is learnt."""

    def __init__(self, strategy: AnyStrategy, objective: Objective) -> None:
        self._strategy = strategy
        self._objective = objective
        self.tiles = 0
        """The tiles of the latest request."""
        self.answered: list[tuple[int, Any]] = []
        """Its answers so far, each with the unit where it begins; none once all are there."""
        self._size = 1  # of the next piece, in tiles

    @property
    def one_is_enough(self) -> bool:
        """Whether the latest request, as a whole, is known to take no longer than a piece."""
        return self._size >= self.tiles > 0

    def answers(
        self,
        request: Request,
        heard: Callable[[int, int], None],
        deadline: float = inf,
        awaits_one: bool = False,
    ) -> Iterator[tuple[int, Any]]:
        """The answers to pieces in a row, each with the number of the boundary where it ends.

        In between, `heard` is told how many units are answered, of how many. Raises TimeIsUpError once `deadline` (by
        time.monotonic) has passed and something is left; if it awaits one, not before the first answer.
        """
        boundaries = request.boundaries(self._strategy, self._objective)
        self.tiles, at = len(boundaries) - 1, 0
        self.answered = []
        while at < self.tiles:
            began = time.monotonic()
            if began >= deadline and (self.answered or not awaits_one):
                raise TimeIsUpError
            heard(boundaries[at], boundaries[-1])
            to = min(at + self._size, self.tiles)
            answer = request.answer(self._strategy, self._objective, boundaries[at], boundaries[to])
            took = time.monotonic() - began
            if took < PIECE_SECONDS:
                self._size = max(self._size, min(2 * (to - at), self.tiles))
            elif took > 2 * PIECE_SECONDS:
                self._size = max(1, (to - at) // 2)
            self.answered.append((boundaries[at], answer))
            at = to
            yield at, answer
        self.answered = []
