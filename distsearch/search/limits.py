"""When a search ends: at the first of its limits."""

from collections import deque
from collections.abc import Iterable
from math import inf

from distsearch.config.sections import DEFAULT_ROUNDS, StopConfig
from distsearch.runs.history import RoundRecord
from distsearch.runs.summaries import INTERRUPTED as INTERRUPTED

ROUNDS, SECONDS, EVALUATIONS, TARGET_LOSS = "rounds", "seconds", "evaluations", "target loss"
TARGET_ACCURACY, PATIENCE, CALLBACK, FAILED = "target accuracy", "patience", "callback", "failed"

CENTERS = 10  # rounds over which the center's loss is averaged where it is noisy
EXACTLY = 1 - 1e-9  # of a number of passes, which is a sum of shares
PATIENCE_SHARE = 1e-3  # of the best loss, by which it has to fall to count as an improvement


class Limits:
    """The limits of one search, checked after each of its rounds; `done` are those before it is resumed.

    Where the best is chosen by measuring, patience counts measurements, as the best loss falls at none else, and a
    target accuracy is that of the best, not of others that were measured. Under constraints, targets are reached by
    weights that hold to them, and a smaller violation is an improvement. Where losses are noisy, the target has to be
    reached by the mean of the latest centers', not by one lucky draw.
    """

    def __init__(self, stop: StopConfig, done: Iterable[RoundRecord] = (), *, by_measuring: bool = False) -> None:
        self._stop = stop
        self._by_measuring = by_measuring
        unlimited = not any(
            (
                stop.seconds,
                stop.evaluations,
                stop.target_loss is not None,
                stop.target_accuracy,
                stop.patience,
                stop.rounds,
            )
        )
        self.rounds = DEFAULT_ROUNDS if unlimited else stop.rounds
        self.seconds = inf if stop.seconds is None else stop.seconds
        self._rounds = inf if self.rounds is None else self.rounds
        self._evaluations = inf if stop.evaluations is None else stop.evaluations
        self._targets = stop.target_loss is not None or stop.target_accuracy is not None
        self._lowest = inf
        self._violation = inf  # of the constraints, by the best
        self._centers: deque[float] = deque(maxlen=CENTERS)  # losses of the latest
        self._in_vain = 0  # rounds, or measurements, since the best loss has fallen
        self.already = ""
        for row in done:
            self.already = self.reached(row)

    def reached(self, row: RoundRecord) -> str:
        """The limit that this round has reached, or nothing."""
        patience = self._stop.patience
        in_vain = patience is not None and self._rounds_in_vain(row) >= patience
        if self._targets and (target := self._target_reached(row)):
            return target
        if row.round + 1 >= self._rounds:
            return ROUNDS
        if row.passes >= self._evaluations * EXACTLY:
            return EVALUATIONS
        if row.seconds >= self.seconds:
            return SECONDS
        return PATIENCE if in_vain else ""

    def _rounds_in_vain(self, row: RoundRecord) -> int:
        """The rounds, or measurements, up to this one since the best loss has fallen."""
        loss, violation = row.best_loss, row.best_violation
        if loss < self._lowest - PATIENCE_SHARE * abs(loss) or violation < self._violation * (1 - PATIENCE_SHARE):
            self._lowest, self._violation, self._in_vain = loss, violation, 0
        elif row.train_loss is not None or not self._by_measuring:
            self._in_vain += 1
        return self._in_vain

    def _target_reached(self, row: RoundRecord) -> str:
        """The target that this round has reached, or nothing."""
        self._centers.append(row.center_loss)
        if row.best_violation:
            return ""
        loss, accuracy = self._stop.target_loss, self._stop.target_accuracy
        if loss is not None and self._loss(row) <= loss:
            return TARGET_LOSS
        if accuracy is None or (self._by_measuring and not row.accepted):
            return ""
        found = row.accuracy if row.test_accuracy is None else row.test_accuracy
        return TARGET_ACCURACY if found is not None and found >= accuracy else ""

    def _loss(self, row: RoundRecord) -> float:
        """The loss that the search has come to after a round."""
        if not row.noisy:
            return row.best_loss
        return sum(self._centers) / CENTERS if len(self._centers) == CENTERS else inf
