"""The ten tables and what each is judged by.

They were chosen before anything was trained on them: by rows (250 to 5,000 of them, so that five folds say something
and a run takes minutes), by something to learn, and by a reason for their metric. Six have a rare class, of 6% to 29%.
The two with costs are Statlog's, which come with this matrix. The two with numbers have errors of unequal size.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from keel_tables import keel_table
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes
from sklearn.metrics import f1_score, mean_pinball_loss

Array = NDArray[Any]

PINBALL = "pinball"
QUANTILE = 0.9
COSTS = ((0.0, 1.0), (5.0, 0.0))
"""Of predictions, in columns, for the classes 0 and 1: to give a bad customer credit costs five times a lost one."""
WHOLE_WEIGHT = 6  # the column; before it F, I and M for the sex, length, diameter and height

RARE = ("abalone9-18", "ecoli3", "vehicle1", "yeast1", "yeast3", "yeast-0-5-6-7-9_vs_4")


class Table(NamedTuple):
    """Features, (rows, features), and targets, (rows,): the classes 0 and 1, which is the positive one, or numbers."""

    name: str
    metric: str
    X: Array
    y: Array


class Metric(NamedTuple):
    """What predictions are judged by: `of(true, predicted)`."""

    name: str
    of: Callable[[Array, Array], float]
    more_is_better: bool = False


def mean_cost(true: Array, predicted: Array) -> float:
    """What the predictions cost, per row."""
    return float(np.mean(np.array(COSTS)[true, predicted]))


METRICS = {
    metric.name: metric
    for metric in (
        Metric("F1", lambda true, predicted: float(f1_score(true, predicted, zero_division=0)), more_is_better=True),
        Metric("expected cost", mean_cost),
        Metric(PINBALL, lambda true, predicted: float(mean_pinball_loss(true, predicted, alpha=QUANTILE))),
    )
}


def _rare(name: str) -> Callable[[Path], Table]:
    def read(data: Path) -> Table:
        X, y = keel_table(data / "imbalanced" / "raw" / f"{name}.dat")
        return Table(name, "F1", X, (y == "positive").astype(int))

    return read


def _with_costs(name: str) -> Callable[[Path], Table]:
    def read(data: Path) -> Table:
        X, y = keel_table(data / "balanced" / "raw" / f"{name}.dat")
        return Table(name, "expected cost", X, (y == "2").astype(int))  # 1: good or healthy, 2: bad or ill

    return read


def _abalone(data: Path) -> Table:
    """The whole weight from sex, length, diameter and height."""
    X, _ = keel_table(data / "imbalanced" / "raw" / "abalone19.dat")
    return Table("abalone's weight", PINBALL, X[:, :WHOLE_WEIGHT], X[:, WHOLE_WEIGHT])


def _diabetes(_: Path) -> Table:
    return Table("diabetes", PINBALL, *load_diabetes(return_X_y=True))


TABLES: dict[str, Callable[[Path], Table]] = {
    **{name: _rare(name) for name in RARE},
    **{name: _with_costs(name) for name in ("german", "heart")},
    "abalone": _abalone,
    "diabetes": _diabetes,
}
