"""What is compared: from training rows to predictions for others.

Ours minimises the metric itself. The others are trained on what they have, and then tuned for the metric on a quarter
of the training rows, after being trained on the rest: the threshold of a class, as scikit-learn's
TunedThresholdClassifierCV does, or what is added to a regression so that it is a quantile. At last they are trained on
all of the training rows.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import make_scorer
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmark_tables.tables import COSTS, METRICS, PINBALL, QUANTILE, Array
from distsearch import SearchClassifier, SearchRegressor

INNER = 0.25  # of the training rows
LOSSES: dict[str, dict[str, Any]] = {
    "F1": {"loss": "f1"},
    "expected cost": {"loss": "expected-cost", "costs": COSTS},
}

Method = Callable[[str, Array, Array, Array], Array]
"""Predictions, (rows,), from the metric's name, training features and targets, and the features of other rows."""


def ours(metric: str, X: Array, y: Array, others: Array) -> Array:
    """A network trained on the metric."""
    if metric == PINBALL:
        return SearchRegressor(loss="pinball", quantile=QUANTILE, random_state=0).fit(X, y).predict(others)
    return SearchClassifier(**LOSSES[metric], random_state=0).fit(X, y).predict(others)


def network(metric: str, X: Array, y: Array, others: Array) -> Array:
    """scikit-learn's network: its threshold tuned, or raised by the quantile of what it leaves over."""
    if metric != PINBALL:
        return _tuned(make_pipeline(StandardScaler(), MLPClassifier(random_state=0)), metric, X, y, others)
    model = make_pipeline(StandardScaler(), MLPRegressor(random_state=0))
    middle, unit = y.mean(), y.std()
    standardised = (y - middle) / unit
    fitted, aside = train_test_split(np.arange(len(X)), test_size=INNER, random_state=0)
    left_over = standardised[aside] - clone(model).fit(X[fitted], standardised[fitted]).predict(X[aside])
    raised = model.fit(X, standardised).predict(others) + np.quantile(left_over, QUANTILE)
    return raised * unit + middle


def boosting(metric: str, X: Array, y: Array, others: Array) -> Array:
    """scikit-learn's gradient boosting: its threshold tuned, or trained on the quantile, whose slopes it knows."""
    if metric != PINBALL:
        return _tuned(HistGradientBoostingClassifier(random_state=0), metric, X, y, others)
    return HistGradientBoostingRegressor(loss="quantile", quantile=QUANTILE, random_state=0).fit(X, y).predict(others)


def _tuned(model: Any, metric: str, X: Array, y: Array, others: Array) -> Array:
    judged = METRICS[metric]
    scoring = make_scorer(judged.of, greater_is_better=judged.more_is_better)
    tuned = TunedThresholdClassifierCV(model, scoring=scoring, cv=INNER, refit=True, random_state=0)
    return tuned.fit(X, y).predict(others)


METHODS: dict[str, Method] = {
    "distsearch, trained on it": ours,
    "MLP, then tuned": network,
    "HistGradientBoosting, tuned": boosting,
}
