"""A callback that ends a search when a measured quantity no longer improves, or is good enough."""

import logging
from math import inf, isfinite, nan
from operator import index
from typing import Any

from distsearch.errors import SettingError, brief, unknown
from distsearch.runs import documents
from distsearch.runs.history import RoundRecord
from distsearch.search.observers import Observer, Opened, Round

LOG = logging.getLogger(__name__)

LOWER, HIGHER = "min", "max"
FIGURES = sorted({*RoundRecord.__struct_fields__} - {"metrics"})
"""The names that every round's record has for numbers, though not all are measured."""


class EarlyStopping(Observer):
    """Ends a search when a quantity has not improved for a number of measurements, or has reached a target.

        distsearch.search(X, y, test_share=0.2, callbacks=[EarlyStopping(patience=20, monitor="test_accuracy")])

    Args:
        patience: measurements in a row without improvement after which the search ends; unlimited if None.
        monitor: what is watched: best_loss, center_loss, train_loss, accuracy, test_accuracy, or another number of a
            round's record. Only rounds in which it was measured count.
        min_delta: what an improvement has to exceed, in the units of what is watched.
        mode: "min" if lower is better, "max" if higher; by default "min" for losses and "max" for everything else.
        target: the search ends as soon as this is reached.

    Raises:
        SettingError: for invalid arguments; and in the search, if the quantity is not measured there.
    """

    def __init__(
        self,
        patience: int | None = None,
        monitor: str = "best_loss",
        min_delta: float = 0.0,
        mode: str | None = None,
        target: float | None = None,
    ) -> None:
        if patience is None and target is None:
            raise SettingError("EarlyStopping: expected a patience or a target, got neither")
        if not isinstance(monitor, str) or not monitor:
            raise SettingError(f"EarlyStopping: expected monitor to be a name, got {brief(monitor)}")
        if mode not in (None, LOWER, HIGHER):
            raise SettingError(f'EarlyStopping: expected mode to be "{LOWER}" or "{HIGHER}", got {brief(mode)}')
        self.patience = None if patience is None else _count("patience", patience)
        self.monitor = monitor
        self.min_delta = _number("min_delta", min_delta)
        self.mode = mode or (LOWER if "loss" in monitor or "error" in monitor else HIGHER)
        self.target = None if target is None else _number("target", target)
        if self.min_delta < 0:
            raise SettingError(f"EarlyStopping: expected min_delta to be at least 0, got {min_delta}")
        self._begin()

    def _begin(self) -> None:
        self._best, self._in_vain, self._measured = inf, 0, False

    def opened(self, search: Opened) -> None:
        """Start counting afresh, from the earlier rounds if the search is resumed.

        Raises SettingError if the quantity is not measured there.
        """
        self._begin()
        config = search.config
        if self.monitor not in FIGURES and not config.output.metrics and not config.network.subject_to:
            raise SettingError(f"EarlyStopping: {unknown('quantity', self.monitor, FIGURES)}")
        if self.monitor.startswith("validation_") and not config.data.validation_share:
            raise SettingError(
                f"EarlyStopping: {self.monitor} is not measured here: give a validation_share, such as 0.2"
            )
        for row in search.done:
            self._is_enough(row)

    def round(self, done: Round) -> bool:
        """True if the search should end."""
        return self._is_enough(done.record)

    def closed(self, error: BaseException | None) -> None:
        """Warn if the quantity was never measured."""
        if error is None and not self._measured:
            LOG.warning(f"EarlyStopping: {self.monitor} was never measured, so it has not ended the search")

    def _is_enough(self, row: RoundRecord) -> bool:
        value = documents.numbers(row).get(self.monitor)
        if value is None:
            self._check(row)
            return False
        self._measured = True
        falling = value if self.mode == LOWER else -value
        if self.target is not None and falling <= (self.target if self.mode == LOWER else -self.target):
            return True
        if falling < self._best - self.min_delta:
            self._best, self._in_vain = falling, 0
        else:
            self._in_vain += 1
        return self.patience is not None and self._in_vain >= self.patience

    def _check(self, row: RoundRecord) -> None:
        """SettingError if this round was measured without the quantity being among its numbers."""
        if self._measured or row.accuracy is None:
            return
        if self.monitor == "test_accuracy":
            raise SettingError("EarlyStopping: test_accuracy is not measured here: give a test_share, such as 0.2")
        if self.monitor not in RoundRecord.__struct_fields__:
            raise SettingError(f"EarlyStopping: {unknown('quantity', self.monitor, documents.numbers(row))}")


def _count(name: str, value: Any) -> int:
    try:
        count = index(value)
    except TypeError:
        count = 0
    if count < 1 or isinstance(value, bool):
        raise SettingError(f"EarlyStopping: expected {name} to be a whole number above 0, got {brief(value)}")
    return count


def _number(name: str, value: Any) -> float:
    try:
        number = nan if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = nan
    if not isfinite(number):
        raise SettingError(f"EarlyStopping: expected {name} to be a finite number, got {brief(value)}")
    return number
