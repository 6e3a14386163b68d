"""Metrics of numbers."""

import numpy as np

from distsearch.objectives.metrics.base import Values


def mean_absolute_error(truth: Values, predicted: Values) -> float:
    """The mean of |z − y|."""
    return float(np.mean(np.abs(truth - predicted)))


def root_mean_squared_error(truth: Values, predicted: Values) -> float:
    """√ of the mean of (z − y)²."""
    return float(np.sqrt(np.mean(np.square(truth - predicted))))


def r2(truth: Values, predicted: Values) -> float:
    """1 − Σ (z − y)² / Σ (y − mean y)², the mean over the outputs; not a number where all true values are the same."""
    with np.errstate(all="ignore"):
        spread = np.sum(np.square(truth - truth.mean(axis=0)), axis=0)
        left = np.sum(np.square(truth - predicted), axis=0) / spread
        left = np.where((truth == truth[:1]).all(axis=0), np.nan, left)  # rounding may leave a spread
    return float(np.mean(1 - left))


def median_absolute_error(truth: Values, predicted: Values) -> float:
    """The median of |z − y|."""
    return float(np.median(np.abs(truth - predicted)))


def share_below(truth: Values, predicted: Values) -> float:
    """The share of examples whose true value is at most the predicted one: what a quantile should come to."""
    return float(np.mean(truth <= predicted))
