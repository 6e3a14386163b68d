"""When a search ends: at the first of its limits."""

from collections.abc import Iterable

from distsearch.config import DEFAULT_ROUNDS, StopConfig
from distsearch.runs.history import RoundRecord

ROUNDS, SECONDS, TARGET_LOSS = "rounds", "seconds", "target loss"
TARGET_ACCURACY, PATIENCE, INTERRUPTED = "target accuracy", "patience", "interrupted"

PATIENCE_SHARE = 1e-3  # of the best loss, by which it has to fall to count as an improvement


class Limits:
    """The limits of one search, asked after each of its rounds; `done` are the rounds before it goes on."""

    def __init__(self, stop: StopConfig, done: Iterable[RoundRecord] = ()) -> None:
        self._stop = stop
        unlimited = not any(
            (stop.seconds, stop.target_loss is not None, stop.target_accuracy, stop.patience, stop.rounds)
        )
        self.rounds = DEFAULT_ROUNDS if unlimited else stop.rounds
        self._lowest = float("inf")
        self._improved = -1
        self.already = ""
        for row in done:
            self.already = self.reached(row)

    def reached(self, row: RoundRecord) -> str:
        """The limit that this round has reached, or nothing."""
        stop = self._stop
        if row.best_loss < self._lowest - PATIENCE_SHARE * abs(row.best_loss):
            self._lowest, self._improved = row.best_loss, row.round
        accuracy = row.accuracy if row.test_accuracy is None else row.test_accuracy
        if stop.target_loss is not None and row.best_loss <= stop.target_loss:
            return TARGET_LOSS
        if stop.target_accuracy is not None and accuracy is not None and accuracy >= stop.target_accuracy:
            return TARGET_ACCURACY
        if self.rounds is not None and row.round + 1 >= self.rounds:
            return ROUNDS
        if stop.seconds is not None and row.seconds >= stop.seconds:
            return SECONDS
        if stop.patience is not None and row.round - self._improved >= stop.patience:
            return PATIENCE
        return ""
