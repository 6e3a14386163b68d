"""The progress of a running search: a live bar on a terminal, elsewhere a plain line every few seconds."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn

from distsearch.cli.logs import shown_by
from distsearch.config import RunConfig
from distsearch.objectives.base import Measurement
from distsearch.reports.status import (
    LINE_SECONDS,
    LINE_SECONDS_WITHIN,
    RATE_SECONDS,
    REFRESH_SECONDS,
    Status,
    fitting,
)
from distsearch.runs.history import RoundRecord
from distsearch.search.observers import Observer, PartOfRound, Round
from distsearch.strategies.base import State

PICTURE_SECONDS = 0.4
PICTURE_SHARE = 0.2  # of the time

Picture = Callable[[Round], RenderableType]
"""Draws what a round has come to, for the terminal."""


class Reporter(Observer):
    """Shows a search's progress to the user, on stderr."""

    def __init__(
        self,
        console: Console,
        config: RunConfig,
        verbose: bool,
        measure: Callable[[NDArray[np.float32]], Measurement],
        picture: Picture | None = None,
    ) -> None:
        self._console = console
        self._status = Status(config.stop)
        self._measure = measure if verbose else None
        self._due = 0.0
        self._due_within = LINE_SECONDS_WITHIN
        self._latest: tuple[RoundRecord, int] | None = None  # the latest round if not yet shown, with its workers
        self._bar = _bar(console) if console.is_terminal else None
        self._picture = picture
        self._undrawn: Round | None = None  # the latest round if it is not in the picture
        if picture and not self._bar:
            self.say("--live needs a terminal: printing lines instead")
        self._shown_by = shown_by(self.say)

    def started(self, state: State) -> None:
        """Take note of where it begins."""
        self._status.begin(state.round)

    def within(self, part: PartOfRound) -> None:
        """Show how far a round is: on a terminal at once, else once in a while."""
        text = self._status.line_within(part)
        if self._bar:
            share = self._status.share_within(part)
            self._bar.update(self._bar.task_ids[0], completed=share, text=text, refresh=True)
        elif part.seconds >= self._due_within:
            self._due_within = part.seconds + LINE_SECONDS_WITHIN
            self.say(text)

    def round(self, done: Round) -> None:
        """Show a round if an update is due."""
        row = done.record
        self._status.hear(row)
        if self._measure and row.accepted:
            self.say(_improvement(row, self._measure(done.after.best.weights)))
        self._latest = row, done.workers
        if self._picture and self._bar:
            self._undrawn = done
            if row.seconds >= self._due:
                self._draw(self._picture, self._bar, done)
        elif row.seconds >= self._due:
            self._show(row, done.workers)

    def _draw(self, picture: Picture, bar: "_Bar", done: Round) -> None:
        """Draw the picture and the bar anew; that may take a share of the time."""
        began = time.perf_counter()
        bar.picture = picture(done)
        self._show(done.record, done.workers)
        self._undrawn = None
        took = time.perf_counter() - began
        self._due = done.record.seconds + max(PICTURE_SECONDS, took / PICTURE_SHARE)

    def say(self, sentence: str) -> None:
        """Print a line, above the bar."""
        self._console.print(sentence, soft_wrap=True)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
            self._console.show_cursor(True)  # a program ended by a signal could not restore it
        self._shown_by.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shown_by.__exit__(kind, error, trace)
        if self._bar:
            if self._picture and self._undrawn:
                self._draw(self._picture, self._bar, self._undrawn)
            self._bar.stop()
            if self._bar.picture is not None:
                self._console.print(self._bar.picture)
        elif self._latest:
            self._show(*self._latest)

    def _show(self, row: RoundRecord, workers: int) -> None:
        text = self._status.line(row, workers)
        self._latest = None
        if self._bar:
            text = fitting(text, self._console.width - self._bar.width - 1)
            self._bar.update(self._bar.task_ids[0], completed=self._status.share(row), text=text, refresh=True)
            self._due = row.seconds + REFRESH_SECONDS
            self._status.restart_rate(row, at_least=RATE_SECONDS)
            return
        self._due = row.seconds + LINE_SECONDS
        if row.round > 0:
            self.say(text)
            self._status.restart_rate(row)


class Reached(NamedTuple):
    """A search's progress, as parsed from a line of its output, see `reports.status`."""

    rounds: int
    loss: float


_REACHED = re.compile(r"^([\d,]+) rounds? · loss (\S+)", re.MULTILINE)


def reached(log: str) -> Reached | None:
    """The progress from the latest progress line in a log; None if there is none."""
    lines = _REACHED.findall(log)
    return Reached(int(lines[-1][0].replace(",", "")), float(lines[-1][1])) if lines else None


@contextmanager
def steps_shown(console: Console, what: str, steps: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, elsewhere nothing; yields a function to call with the number of each step."""
    if not console.is_terminal or not steps:
        yield lambda number: None
        return
    bar = _bar(console)
    shown = 0.0

    def move(number: int) -> None:
        nonlocal shown
        if time.monotonic() - shown >= REFRESH_SECONDS:
            shown = time.monotonic()
            text = f"{what} · {number + 1:,} of {steps:,} rounds"
            bar.update(bar.task_ids[0], completed=(number + 1) / steps, text=text, refresh=True)

    with bar:
        yield move


def _improvement(row: RoundRecord, measured: Measurement) -> str:
    accuracy = "" if measured.accuracy is None else f", accuracy {measured.accuracy:.4f}"
    return f"new best weights in round {row.round}: loss {row.best_loss:.6f}{accuracy}"


class _Bar(Progress):
    """A bar below a picture, if there is one."""

    picture: RenderableType | None = None

    @property
    def width(self) -> int:
        """The characters that the bar itself takes: fewer on a narrow terminal."""
        return min(20, self.console.width // 6)

    def get_renderables(self) -> Iterator[RenderableType]:
        """What is shown, from top to bottom."""
        if self.picture is not None:
            yield self.picture
        yield from super().get_renderables()


def _bar(console: Console) -> _Bar:
    bar = _Bar(console=console, auto_refresh=False, transient=True)
    bar.columns = BarColumn(bar.width), TextColumn("{task.fields[text]}", markup=False)
    bar.add_task("", total=1.0, text="starting")
    return bar
