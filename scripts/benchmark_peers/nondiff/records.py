"""The marks of all searches as a CSV file, to which each run of the race adds; and the table's lines as another."""

import csv
import io
from collections.abc import Iterable, Sequence
from itertools import groupby
from math import isinf
from pathlib import Path
from typing import Any

from distsearch.runs.files import write_whole
from nondiff.marks import Mark, Search

COLUMNS = (
    "row",
    "who",
    "workers",
    "seed",
    "part",
    "rounds",
    "seconds",
    "accuracy",
    "loss",
    "weights",
    "failure",
    "machine",
    "command",
)
MARK, END, FAILURE = "mark", "end", "failure"


def merged(before: Iterable[Search], found: Iterable[Search]) -> list[Search]:
    """All searches; of those of the same row, entry, workers and seed the later one, unless it ran for speed alone."""
    searches = {_key(each): each for each in before}
    for each in found:
        there = searches.get(_key(each))
        if each.end is not None or there is None or there.end is None:
            searches[_key(each)] = each
    return [searches[key] for key in sorted(searches)]


def _key(search: Search) -> tuple[str, str, int, int]:
    return search.row, search.who, search.workers, search.seed


def write_searches(file: Path, searches: Iterable[Search]) -> None:
    """Write a line for each mark, and one for the end or the failure."""
    write_rows(file, [line for search in searches for line in _lines(search)], COLUMNS)


def _lines(search: Search) -> list[dict[str, Any]]:
    common = {"row": search.row, "who": search.who, "workers": search.workers, "seed": search.seed}
    lines = [{**common, "part": MARK, **_cells(mark)} for mark in search.marks]
    how = {"machine": search.machine, "command": search.command}
    if search.end is not None:
        lines.append({**common, "part": END, **_cells(search.end), **how})
    if search.failure:
        lines.append({**common, "part": FAILURE, "failure": search.failure, **how})
    return lines


def _cells(mark: Mark) -> dict[str, Any]:
    loss = "" if mark.loss is None else f"{mark.loss:.6g}"
    return {**mark._asdict(), "seconds": f"{mark.seconds:.3f}", "accuracy": f"{mark.accuracy:.6g}", "loss": loss}


def read_searches(file: Path) -> list[Search]:
    """The searches of such a file; none if it does not exist."""
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    searches = []
    for (row, who, workers, seed), group in groupby(
        lines, lambda line: (line["row"], line["who"], int(line["workers"]), int(line["seed"]))
    ):
        own = list(group)
        marks = tuple(_mark(line) for line in own if line["part"] == MARK)
        end = next((_mark(line) for line in own if line["part"] == END), None)
        failure = next((line["failure"] for line in own if line["part"] == FAILURE), "")
        how = own[-1]["machine"], own[-1]["command"]
        searches.append(Search(row, who, workers, seed, marks, end, failure, *how))
    return searches


def _mark(line: dict[str, str]) -> Mark:
    loss = float(line["loss"]) if line["loss"] else None
    return Mark(int(line["rounds"]), float(line["seconds"]), float(line["accuracy"]), loss, line["weights"])


def write_rows(file: Path, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    """Write rows as CSV, whole or not at all; infinite numbers are left out."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _finite(value) for name, value in row.items()} for row in rows)
    write_whole(file, stream.getvalue().encode())


def _finite(value: Any) -> Any:
    return "" if isinstance(value, float) and isinf(value) else value
