"""Metrics: what is reported of predictions, beside the loss that was searched.

Each is a function of the true and the predicted values, as in scikit-learn, whose own can be named too:
`sklearn.metrics:matthews_corrcoef`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.errors import SettingError
from distsearch.objectives import foreign
from distsearch.registry import Registry

Values = NDArray[Any]
Metric = Callable[[Values, Values], float]
"""From true values, (examples,) labels or numbers, or (examples, outputs) numbers, and predicted ones alike."""


def accuracy(truth: Values, predicted: Values) -> float:
    """The share of examples whose label is predicted."""
    return float(np.mean(truth == predicted))


def balanced_accuracy(truth: Values, predicted: Values) -> float:
    """The mean over the classes of the share of their examples that are recognised."""
    return float(np.mean([np.mean(predicted[truth == label] == label) for label in np.unique(truth)]))


def f1(truth: Values, predicted: Values) -> float:
    """The mean over the classes of the harmonic mean of precision and recall; 0 for a class never predicted."""
    found = []
    for label in np.unique(np.concatenate([truth, predicted])):
        hits = np.sum((truth == label) & (predicted == label))
        found.append(2 * hits / (np.sum(truth == label) + np.sum(predicted == label)))
    return float(np.mean(found))


def mean_absolute_error(truth: Values, predicted: Values) -> float:
    """The mean of |z − y|."""
    return float(np.mean(np.abs(truth - predicted)))


def root_mean_squared_error(truth: Values, predicted: Values) -> float:
    """√ of the mean of (z − y)²."""
    return float(np.sqrt(np.mean(np.square(truth - predicted))))


def r2(truth: Values, predicted: Values) -> float:
    """1 − Σ (z − y)² / Σ (y − mean y)², the mean over the outputs; not a number where all true values are the same."""
    with np.errstate(all="ignore"):
        left = np.sum(np.square(truth - predicted), axis=0) / np.sum(np.square(truth - truth.mean(axis=0)), axis=0)
    return float(np.mean(1 - left))


METRICS: Registry[Metric] = Registry(
    "metric",
    "metrics",
    {
        "accuracy": accuracy,
        "balanced-accuracy": balanced_accuracy,
        "f1": f1,
        "mean-absolute-error": mean_absolute_error,
        "root-mean-squared-error": root_mean_squared_error,
        "r2": r2,
    },
    callable,
    "a function of true and predicted values",
    {"acc": "accuracy", "f1-score": "f1", "mae": "mean-absolute-error", "rmse": "root-mean-squared-error"},
)
OF_CLASSES = {accuracy, balanced_accuracy, f1}
OF_NUMBERS = {mean_absolute_error, root_mean_squared_error, r2}


def measure(name: str, truth: Values, predicted: Values, *, classes: bool) -> float:
    """The value of a metric. SettingError if it does not fit such values; ObjectiveError if the user's own fails."""
    metric = METRICS.find(name)
    if metric in (OF_NUMBERS if classes else OF_CLASSES):
        kinds = ("numbers", "classes") if classes else ("classes", "numbers")
        raise SettingError(f"the metric {name} is of {kinds[0]}, and this network predicts {kinds[1]}")
    return float(foreign.call(metric, truth.astype(np.float64) if truth.dtype == np.float32 else truth, predicted))
