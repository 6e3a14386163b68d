"""The progress of a running search: a live bar on a terminal, elsewhere a plain line every few seconds."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from distsearch.cli.logs import shown_by
from distsearch.config import RunConfig
from distsearch.objectives.base import Measurement
from distsearch.runs.history import RoundRecord
from distsearch.search.limits import Limits
from distsearch.search.observers import Observer, Round

REFRESH_SECONDS = 0.1
LINE_SECONDS = 5.0


class Reporter(Observer):
    """Shows a search's progress to the user, on stderr."""

    def __init__(
        self, console: Console, config: RunConfig, verbose: bool, measure: Callable[[NDArray[np.float32]], Measurement]
    ) -> None:
        self._console = console
        self._limits = config.stop
        self._rounds = Limits(config.stop).rounds
        self._measure = measure if verbose else None
        self._accuracy: float | None = None
        self._test = False
        self._metrics: dict[str, float] = {}
        self._due = 0.0
        self._latest: tuple[RoundRecord, int] | None = None  # the latest round if not yet shown, with its workers
        self._shown = (0.0, 0.0)  # passes and seconds when last shown
        self._bar = _bar(console) if console.is_terminal else None
        self._shown_by = shown_by(self.say)

    def round(self, done: Round) -> None:
        """Show a round if an update is due."""
        row = done.record
        if row.accuracy is not None:
            self._test = row.test_accuracy is not None
            self._accuracy = row.test_accuracy if self._test else row.accuracy
        self._metrics = row.metrics or self._metrics
        if self._measure and row.accepted:
            self.say(_improvement(row, self._measure(done.after.best.weights)))
        self._latest = row, done.workers
        if row.seconds >= self._due:
            self._show(row, done.workers)

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
            self._bar.stop()
        elif self._latest:
            self._show(*self._latest)

    def _show(self, row: RoundRecord, workers: int) -> None:
        passes, seconds = self._shown
        rate = (row.passes - passes) / max(row.seconds - seconds, 1e-9)
        text = self._line(row, rate, workers)
        self._latest = None
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=self._share(row), text=text, refresh=True)
            self._due = row.seconds + REFRESH_SECONDS
            if row.seconds - seconds < 1:
                return  # the rate is averaged over at least a second
        else:
            self._due = row.seconds + LINE_SECONDS
            if row.round == 0:
                return
            self.say(text)
        self._shown = row.passes, row.seconds

    def _line(self, row: RoundRecord, rate: float, workers: int) -> str:
        parts = [_reached(row)]
        if self._accuracy is not None:
            parts.append(f"{'test ' if self._test else ''}accuracy {self._accuracy:.1%}")
        shown = {name: value for name, value in self._metrics.items() if name.startswith("test-") == self._test}
        parts += [f"{name.replace('test-', 'test ')} {value:.3g}" for name, value in shown.items()]
        if row.non_finite:
            parts.append(f"{row.non_finite} not finite")
        parts += [f"step {row.sigma:.2g}", f"{short(rate)} passes/s", workers_text(workers)]
        return " · ".join(parts)

    def _share(self, row: RoundRecord) -> float:
        """The share used of the nearest limit, from 0 to 1."""
        rounds = (row.round + 1) / self._rounds if self._rounds else 0.0
        seconds = row.seconds / self._limits.seconds if self._limits.seconds else 0.0
        return min(1.0, max(rounds, seconds))


class Reached(NamedTuple):
    """A search's progress, as parsed from a line of its output."""

    rounds: int
    loss: float


def _reached(row: RoundRecord) -> str:
    """The beginning of every progress line; `reached` parses it."""
    return f"round {row.round + 1:,} · loss {row.best_loss:.4g}"


_REACHED = re.compile(r"^round ([\d,]+) · loss (\S+)", re.MULTILINE)


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
            text = f"{what} · round {number + 1:,} of {steps:,}"
            bar.update(bar.task_ids[0], completed=(number + 1) / steps, text=text, refresh=True)

    with bar:
        yield move


def short(number: float) -> str:
    """A number in about four characters: 950, 12.3k, 4.5M."""
    for size, suffix in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{suffix}"
    return f"{number:.3g}"


def workers_text(workers: int) -> str:
    """How many workers there are, in words."""
    return "in this process" if workers == 0 else f"{workers} worker{'s' if workers > 1 else ''}"


def _improvement(row: RoundRecord, measured: Measurement) -> str:
    accuracy = "" if measured.accuracy is None else f", accuracy {measured.accuracy:.4f}"
    return f"new best weights in round {row.round}: loss {row.best_loss:.6f}{accuracy}"


def _bar(console: Console) -> Progress:
    columns = BarColumn(bar_width=20), TextColumn("{task.fields[text]}", markup=False)
    bar = Progress(*columns, console=console, auto_refresh=False, transient=True)
    bar.add_task("", total=1.0, text="starting")
    return bar
