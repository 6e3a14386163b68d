"""Cross-validation: what is tested on what, and what is kept of it when it is stopped."""

import os
import signal

import numpy as np
import pytest

from distsearch.config import from_flags
from distsearch.search import folds
from distsearch.search.data import read_data
from distsearch.search.interrupts import Interrupts

SETTINGS = {"data": "iris", "layers": [3], "rounds": 3, "workers": 0}


def signalled(monkeypatch, at: int) -> None:
    """Let a signal come while the data of a fold is read."""
    read = folds.read_data

    def reading(config, fold):
        if fold[0] == at:
            os.kill(os.getpid(), signal.SIGINT)
        return read(config, fold=fold)

    monkeypatch.setattr(folds, "read_data", reading)


def test_a_signal_between_two_folds_leaves_those_that_are_done(monkeypatch):
    signalled(monkeypatch, 2)
    with Interrupts() as interrupts:
        done = list(folds.cross_validated(from_flags(SETTINGS), 4, (), interrupts))
    assert [result.rounds for result in done] == [3, 3]
    assert interrupts.came == signal.SIGINT


def test_a_signal_before_the_first_fold_is_passed_on(monkeypatch):
    signalled(monkeypatch, 0)
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        next(folds.cross_validated(from_flags(SETTINGS), 4, (), interrupts))


def test_what_there_is_to_say_is_said_once(said, tmp_path):
    lines = [f"{number / 10},00{number % 7},{number % 2}" for number in range(40)]
    (tmp_path / "a.csv").write_text("\n".join(["a,b,kind", *lines]))
    settings = from_flags({**SETTINGS, "data": str(tmp_path / "a.csv")})
    with Interrupts() as interrupts:
        assert len(list(folds.cross_validated(settings, 3, (), interrupts))) == 3
    assert [("00" in line, "rate 0.1" in line) for line in said] == [(True, False), (False, False), (False, True)]


def test_folds_are_tested_on_themselves_not_on_the_source_s_own_test_examples(tmp_path, said):
    features = np.arange(60.0).reshape(20, 3)
    labels = np.arange(20) % 2
    np.savez(tmp_path / "a.npz", x_train=features, y_train=labels, x_test=features[:3] + 0.5, y_test=labels[:3])
    settings = from_flags({**SETTINGS, "data": str(tmp_path / "a.npz"), "scale": "no"})
    parts = [read_data(settings, fold=(number, 4)) for number in range(4)]
    assert [len(part.test.features) for part in parts] == [5, 5, 5, 5]
    tested = np.concatenate([part.test.features for part in parts])
    assert np.array_equal(np.sort(tested, axis=0), features.astype(np.float32))
    assert "its own test examples are not looked at" in parts[0].notes[0]
