"""SIGINT and SIGTERM in a program that calls searches: the work is saved, then the signal goes to the program."""

import os
import re
import signal

import numpy as np
import pytest
from problems import sphere
from programs import ran, started
from waiting import PATIENCE

import distsearch
from distsearch import SearchRegressor
from distsearch.runs.directory import StoredRun
from distsearch.search.observers import History

pytestmark = pytest.mark.slow

ENDLESS = 1_000_000_000  # rounds


def interrupting(number: int, calls: int):
    """A function that sends its own process a signal at its `calls`-th call."""
    count = 0

    def loss(weights: np.ndarray) -> float:
        nonlocal count
        count += 1
        if count == calls:
            os.kill(os.getpid(), number)
        return sphere(weights)

    return loss


def test_ctrl_c_saves_the_run_and_is_raised_again(tmp_path):
    with pytest.raises(KeyboardInterrupt) as raised:
        distsearch.minimize(
            interrupting(signal.SIGINT, 200), [0.0], rounds=ENDLESS, workers=0, name="a", runs=str(tmp_path)
        )
    result = StoredRun(tmp_path / "a").result
    assert result.reason == "interrupted"
    assert result.rounds == 6  # of 32 candidates
    found = raised.value.result
    assert (found.summary, len(found.history)) == (result, 6)
    assert sphere(found.weights) == found.loss


def test_a_network_search_does_so_too(tmp_path, monkeypatch):
    from distsearch.api import outcome

    class Killing(History):
        def round(self, done):
            super().round(done)
            if done.record.round == 3:
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(outcome, "History", Killing)
    with pytest.raises(KeyboardInterrupt) as raised:
        distsearch.search([[0.0], [1.0]], [0, 1], rounds=ENDLESS, workers=0, name="a", runs=str(tmp_path))
    assert StoredRun(tmp_path / "a").result.rounds == 4
    assert raised.value.result.predict([[0.0]]).shape == (1,)


def test_an_interrupted_estimator_is_fitted_with_what_was_found():
    def killing(record):
        if record.round == 3:
            os.kill(os.getpid(), signal.SIGINT)

    estimator = SearchRegressor(rounds=ENDLESS, callbacks=[killing])
    with pytest.raises(KeyboardInterrupt) as raised:
        estimator.fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
    assert raised.value.result is estimator.result_
    assert estimator.n_iter_ == 4
    assert estimator.predict([[0.0]]).shape == (1,)


def test_a_second_ctrl_c_that_breaks_off_the_end_loses_nothing_either():
    def twice(record):
        if record.round == 3:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as raised:
        distsearch.minimize(sphere, [0.0], rounds=ENDLESS, workers=0, callbacks=[twice])
    assert raised.value.result.summary.rounds == 4


def test_the_program_s_own_handler_is_called_and_the_result_returned():
    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        result = distsearch.minimize(interrupting(signal.SIGTERM, 200), [0.0], rounds=ENDLESS, workers=0)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]
    assert result.summary.reason == "interrupted"
    assert len(result.history) == 6


LOOP = """
import tempfile, sys, distsearch
tempfile.tempdir = "temporary"
for number in range(1000):
    distsearch.minimize(lambda weights: float((weights**2).sum()), [1.0], rounds=20, workers=0)
    if number == 2:
        print("third", flush=True)
    if number >= 2:
        distsearch.minimize(lambda weights: float((weights**2).sum()), [1.0], rounds=10**9, workers=0, name="a")
"""


CATCHING = """
import distsearch
told = lambda record: print("round", flush=True) if record.round == 5 else None
try:
    distsearch.minimize(lambda w: float((w**2).sum()), [1.0], rounds=10**9, workers=0, callbacks=[told])
except KeyboardInterrupt as stopped:
    result = stopped.result
print(result.summary.reason, result.loss == float(result.weights[0] ** 2), len(result.history) > 5)
"""


def test_a_script_that_catches_ctrl_c_has_the_result(tmp_path):
    with started(cwd=tmp_path, program=CATCHING) as process:
        assert process.stdout.readline() == "round\n"
        process.send_signal(signal.SIGINT)
        shown, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told
    assert shown == "interrupted True True\n"


IN_THE_FIRST_ROUND = """
import os, signal, numpy as np, distsearch
losses, measured = [], []
def distance(weights):
    losses.append(float(np.square(weights - 1).sum()))
    if len(losses) == 20:
        os.kill(os.getpid(), signal.SIGINT)
    return losses[-1]
def squares(outputs, classes):
    measured.append(float(np.square(outputs[:, 0] - classes).mean()))
    if len(measured) == {call}:
        os.kill(os.getpid(), signal.SIGINT)
    return measured[-1]
X, y = np.random.default_rng(0).normal(size=(50, 2)), np.arange(50) % 2
try:
    distsearch.{called}
except KeyboardInterrupt as stopped:
    result = stopped.result
print(result.summary.reason, result.summary.rounds, result.loss)
print({lowest})
"""


@pytest.mark.parametrize(
    ("called", "call", "lowest", "told"),
    [
        ("minimize(distance, np.zeros(3), workers=0)", 0, "min(losses[:15])", "the best of 15 of its 32 candidates"),
        ("search(X, y, loss=squares, workers=0)", 12, "result.evaluate(X, y).loss", "the start"),
        ("search(X, y, loss=squares, workers=0, batch=9)", 12, "result.evaluate(X, y).loss", "the start"),
    ],
)
def test_ctrl_c_in_the_first_round_keeps_the_best_of_it_or_measures_the_start(tmp_path, called, call, lowest, told):
    done = ran(cwd=tmp_path, program=IN_THE_FIRST_ROUND.format(called=called, call=call, lowest=lowest))
    found, expected = done.stdout.splitlines()
    assert found == f"interrupted 0 {expected}"
    assert done.stderr.strip() == f"interrupted in the first round: the result is {told}"


ENDING = r"Traceback .*\nKeyboardInterrupt(\nWhat the search had found is the `result` of this exception[^\n]*)?"


@pytest.mark.parametrize(("number", "ending"), [(signal.SIGINT, ENDING), (signal.SIGTERM, "")])
def test_a_script_of_many_searches_ends_as_it_would_without_them(tmp_path, number, ending):
    (tmp_path / "temporary").mkdir()
    with started(cwd=tmp_path, program=LOOP) as process:
        assert process.stdout.readline() == "third\n"
        process.send_signal(number)
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == -number
    assert re.fullmatch(ending, told.strip(), re.DOTALL)
    assert not list((tmp_path / "temporary").iterdir())
