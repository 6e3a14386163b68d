"""The comparison of training on a metric with tuning for it, on small tables."""

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    from benchmark_tables import __main__, tables

    def rare(_):
        X, y = load_breast_cancer(return_X_y=True)
        return tables.Table("rare", "F1", X[::2], (y == 0).astype(int)[::2])

    monkeypatch.setitem(tables.TABLES, "rare", rare)
    return __main__


@pytest.mark.filterwarnings("ignore:scipy.optimize:DeprecationWarning")  # of scikit-learn 1.5 under SciPy 1.17
def test_every_method_is_judged_by_the_table_s_metric_and_ranked(benchmark, capsys, tmp_path):
    arguments = ["--only", "rare", "diabetes", "--folds", "2", "--scores", str(tmp_path / "scores")]
    benchmark.main(arguments)
    first = capsys.readouterr().out
    lines = first.splitlines()
    assert lines[2].startswith("| rare, 285 × 30, 36% positive | F1 | ")
    assert min(float(each) for each in re.findall(r"([\d.]+) \(±", lines[2])) > 0.85
    assert lines[3].startswith("| diabetes, 442 × 10 | pinball | ")
    assert max(float(each) for each in re.findall(r"([\d.]+) \(±", lines[3])) < 14  # a constant's is 14.5
    ranks = [float(each) for each in re.findall(r"(\d\.\d\d)", lines[-2])]
    assert sum(ranks) == pytest.approx(6, abs=0.02)
    benchmark.main(arguments)
    assert capsys.readouterr().out == first, "the scores in the file are not made again"
    assert len((tmp_path / "scores").read_text().splitlines()) == 6


def test_more_f1_and_less_pinball_rank_first(benchmark):
    assert benchmark._ranks([0.5, 0.7, 0.6], "F1").tolist() == [3, 1, 2]
    assert benchmark._ranks([0.5, 0.7, 0.6], "pinball").tolist() == [1, 3, 2]


def test_a_missed_one_costs_five_times_a_false_alarm(benchmark):
    from benchmark_tables.tables import mean_cost

    assert mean_cost(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])) == 1.5
