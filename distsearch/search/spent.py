"""What a search has cost so far."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distsearch.runs.history import RoundRecord
from distsearch.strategies.base import Answer, losses_of


@dataclass(slots=True)
class Spent:
    """What the rounds so far have cost."""

    candidates: int = 0  # losses
    non_finite: int = 0  # those of them that are not finite
    passes: float = 0.0  # forward passes over all training examples
    seconds: float = 0.0

    @classmethod
    def of(cls, done: Sequence[RoundRecord]) -> "Spent":
        """The sum over the rounds that are done."""
        if not done:
            return cls()
        last = done[-1]
        return cls(last.candidates, sum(row.non_finite for row in done), last.passes, last.seconds)

    @classmethod
    def of_part(cls, answers: Sequence[Answer], seconds: float) -> "Spent":
        """What a part of a round has cost, without its passes."""
        losses = losses_of(answers) if answers else np.empty(0)
        return cls(len(losses), int(np.count_nonzero(~np.isfinite(losses))), seconds=seconds)
