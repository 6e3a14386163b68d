"""The comparison with scikit-learn's classifiers on a small table."""

import re
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    import benchmark_estimators

    return benchmark_estimators


@pytest.mark.filterwarnings("ignore:scipy.optimize:DeprecationWarning")  # of scikit-learn 1.5 under SciPy 1.17
def test_every_method_is_ranked(benchmark, capsys):
    benchmark.main(["--only", "wine", "--folds", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].count("|") == 2 + len(benchmark.METHODS)
    assert lines[2].startswith("| wine, 178 × 13, 3 classes | ")
    accuracies = [float(each) for each in re.findall(r"([\d.]+)%", lines[2])]
    assert min(accuracies) > 90
    ranks = [float(each) for each in re.findall(r"(\d\.\d\d)", lines[3])]
    assert sum(ranks) == 15  # of five methods
    assert ranks[int(np.argmax(accuracies))] == min(ranks)


def test_a_keel_table_gets_a_column_for_each_text_value(benchmark, tmp_path):
    (tmp_path / "t.dat").write_text("1.5, red, yes\n2, blue, no\n\n-3, red, yes\n")
    X, y = benchmark.keel_table(tmp_path / "t.dat")
    assert X.tolist() == [[1.5, 0, 1], [2, 1, 0], [-3, 0, 1]]
    assert y.tolist() == ["yes", "no", "yes"]
