"""The picture of the race: how long each library took to each target, as bars on one logarithmic scale, and under them
the course of each search.

Each library has one colour; what was not reached in time is a hollow bar that ends at the limit. Made from the tables
alone: `python scripts/benchmark_peers/bars.py scripts/peers.csv scripts/peers.svg scripts/peers-courses.csv`; the last
one, without which there are bars alone, has the points of the searches.
"""

import csv
import math
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from courses import MARGIN, WIDTH, Course, courses_of, draw_panels, panels_height
from libraries import COLOURS, DARK, WORKERS, label_of, library_of, spoken
from tasks import TASKS
from vectors import GRID, SOFT, add, drawing, text, written

LEFT, RIGHT = 258, 54  # the bars are between the margins
TOP, HEAD, BAR, GAP = 100, 36, 16, 6
EARLIEST, LATEST = 0.005, 1000.0  # seconds
TICKS = (0.01, 0.1, 1, 10, 100, 1000)


class Bar(NamedTuple):
    """A line of the table."""

    task: str
    who: str  # library and algorithm
    seconds: float | None  # the median of the searches; None if most have not reached the target
    final: str

    @property
    def library(self) -> str:
        """Whose colour it has."""
        return library_of(self.who)

    @property
    def label(self) -> str:
        """What stands beside it."""
        return label_of(self.who)

    @property
    def result(self) -> str:
        """What stands at its end."""
        if self.seconds is None:
            return f"not in {TASKS[self.task].limit:g} s ({float(self.final):.3g})"
        said = f"{self.seconds:.2g} s" if self.seconds < 100 else f"{self.seconds:.0f} s"
        return said + (WORKERS if self.who.endswith(WORKERS) else "")


def bars_of(table: Path) -> list[Bar]:
    """The lines of the races to a target, the quickest of each first."""
    with table.open(encoding="utf-8") as file:
        raced = [row for row in csv.DictReader(file) if TASKS[row["task"]].target != "candidates a second"]
    rows = [row for row in raced if row["final"]]  # without those that failed
    bars = [
        Bar(row["task"], row["who"], float(row["seconds"]) if row["seconds"] else None, row["final"]) for row in rows
    ]
    order = list(TASKS)
    return sorted(bars, key=lambda bar: (order.index(bar.task), math.inf if bar.seconds is None else bar.seconds))


def picture(bars: Sequence[Bar], courses: Sequence[Course] = ()) -> str:
    """The picture as SVG."""
    groups = [(name, list(group)) for name, group in groupby(bars, key=lambda bar: bar.task)]
    height = TOP + sum(HEAD + len(group) * (BAR + GAP) for _, group in groups) + 34
    root = drawing(WIDTH, height + panels_height(courses), "Seconds to the target, by library", "14", DARK)
    text(root, MARGIN, 28, "Seconds to the target, on two cores: shorter is better", font_size="17", font_weight="bold")
    _legend(root, [name for name in COLOURS if any(bar.library == name for bar in bars)])
    bottom = height - 30
    for seconds in TICKS:
        x = _x(seconds)
        add(root, "line", x1=x, x2=x, y1=TOP - 6, y2=bottom, stroke=GRID)
        text(root, x, bottom + 18, f"{seconds:,g} s", fill=SOFT, text_anchor="middle", font_size="13")
    y = float(TOP)
    for name, group in groups:
        task = TASKS[name]
        text(root, MARGIN, y + 18, task.title, font_weight="bold")
        text(root, WIDTH - MARGIN, y + 18, task.target, fill=SOFT, text_anchor="end")
        y += HEAD - 8
        for bar in group:
            _bar(root, y, bar)
            y += BAR + GAP
        y += 8
    draw_panels(root, height, courses)
    return written(root)


def _legend(root: ElementTree.Element, names: Sequence[str]) -> None:
    x = float(MARGIN)
    for name in names:
        said = spoken(name)
        add(root, "rect", x=x, y=45, width=13, height=13, rx=2, fill=COLOURS[name])
        text(root, x + 18, 56.5, said, fill=COLOURS[name], font_size="13", font_weight="bold")
        x += 18 + 8.5 * len(said) + 11
    note = "Medians of five seeds, logarithmic scale. Dashed: not reached (what it had come to)."
    text(root, MARGIN, 80, note, fill=SOFT, font_size="13")


def _bar(root: ElementTree.Element, y: float, bar: Bar) -> None:
    colour, reached = COLOURS[bar.library], bar.seconds is not None
    end = _x(TASKS[bar.task].limit if bar.seconds is None else bar.seconds)
    look = {"fill": colour} if reached else {"fill": "none", "stroke": colour, "stroke_dasharray": "4 3"}
    add(root, "rect", x=LEFT, y=y, width=end - LEFT, height=BAR, rx=2, **look)
    weight = {"font_weight": "bold"} if bar.library == "distsearch" else {}
    text(root, LEFT - 8, y + BAR - 3, bar.label, fill=colour, text_anchor="end", **weight)
    if reached:
        text(root, end + 6, y + BAR - 3, bar.result, **weight)
    else:
        text(root, end - 7, y + BAR - 3, bar.result, fill=colour, text_anchor="end", font_size="13")


def _x(seconds: float) -> float:
    share = math.log(max(seconds, EARLIEST) / EARLIEST) / math.log(LATEST / EARLIEST)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


if __name__ == "__main__":
    table, drawn, *points = map(Path, sys.argv[1:4])
    drawn.write_text(picture(bars_of(table), [each for file in points for each in courses_of(file)]), encoding="utf-8")
