"""A pool without workers: this process does everything. The twin of the Ray pool, without Ray."""

from collections.abc import Sequence
from math import inf
from typing import Any

from distsearch.objectives.base import Objective
from distsearch.strategies.base import Answer, AnyStrategy
from distsearch.workers.base import Pool
from distsearch.workers.pieces import Pieces
from distsearch.workers.requests import EvaluateRound, Request


class LocalPool(Pool):
    """Answers every request here and now."""

    count = 0

    def __init__(self, strategy: AnyStrategy, objective: Objective) -> None:
        super().__init__(strategy, objective)
        self._pieces = Pieces(strategy, objective)
        self._short = 0  # the units that are answered as fast as one piece

    @property
    def answered(self) -> Sequence[tuple[int, Answer]]:
        """Those to its pieces."""
        return self._pieces.answered

    def sweep(self, request: Request) -> list[Any]:
        """The answer to a request, as one range; of a round that may take a while, in pieces.

        So it is if there is a deadline, to hold it, or no best yet.
        """
        if not isinstance(request, EvaluateRound):
            return [self.answered_here(request)]
        end = request.end(self.strategy, self.objective)
        if end <= self._short and self.deadline == inf and not self.awaits_one:
            return [request.answer(self.strategy, self.objective, request.begin, end)]
        pieces = self._pieces.answers(request, self.heard, self.deadline, self.awaits_one)
        answers = [answer for _, answer in pieces]
        if self._pieces.one_is_enough:
            self._short = end
        return answers
