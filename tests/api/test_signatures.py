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

X, y = np.zeros((4, 2)), np.array([0, 1, 0, 1])
result = distsearch.search(X, y, layers=64, strategy="hill-climb", population=8, runs="here", seconds=None)
accuracy: float | None = result.accuracy
loss: float = distsearch.minimize(np.sum, [0.0], sigma=0.5, callbacks=[lambda record: record.best_loss < 1]).loss
best = distsearch.Optimizer("cma-es", [0.0], sigma=0.5).best
again: distsearch.Optimizer = distsearch.Optimizer.load("file")
fitted: distsearch.SearchClassifier = distsearch.SearchClassifier(64, rounds=9).fit(X, y, sample_weight=[1, 2, 1, 1])
weighted: float = distsearch.search(X, y, sample_weight=[1, 2, 1, 1], class_weight={0: 2.0}).loss
reveal_type(distsearch.load("file").history[0].best_loss)
"""
WRONG = PROGRAM.replace("layers=64", "layers=6.5").replace("population=8", 'population="many"')


def test_the_stub_is_made_from_the_settings(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    import signatures

    assert signatures.STUB.read_text(encoding="utf-8") == signatures.stub(), "run scripts/signatures"
    assert {*distsearch.__all__, *distsearch.ESTIMATORS} <= {*dir(distsearch)}


@pytest.mark.slow
def test_a_type_checker_knows_the_settings(tmp_path):
    def checked(program: str) -> str:
        path = tmp_path / "program.py"
        path.write_text(program)
        command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(path)]
        environment = {**os.environ, "MYPYPATH": str(SCRIPTS.parent)}  # where it is not installed but linked to
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        return "\n".join(line for line in done.stdout.splitlines() if line.startswith("program.py"))

    right = checked(PROGRAM)
    assert 'Revealed type is "builtins.float"' in right or 'Revealed type is "float"' in right
    assert "error" not in right
    wrong = checked(WRONG)
    assert 'Argument "layers" to "search" has incompatible type "float"' in wrong
    assert 'Argument "population" to "search" has incompatible type "str"; expected "int"' in wrong
