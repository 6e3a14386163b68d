"""The plain progress lines of a search without a terminal, and how they are read back."""

import io

import numpy as np
import pytest
from rich.console import Console

from distsearch.cli.progress import Reporter, reached
from distsearch.config import RunConfig
from distsearch.config.sections import StopConfig
from distsearch.reports.status import Status
from distsearch.runs.history import RoundRecord
from distsearch.search.observers import PartOfRound, Round


def record(number: int, loss: float, seconds: float) -> RoundRecord:
    return RoundRecord(number, 32 * (number + 1), seconds, loss, loss, True, 0.1)


def reported(*rows: RoundRecord) -> str:
    console = Console(file=io.StringIO(), width=200)
    with Reporter(console, RunConfig(), False, lambda state: None) as reporter:
        for row in rows:
            reporter.round(Round(row, np.zeros(0), None, 2))
        reporter.say("a sentence · loss 7")
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("number", "loss"), [(1, 0.5), (999, 12.25), (1_234_567, 1e-300), (5, 2.5e20), (2, -3.5), (3, float("inf"))]
)
def test_a_progress_line_is_read_back(number, loss):
    assert reached(reported(record(number, loss, 9.0))) == (number + 1, loss)


def test_the_last_round_is_printed_at_the_end_and_is_the_one_read_back():
    rows = [record(number, 1 / (number + 1), 0.01 * number) for number in range(40)]
    text = reported(*rows)
    assert text.count("rounds ") == 1
    assert reached(text) == (40, 0.025)


def test_no_line_is_printed_twice():
    assert reported(record(0, 1.0, 0.0), record(7, 0.5, 6.0)).count("rounds ") == 1


def test_a_log_without_progress_gives_nothing():
    assert reached("") is None
    assert reached("new best weights in round 3: loss 0.1\nbackground 3 rounds · loss 4\n") is None


@pytest.mark.parametrize(("width", "parts"), [(60, 3), (80, 4), (120, 6)])
def test_a_bar_stays_beside_the_parts_of_the_line_that_fit(width, parts):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    with Reporter(console, RunConfig(), False, lambda state: None) as reporter:
        measured = RoundRecord(11_555, 1, 2.0, 1.058, 1.058, True, 1e-7, accuracy=0.41)
        reporter.round(Round(measured, np.zeros(0), None, 0))
    line = next(line for line in console.file.getvalue().splitlines() if "11,556 rounds" in line)
    assert line.count("━") + line.count("╺") + line.count("╸") == min(20, width // 6)
    assert line.rstrip().count(" · ") == parts - 1


def test_a_picture_and_its_bar_are_drawn_together_now_and_then():
    drawn = []
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)

    def picture(done):
        drawn.append(done.record.round)
        return f"<picture {done.record.round}>"

    with Reporter(console, RunConfig(), False, lambda state: None, picture) as reporter:
        for number in range(300):
            reporter.round(Round(record(number, 1.0, number / 100), np.zeros(0), None, 0))
    assert drawn[:2] == [0, 40]
    assert drawn[-1] == 299
    shown = console.file.getvalue()
    assert shown.count("<picture 40>") == shown.count(" 41 rounds") == 1
    assert shown.rstrip().endswith("<picture 299>")


def test_a_long_round_is_shown_once_a_minute():
    console = Console(file=io.StringIO(), width=200)
    with Reporter(console, RunConfig(), False, lambda state: None) as reporter:
        reporter.round(Round(record(6, 0.5, 2.0), np.zeros(0), None, 2))
        for seconds in range(3, 200):
            reporter.within(PartOfRound(seconds * 10, 30_000, left=8000.0, seconds=float(seconds)))
    lines = console.file.getvalue().splitlines()
    assert [line for line in lines if " of the next" in line] == [
        "7 rounds and 2% of the next · about 2.22 h left",
        "7 rounds and 4% of the next · about 2.22 h left",
        "7 rounds and 6% of the next · about 2.22 h left",
    ]


@pytest.mark.parametrize(("stop", "share"), [({"rounds": 4}, 0.4), ({"seconds": 50.0}, 0.5), ({"rounds": 2}, 0.8)])
def test_the_bar_moves_within_a_round(stop, share):
    status = Status(StopConfig(**stop))
    status.hear(record(0, 1.0, 20.0))
    assert status.share_within(PartOfRound(6, 10, left=9.0, seconds=25.0)) == pytest.approx(share)


def test_the_first_round_is_named_as_such():
    assert Status(StopConfig()).line_within(PartOfRound(1, 4, left=None, seconds=1.0)) == "25% of the first round"
