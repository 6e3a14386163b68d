"""Metrics: what is reported of predictions, beside the loss that was searched.

Each is a function of the true and the predicted values, as in scikit-learn, whose own can be named too:
`sklearn.metrics:matthews_corrcoef`. Some of ours look at the outputs as well.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from distsearch.errors import SettingError, brief
from distsearch.objectives import foreign
from distsearch.objectives.metrics import classes as of_classes
from distsearch.objectives.metrics import numbers as of_numbers
from distsearch.objectives.metrics.base import Metric, OfOutputs, Outcome, Values
from distsearch.objectives.metrics.classes import accuracy, balanced_accuracy, f1
from distsearch.objectives.metrics.groups import column_in, gap
from distsearch.registry import Registry

__all__ = [
    "METRICS",
    "Outcome",
    "accuracy",
    "balanced_accuracy",
    "column_in",
    "columns_in",
    "f1",
    "find",
    "measure",
    "measured",
]

OF_CLASSES: dict[str, Metric | OfOutputs] = {
    "accuracy": accuracy,
    "balanced-accuracy": balanced_accuracy,
    "f1": OfOutputs(of_classes.f1_of),
    "f1-macro": f1,
    "precision": OfOutputs(of_classes.precision),
    "recall": OfOutputs(of_classes.recall),
    "auc": OfOutputs(of_classes.auc),
    "average-precision": OfOutputs(of_classes.average_precision),
    "matthews-correlation": of_classes.matthews_correlation,
    "calibration-error": OfOutputs(of_classes.calibration_error),
}
OF_NUMBERS: dict[str, Metric | OfOutputs] = {
    "mean-absolute-error": of_numbers.mean_absolute_error,
    "median-absolute-error": of_numbers.median_absolute_error,
    "root-mean-squared-error": of_numbers.root_mean_squared_error,
    "r2": of_numbers.r2,
    "share-below": of_numbers.share_below,
}
DEFAULTS = {True: ("balanced-accuracy", "f1"), False: ("r2", "mean-absolute-error")}
"""What is reported at the end if nothing is asked for: of classes (True), and of numbers."""

METRICS: Registry[Any] = Registry(
    "metric",
    "metrics",
    {**OF_CLASSES, **OF_NUMBERS},
    lambda found: callable(found) or isinstance(found, OfOutputs),
    "a function of true and predicted values",
    {"acc": "accuracy", "f1-score": "f1", "mae": "mean-absolute-error", "rmse": "root-mean-squared-error"},
    apart=["gap(COLUMN)"],
)


def find(name: str) -> Any:
    """The metric of a name, such as f1 or gap(COLUMN). SettingError if there is none."""
    column = column_in(name)
    return METRICS.find(name) if column is None else OfOutputs(partial(gap, column=column))


def names_of(given: Any) -> list[str]:
    """The names of metrics, of which some may be functions, or of one alone. Raises SettingError for anything else."""
    several = given if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    names: list[Any] = []
    for each in several:
        names.append(METRICS.name_of(each, names) if callable(each) else each)
    if other := [each for each in names if not isinstance(each, str)]:
        raise SettingError(f"metrics: expected names, or functions of true and predicted values, got {brief(other[0])}")
    return names


def columns_in(names: Iterable[str]) -> list[str]:
    """The columns of groups that metrics look at, each once."""
    return list(dict.fromkeys(column for column in map(column_in, names) if column is not None))


def check(names: Iterable[str], *, classes: bool) -> None:
    """SettingError for a metric that is unknown, or of another kind of values."""
    for name in names:
        find(name)
        of_classes = METRICS.named(name) in OF_CLASSES or column_in(name) is not None
        if METRICS.named(name) in OF_NUMBERS if classes else of_classes:
            kinds = ("numbers", "classes") if classes else ("classes", "numbers")
            raise SettingError(f"the metric {name} is for {kinds[0]}, but this network predicts {kinds[1]}")


def measured(names: Iterable[str], outcome: Outcome) -> dict[str, float]:
    """The values of metrics by their names. ObjectiveError if one of the user's own fails."""
    names = list(names)
    check(names, classes=outcome.labels is not None)
    found = {}
    for name in names:
        metric = find(name)
        if isinstance(metric, OfOutputs):
            found[name] = float(metric.value(outcome))
        else:
            truth, predicted = outcome.truth, outcome.predicted
            if outcome.labels is not None:
                truth, predicted = outcome.labels[truth], outcome.labels[predicted]
            elif truth.shape[1] == 1:
                truth, predicted = truth[:, 0], predicted[:, 0]
            found[name] = measure(name, truth, predicted, metric)
    return found


def meaningless(names: Iterable[str], outcome: Outcome) -> list[str]:
    """Those of the names whose metrics say nothing of such examples, though they have a value."""
    found = set() if outcome.labels is None else of_classes.meaningless(outcome)
    return [name for name in names if METRICS.named(name) in found]


def measure(name: str, truth: Values, predicted: Values, metric: Callable[..., Any] | None = None) -> float:
    """The value of a metric of true and predicted values alone.

    ObjectiveError if the user's own fails, or gives no number.
    """
    metric = METRICS.find(name) if metric is None else metric
    truth = truth.astype(np.float64) if truth.dtype == np.float32 else truth
    what = f"the metric {name}"
    return foreign.number_of(foreign.call(what, metric, truth, predicted), what)
