"""The printed and written report: a table of all searches, who leads, the same as CSV, and the trajectories."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from math import inf
from pathlib import Path
from typing import Any

from outcomes import Line, Outcome, Verdict
from rich.console import RenderableType
from rich.table import Table

MOST_POINTS = 40  # of a search, in the table of trajectories
COLUMNS = ("reached", "seconds", "range", "candidates", "at the end", "µs each", "of sgemm + exp")


def tables(lines: Sequence[Line]) -> Iterator[RenderableType]:
    """A table per task, headed by its name, with one line per entry; all tables' columns are aligned."""
    width = max(len(line.entry.name) for line in lines)
    for name, group in groupby(lines, key=lambda line: line.task.name):
        own = list(group)
        yield f"\n[bold]{name}[/bold]: {own[0].task.title}, {own[0].task.target}"
        table = Table(box=None, pad_edge=False)
        table.add_column("", no_wrap=True, min_width=width)
        for column in COLUMNS:
            table.add_column(column, justify="right", no_wrap=True, min_width=max(11, len(column)))
        if any(line.failure for line in own):
            table.add_column("", no_wrap=True, overflow="ellipsis")
        for line in own:
            table.add_row(line.entry.name, *_cells(line), line.failure)
        yield table


def _cells(line: Line) -> list[str]:
    rate = line.task.target == "candidates a second"
    return [
        "" if rate else f"{line.reached} of {line.searches}",
        f"{line.rate:,.0f}/s" if rate else _number(line.seconds),
        "" if rate else _range(line),
        "" if rate else _number(line.candidates),
        "" if line.final is None or rate else f"{line.final:.4f}",
        "" if line.microseconds is None else _number(line.microseconds),
        "" if line.share is None else f"{line.share:.0%}",
    ]


def _range(line: Line) -> str:
    return "" if line.fastest == inf else f"{_number(line.fastest)} … {_number(line.slowest)}"


def verdicts_table(verdicts: Iterable[Verdict]) -> Table:
    """One line per task: our best, the best peer, the ratio and the aim."""
    table = Table(box=None, pad_edge=False)
    for name in ("task", "target", "ours", "best peer", "ours : peer", "aim", ""):
        table.add_column(name)
    for each in verdicts:
        table.add_row(
            each.task.name,
            each.task.target,
            _best(each.ours),
            _best(each.peer),
            _ratio(each),
            _aim(each),
            each.text,
        )
    return table


def _ratio(verdict: Verdict) -> str:
    if verdict.ratio is None or verdict.peer is None:
        return ""
    endless = verdict.peer.seconds == inf and verdict.task.target != "candidates a second"
    return f"{'below ' if endless else ''}{verdict.ratio:.3g}"


def _best(line: Line | None) -> str:
    if line is None:
        return "–"
    if line.task.target == "candidates a second":
        return f"{line.rate:,.0f}/s, {line.entry.name}"
    if line.seconds == inf:
        return f"never ({line.final:.3g} at the end), {line.entry.name}"
    return f"{_number(line.seconds)} s, {line.entry.name}"


def _aim(verdict: Verdict) -> str:
    task = verdict.task
    parts = [f"≤ {task.share:.3g}"] if task.share is not None else []
    return " and ".join([*parts, *([f"≤ {task.seconds:g} s"] if task.seconds is not None else [])])


def _number(number: float) -> str:
    if number == inf:
        return "–"
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def write_lines(file: Path, lines: Sequence[Line]) -> None:
    """The table as CSV; cells are empty if a target was not reached."""
    names = ("seconds", "fastest", "slowest", "candidates", "final", "microseconds", "share")
    rows = [
        {
            "task": line.task.name,
            "target": line.task.target,
            "who": line.entry.name,
            "searches": line.searches,
            "reached": line.reached,
            **{name: _finite(getattr(line, name)) for name in names},
            "failure": line.failure,
            "settings": line.entry.settings,
        }
        for line in lines
    ]
    _write(file, rows)


def write_points(file: Path, outcomes: Iterable[Outcome]) -> None:
    """The trajectories of all searches."""
    rows = [
        {
            "task": each.entry.task,
            "who": each.entry.name,
            "seed": each.seed,
            "seconds": f"{seconds:.4g}",
            "candidates": f"{candidates:g}",
            "value": f"{value:.6g}",
        }
        for each in outcomes
        for seconds, candidates, value in thinned(each.points, MOST_POINTS)
    ]
    _write(file, rows)


def thinned(points: Sequence[Sequence[float]], most: int = 400) -> list[Sequence[float]]:
    """At most this many of the points, at equal ratios of their times, including the first and the last."""
    if len(points) <= most:
        return list(points)
    step = (points[-1][0] / max(points[0][0], 1e-4)) ** (1 / (most - 2))
    kept, due = [], 0.0
    for point in points[:-1]:
        if point[0] >= due:
            kept.append(point)
            due = max(point[0], 1e-4) * step
    return [*kept, points[-1]]


def _write(file: Path, rows: Sequence[dict[str, Any]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _finite(value: float | None) -> str:
    return "" if value is None or value == inf else f"{value:.6g}"
