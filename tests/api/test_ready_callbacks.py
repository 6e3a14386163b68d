"""Progress and EarlyStopping."""

import io
import os
import pty
import re
import sys

import numpy as np
import pytest
from problems import sphere
from programs import ran
from waiting import PATIENCE, running

import distsearch
from distsearch.api import progress
from distsearch.callbacks import EarlyStopping, Progress
from distsearch.errors import SettingError
from distsearch.randomness import Stream, noise
from distsearch.search.limits import CALLBACK

FEATURES = noise(5, Stream.DATA, 0, 0, 60, 2)
LABELS = (FEATURES[:, 0] > 0).astype(int)


def minimize(*callbacks, rounds=40, **settings):
    return distsearch.minimize(sphere, np.zeros(4), rounds=rounds, workers=0, callbacks=callbacks, **settings)


def search(*callbacks, **settings):
    settings = {"layers": [3], "rounds": 30, "measure_every": 2, "workers": 0, **settings}
    return distsearch.search(FEATURES, LABELS, callbacks=callbacks, **settings)


def rounds_without_improvement(values: list[float], least: float) -> list[int]:
    """At each value, how many have passed since the last that was lower than all before it by more than `least`."""
    best, count, counts = np.inf, 0, []
    for value in values:
        count = 0 if value < best - least else count + 1
        best = min(best, value) if count == 0 else best
        counts.append(count)
    return counts


def test_patience_counts_rounds_that_improve_by_less_than_min_delta():
    losses = [row.best_loss for row in minimize().history]
    expected = rounds_without_improvement(losses, 0.05).index(3) + 1
    found = minimize(EarlyStopping(patience=3, min_delta=0.05))
    assert (len(found.history), found.summary.reason) == (expected, "callback")
    assert len(minimize(EarlyStopping(np.int64(3), min_delta=1e9)).history) == 4


def test_accuracy_is_maximised_and_counted_only_where_it_is_measured():
    rows = search().history
    measured = [(row.round, -row.accuracy) for row in rows if row.accuracy is not None]
    at = rounds_without_improvement([each for _, each in measured], 0.0).index(2)
    found = search(EarlyStopping(patience=2, monitor="accuracy"))
    assert found.history[-1].round == measured[at][0]


def test_a_target_ends_the_search_at_once():
    found = search(EarlyStopping(target=0.75, monitor="accuracy"))
    measured = [row.accuracy for row in found.history if row.accuracy is not None]
    assert [each >= 0.75 for each in measured] == [False] * (len(measured) - 1) + [True]
    falling = minimize(EarlyStopping(target=1.0))
    assert [row.best_loss <= 1.0 for row in falling.history] == [False] * (len(falling.history) - 1) + [True]


def test_one_object_can_be_reused_for_several_searches():
    stopping = EarlyStopping(patience=3, min_delta=0.05)
    assert len(minimize(stopping).history) == len(minimize(stopping).history)


def test_a_quantity_that_is_never_measured_is_reported(said):
    with pytest.raises(SettingError, match="test_accuracy is not measured here: give a test_share"):
        search(EarlyStopping(patience=3, monitor="test_accuracy"))
    with pytest.raises(SettingError, match="unknown quantity 'acuracy': did you mean 'accuracy'?"):
        search(EarlyStopping(patience=3, monitor="acuracy"))
    for searched in (search, minimize):
        with pytest.raises(SettingError, match="unknown quantity 'val_loss': did you mean 'validation_loss'"):
            searched(EarlyStopping(patience=3, monitor="val_loss"))
        with pytest.raises(SettingError, match="validation_loss is not measured here: give a validation_share"):
            searched(EarlyStopping(patience=3, monitor="validation_loss"))
    found = search(EarlyStopping(patience=1, monitor="validation_loss"), validation_share=0.3)
    assert found.summary.reason == CALLBACK
    found = search(EarlyStopping(target=0.1, monitor="f1"), metrics=["f1"])
    assert found.summary.reason == CALLBACK
    minimize(EarlyStopping(patience=3, monitor="accuracy"), rounds=2)
    assert said[-1:] == ["EarlyStopping: accuracy was never measured, so it has not ended the search"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "expected a patience or a target, got neither"),
        ({"patience": 0}, "expected patience to be a whole number above 0, got 0"),
        ({"patience": 2.5}, "expected patience to be a whole number above 0, got 2.5"),
        ({"patience": True}, "expected patience to be a whole number above 0, got True"),
        ({"patience": 2, "min_delta": -1}, "expected min_delta to be at least 0, got -1"),
        ({"target": float("nan")}, "expected target to be a finite number, got nan"),
        ({"target": "low"}, "expected target to be a finite number, got 'low'"),
        ({"patience": 2, "mode": "up"}, 'expected mode to be "min" or "max", got \'up\''),
        ({"patience": 2, "monitor": None}, "expected monitor to be a name, got None"),
    ],
)
def test_invalid_arguments_are_refused(arguments, sentence):
    with pytest.raises(SettingError, match=f"^EarlyStopping: {sentence}$"):
        EarlyStopping(**arguments)


def test_without_a_terminal_progress_prints_only_a_last_line(capsys):
    found = minimize(Progress())
    [line] = capsys.readouterr().err.splitlines()
    last = found.history[-1]
    assert line.startswith(f"{len(found.history)} rounds · loss {last.best_loss:.4g} · step {last.sigma:.2g} · ")
    assert re.fullmatch(r".* calls/s · in this process", line)


def test_a_script_shows_no_progress(capsys):
    minimize()
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_one_line_is_overwritten_cut_to_the_width_and_erased(monkeypatch):
    monkeypatch.setenv("COLUMNS", "31")
    stream = io.TextIOWrapper(raw := io.BytesIO(), encoding="ascii")
    display = progress.Terminal(stream)
    display.show(0.5, "1 round · loss 2")
    display.close("")
    assert raw.getvalue() == b"\r\x1b[K[##########..........] 1 round\r\x1b[K"


def test_an_interactive_session_shows_progress_unless_told_otherwise(tmp_path):
    lines = (
        "import numpy as np, distsearch",
        "search = lambda *given: distsearch.minimize(np.sum, [0.0], rounds=2, workers=0, callbacks=given)",
        "print('first', search().summary.rounds)",
        "print('second', search(distsearch.callbacks.Progress(show=False)).summary.rounds)",
        "exit()",
    )
    said = typed(lines, tmp_path)
    assert "first 2" in said
    assert "second 2" in said
    assert said.count("[##########..........] 1 round ") == 1


def typed(lines, cwd) -> str:
    """What an interactive Python prints on a terminal (without echo) into which these lines are typed."""
    outside, inside = pty.openpty()
    environment = {**os.environ, "PYTHON_BASIC_REPL": "1", "TERM": "dumb"}
    command = [sys.executable, "-q", "-i"]
    with running(command, stdin=inside, stdout=inside, stderr=inside, cwd=cwd, env=environment) as process:
        os.close(inside)
        os.write(outside, "".join(f"{line}\n" for line in lines).encode())
        said = b""
        while True:
            try:
                said += os.read(outside, 65536)
            except OSError:  # the terminal is closed
                break
        process.wait(PATIENCE)
    os.close(outside)
    return said.decode()


def test_importing_callbacks_imports_no_tracker_package(tmp_path):
    program = (
        "import sys, distsearch.callbacks; print({'mlflow', 'wandb', 'tensorboardX', 'IPython'} & set(sys.modules))"
    )
    assert ran(program=program, cwd=tmp_path, fresh=True).stdout == "set()\n"
