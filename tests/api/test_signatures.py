"""The stub of the public functions: made from the declared settings, and understood by a type checker."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import distsearch

SCRIPTS = Path(__file__).parents[2] / "scripts"

PROGRAM = """
import numpy as np

import distsearch
from distsearch.search.verification import Verdict

X, y = np.zeros((4, 2)), np.array([0, 1, 0, 1])
result = distsearch.search(X, y, layers=64, strategy="hill-climb", population=8, runs="here", seconds=None)
accuracy: float | None = result.accuracy
loss: float = distsearch.minimize(np.sum, [0.0], sigma=0.5, callbacks=[lambda record: record.best_loss < 1]).loss
best = distsearch.Optimizer("cma-es", [0.0], sigma=0.5).best
again: distsearch.Optimizer = distsearch.Optimizer.load("file")
fitted: distsearch.SearchClassifier = distsearch.SearchClassifier(64, rounds=9).fit(X, y, sample_weight=[1, 2, 1, 1])
weighted: float = distsearch.search(X, y, sample_weight=[1, 2, 1, 1], class_weight={0: 2.0}).loss
tuned = distsearch.search(X, y, start=result, sample_weight=np.ones(4)).predict(X)
accuracy = distsearch.resume("run", X, y, rounds=5).accuracy
center = distsearch.resume("run", function=np.sum, seconds=1.5).center
own = distsearch.search(X, y, loss=lambda outputs, classes: 0.0, metrics=[np.mean, "f1"], positive=1).loss
costly = distsearch.search(X, y, loss="expected-cost", costs={0: {0: 0.0, 1: 1.0}, 1: {0: 5.0, 1: 0.0}}).loss
verdict: Verdict = distsearch.verify("run", X, y, rounds="all")
same: bool = verdict.identical
reveal_type(distsearch.load("file").history[0].best_loss)
"""
WRONG = (
    PROGRAM.replace("layers=64", "layers=6.5")
    .replace("population=8", 'population="many"')
    .replace('rounds="all"', 'rounds="some"')
)


def test_the_stub_is_up_to_date_with_the_settings(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    import signatures

    assert signatures.STUB.read_text(encoding="utf-8") == signatures.stub(), "run scripts/signatures"
    assert {*distsearch.__all__, *distsearch.ESTIMATORS} <= {*dir(distsearch)}


@pytest.mark.slow
def test_a_type_checker_knows_the_settings(tmp_path):
    """One run for both programs; its cache of the packages they import is kept between test runs."""
    for name, program in (("right", PROGRAM), ("wrong", WRONG)):
        (tmp_path / f"{name}.py").write_text(program)
    cache = SCRIPTS.parent / ".mypy_cache" / "outside"
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(cache), "right.py", "wrong.py"]
    environment = {**os.environ, "MYPYPATH": str(SCRIPTS.parent)}  # where it is not installed but linked to
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    found = {
        name: "\n".join(line for line in done.stdout.splitlines() if line.startswith(f"{name}.py"))
        for name in ("right", "wrong")
    }
    assert 'Revealed type is "builtins.float"' in found["right"] or 'Revealed type is "float"' in found["right"]
    assert "error" not in found["right"]
    assert 'Argument "layers" to "search" has incompatible type "float"' in found["wrong"]
    assert 'Argument "population" to "search" has incompatible type "str"; expected "int"' in found["wrong"]
    assert 'Argument "rounds" to "verify" has incompatible type' in found["wrong"]
