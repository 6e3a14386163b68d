"""Metrics of classes."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from distsearch.objectives.losses.ranks import Auc, AveragePrecision
from distsearch.objectives.metrics.base import Outcome, Values, positives, probabilities

BINS = 10  # of probability, in which calibration is judged


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


def f1_of(outcome: Outcome) -> float:
    """F₁ of the positive class of two, else the mean over the classes."""
    if outcome.outputs.shape[1] != 2:
        return f1(outcome.truth, outcome.predicted)
    precise, found = precision(outcome), recall(outcome)
    return 2 * precise * found / (precise + found) if precise + found else 0.0


def precision(outcome: Outcome) -> float:
    """The share of what is predicted as a class that is of it: of the positive one of two, or the mean of those there.

    As in scikit-learn, a class is there if it is an example's own, or predicted.
    """
    return _mean_share(outcome, outcome.predicted, outcome.truth)


def recall(outcome: Outcome) -> float:
    """The share of a class that is predicted as it: of the positive one of two, or the mean over those there."""
    return _mean_share(outcome, outcome.truth, outcome.predicted)


def auc(outcome: Outcome) -> float:
    """The area under the receiver's curve: of two classes, or the mean of each that is there against the rest."""
    return _mean_of_ranks(Auc().metric, outcome)


def average_precision(outcome: Outcome) -> float:
    """The area under the curve of precision over recall: of the positive class of two, or the mean over those there."""
    return _mean_of_ranks(AveragePrecision().metric, outcome)


def meaningless(outcome: Outcome) -> set[str]:
    """The metrics that say nothing of the examples, though they have a value: all are of one class."""
    if len(np.unique(outcome.truth)) > 1:
        return set()
    if outcome.outputs.shape[1] > 2 or (outcome.truth == outcome.positive).any():
        return {"auc", "average-precision"}
    recalled = {"auc", "average-precision", "recall"}
    return recalled if (outcome.predicted == outcome.positive).any() else recalled | {"precision", "f1"}


def matthews_correlation(truth: Values, predicted: Values) -> float:
    """The correlation of true and predicted classes (Gorodkin 2004); 0 where one of them does not vary."""
    labels = np.unique(np.concatenate([truth, predicted]))
    there, found = (values[:, np.newaxis] == labels for values in (truth, predicted))
    there, found = (each - each.mean(axis=0) for each in (there, found))
    spread = np.sum(there * there) * np.sum(found * found)
    return float(np.sum(there * found) / np.sqrt(spread)) if spread else 0.0


def calibration_error(outcome: Outcome) -> float:
    """How far the probability of the predicted class is from the share that is right, over ten bins of examples.

    Not a number where an output is none.
    """
    if np.isnan(outcome.outputs).any():
        return float("nan")
    rows = calibration(outcome)
    count = sum(row[0] for row in rows)
    return float(sum(row[0] * abs(row[1] - row[2]) for row in rows) / count)


def calibration(outcome: Outcome) -> list[tuple[int, float, float]]:
    """Examples, mean probability of the predicted class and the share that is right, in bins of that probability."""
    shares = probabilities(outcome.outputs.astype(np.float64)).max(axis=1)
    right = outcome.predicted == outcome.truth
    at = np.minimum((shares * BINS).astype(int), BINS - 1)
    kept = [at == number for number in range(BINS)]
    return [(int(some.sum()), float(shares[some].mean()), float(right[some].mean())) for some in kept if some.any()]


def _mean_of_ranks(metric: Callable[[NDArray[np.float64], NDArray[np.bool_]], float], outcome: Outcome) -> float:
    each = positives(outcome)
    there = [(positive, scores) for positive, scores in each if positive.any()] or each
    return float(np.mean([metric(scores, positive) for positive, scores in there]))


def _mean_share(outcome: Outcome, of: Values, right: Values) -> float:
    classes = [outcome.positive] if outcome.outputs.shape[1] == 2 else np.union1d(of, right).tolist()
    counts = [(int(np.sum(of == number)), int(np.sum((of == number) & (right == number)))) for number in classes]
    return float(np.mean([hits / count if count else 0.0 for count, hits in counts]))
