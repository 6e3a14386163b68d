"""What an estimator hears of its search: the loss of every round; scores on examples set aside, to stop early."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from distsearch.search.observers import Observer, Round
from distsearch.strategies.base import AnyStrategy, State

Array = NDArray[np.float32]


class Curve(Observer):
    """Keeps the loss of every round's center."""

    def __init__(self, strategy: AnyStrategy) -> None:
        self.losses: list[float] = []
        self._strategy = strategy

    def round(self, done: Round) -> None:
        """Keep it."""
        self.losses.append(self._strategy.center_loss(done.losses))


class Validation(Observer):
    """Scores the search at intervals; ends it after `patience` scores in a row that are not better by `tol`."""

    def __init__(
        self, proposed: Callable[[State], Array], score: Callable[[Array], float], every: int, patience: int, tol: float
    ) -> None:
        self.scores: list[float] = []
        self.best: Array | None = None  # weights, (n,), of the highest score
        self._proposed = proposed
        self._score = score
        self._every = every
        self._patience = patience
        self._tol = tol
        self._in_vain = 0

    @property
    def best_score(self) -> float:
        """The highest of the scores; minus infinity before the first."""
        return max(self.scores, default=-np.inf)

    def round(self, done: Round) -> bool:
        """Score the search's answer so far, if it is time to."""
        if (done.record.round + 1) % self._every:
            return False
        weights = self._proposed(done.after)
        score, before = self._score(weights), self.best_score
        self.scores.append(score)
        self._in_vain = 0 if score > before + self._tol else self._in_vain + 1
        if score > before:
            self.best = weights
        return self._in_vain >= self._patience
