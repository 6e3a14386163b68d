"""How good a model is on some examples, at length: against a baseline, by class, by how sure it is, by its errors."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.objectives.metrics import Outcome
from distsearch.objectives.metrics.classes import calibration

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
MOST_CLASSES = 20  # of which a confusion matrix is shown


class ClassRow(NamedTuple):
    """How a class fares."""

    label: str
    examples: int
    precision: float
    recall: float
    f1: float


class Report(NamedTuple):
    """All of it; what does not apply is empty."""

    confusion: list[list[int]]
    """Examples by true class (row) and predicted class (column)."""
    classes: list[ClassRow]
    calibration: list[tuple[int, float, float]]
    """Examples, mean probability of the predicted class and the share that is right, by that probability."""
    residuals: list[tuple[float, ...]]
    """Shares, each with that quantile of what the prediction is above the true value, for each target."""
    targets: tuple[str, ...] = ()
    """The names of several targets."""

    def document(self) -> dict[str, Any]:
        """By name, for JSON."""
        return {**self._asdict(), "classes": [row._asdict() for row in self.classes]}


def report(outcome: Outcome, targets: Sequence[str] = ()) -> Report:
    """The report on what a network makes of labelled examples, or of examples with numbers for these targets."""
    if outcome.labels is None:
        errors = (outcome.predicted - outcome.truth).astype(np.float64)
        values = np.quantile(errors, QUANTILES, axis=0)  # (quantiles, targets)
        rows = [(share, *map(float, row)) for share, row in zip(QUANTILES, values, strict=True)]
        return Report([], [], [], rows, tuple(targets) if len(targets) > 1 else ())
    matrix = confusion(outcome)
    return Report(
        matrix.tolist() if len(matrix) <= MOST_CLASSES else [],
        [_row(str(label), matrix, number) for number, label in enumerate(outcome.labels)],
        calibration(outcome) if outcome.probable else [],
        [],
    )


def confusion(outcome: Outcome) -> NDArray[np.intp]:
    """Examples by true and predicted class, (classes, classes)."""
    count = outcome.outputs.shape[1]
    return np.bincount(outcome.truth * count + outcome.predicted, minlength=count * count).reshape(count, count)


def _row(label: str, matrix: NDArray[np.intp], number: int) -> ClassRow:
    right, actual, predicted = int(matrix[number, number]), int(matrix[number].sum()), int(matrix[:, number].sum())
    precision, recall = right / max(predicted, 1), right / max(actual, 1)
    return ClassRow(label, actual, precision, recall, 2 * right / max(actual + predicted, 1))
