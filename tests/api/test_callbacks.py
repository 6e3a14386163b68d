"""Callbacks of `search` and `minimize`."""

import time

import numpy as np
import pytest
from problems import sphere

import distsearch
from distsearch.callbacks import EarlyStopping
from distsearch.errors import SettingError
from distsearch.randomness import Stream, noise
from distsearch.runs.directory import StoredRun
from distsearch.search import underway
from distsearch.workers import pieces

FEATURES = noise(5, Stream.DATA, 0, 0, 60, 2)
LABELS = (FEATURES[:, 0] > 0).astype(int)


def minimize(**settings):
    return distsearch.minimize(sphere, np.zeros(4), rounds=20, workers=0, **settings)


def test_a_function_is_called_after_every_round_and_changes_nothing():
    heard = []
    found = minimize(callbacks=[heard.append])
    assert heard == found.history
    assert found.weights.tobytes() == minimize().weights.tobytes()
    assert found.summary.reason == "rounds"


def test_returning_true_ends_the_search_after_that_round():
    found = minimize(callbacks=lambda record: record.round == 6)
    assert (len(found.history), found.summary.reason) == (7, "callback")
    assert len(minimize(callbacks=lambda record: np.float64(record.round) == 2).history) == 3  # NumPy's True
    assert minimize(callbacks=[lambda record: 1]).summary.reason == "rounds"
    assert minimize(callbacks=None).summary.reason == "rounds"


def test_an_object_is_called_for_the_methods_it_has(tmp_path):
    class Heard:
        def __init__(self):
            self.said = []

        def started(self, state):
            self.said.append(("started", state.round))

        def round(self, done):
            self.said.append(("round", done.record.round, done.losses.shape))

        def ended(self, result):
            self.said.append(("ended", result.rounds))

    heard = Heard()
    distsearch.search(
        FEATURES, LABELS, layers=[3], strategy="hill-climb", rounds=2, population=5, workers=0, callbacks=[heard]
    )
    assert heard.said == [("started", 0), ("round", 0, (5,)), ("round", 1, (5,)), ("ended", 2)]


def test_it_is_told_how_far_a_long_round_is(monkeypatch):
    class Patient:
        parts = ()

        def within(self, part):
            self.parts += (part.answered, part.units)

    monkeypatch.setattr(underway, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(underway, "EVERY", 0.0)
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 0.0)
    patient = Patient()
    minimize(callbacks=patient, population=4, strategy="random-search")
    assert patient.parts[:6] == (1, 4, 2, 4, 3, 4)


def test_an_object_hears_that_the_first_round_was_given_up(monkeypatch):
    now = [100.0]

    def slow(weights):
        now[0] += 0.2
        return float(np.square(weights - 1).sum())

    class Hearing:
        def cut(self, state, spent):
            self.best = state.best.loss

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    hearing = Hearing()
    found = distsearch.minimize(slow, np.zeros(3), seconds=1, workers=0, callbacks=hearing)
    assert hearing.best == found.loss < 3


def test_an_exception_in_a_callback_reaches_the_caller_and_the_run_is_saved(tmp_path):
    def fails(record):
        if record.round == 4:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine") as raised:
        minimize(callbacks=[fails], runs=str(tmp_path), name="a")
    assert [record.round for record in StoredRun(tmp_path / "a").history()] == [0, 1, 2, 3, 4]
    assert raised.value.result.summary.rounds == 5
    assert "What the search had found" in raised.value.__notes__[-1]


def test_a_run_records_that_a_callback_ended_it(tmp_path):
    settings = {"layers": [3], "workers": 0, "runs": str(tmp_path), "name": "a"}
    distsearch.search(FEATURES, LABELS, rounds=9, callbacks=[lambda record: record.round == 3], **settings)
    stored = StoredRun(tmp_path / "a")
    assert stored.result is not None
    assert (stored.result.reason, stored.result.rounds) == ("callback", 4)


@pytest.mark.parametrize("callbacks", [3, [None], ["print"], "print"])
def test_a_callback_that_is_not_callable_is_refused(callbacks):
    with pytest.raises(SettingError, match="callbacks: expected functions of a round's record"):
        minimize(callbacks=callbacks)


async def never_awaited(record):
    return True


def never_run(record):
    yield True


@pytest.mark.parametrize(("callback", "why"), [(never_awaited, "is async"), (never_run, "yields")])
def test_a_callback_whose_lines_would_never_run_is_refused(callback, why):
    with pytest.raises(SettingError, match=f"got <function {callback.__name__} .*, which {why}: nobody"):
        minimize(callbacks=[callback])


def test_a_class_in_the_place_of_its_object_is_refused():
    with pytest.raises(SettingError, match=r"got the class EarlyStopping: make one with EarlyStopping\(…\)$"):
        minimize(callbacks=[EarlyStopping])
