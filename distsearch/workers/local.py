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

    @property
    def answered(self) -> Sequence[tuple[int, Answer]]:
        """Those to its pieces."""
        return self._pieces.answered

    def sweep(self, request: Request) -> list[Any]:
        """The answer to a request, as one range; in pieces if there is a deadline, so that it holds, or no best yet."""
        may_end = self.deadline < inf or self.awaits_one
        if not may_end or not isinstance(request, EvaluateRound):
            return [self.answered_here(request)]
        return [answer for _, answer in self._pieces.answers(request, self.deadline, self.awaits_one)]
