"""The panels of the race's picture: loss or error over time, each search named where its line ends.

Both axes are logarithmic. Of an entry's searches the one of median time is drawn.
"""

import csv
import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from libraries import COLOURS, algorithm_of, library_of
from tasks import TASKS, Task
from vectors import GRID, INK, SOFT, add, text

COLUMNS, PANEL_WIDTH, PANEL_HEIGHT = 2, 345, 236
LEFT, RIGHT, TOP, BOTTOM = 46, 140, 44, 34  # a panel's margins
NAME_GAP = 13  # between two names, in pixels
STEPS = (1, 2, 5)  # of a decade that may have a line


class Course(NamedTuple):
    """What a search had come to, and when."""

    task: str
    who: str
    seconds: tuple[float, ...]
    values: tuple[float, ...]  # the lowest loss, or error on the test examples, so far

    @property
    def time(self) -> float:
        """The seconds to the target; infinite if it was not reached."""
        return self.seconds[-1] if self.values[-1] <= _goal(TASKS[self.task]) * (1 + 1e-6) else math.inf


def courses_of(table: Path) -> list[Course]:
    """The search of median time of each entry, from the table of all searches' points."""
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = []
    for (task, who), entry in groupby(rows, key=lambda row: (row["task"], row["who"])):
        if _goal(TASKS[task]) == 0:
            continue
        searches = [_course(task, who, list(search)) for _, search in groupby(entry, key=lambda row: row["seed"])]
        found.append(sorted(searches, key=lambda each: each.time)[len(searches) // 2])
    return [each for each in found if len(each.seconds) > 1]


def _course(task: str, who: str, rows: Sequence[dict[str, str]]) -> Course:
    lowest, values = math.inf, []
    for row in rows:
        value = float(row["value"])
        lowest = min(lowest, value if TASKS[task].accuracy is None else 1 - value)
        values.append(max(lowest, 1e-6))
    return Course(task, who, tuple(max(float(row["seconds"]), 1e-3) for row in rows), tuple(values))


def _goal(task: Task) -> float:
    """The loss or error to be reached; 0 where there is none."""
    if task.loss is not None:
        return task.loss
    return 0.0 if task.accuracy is None else 1 - task.accuracy


def panels_height(courses: Sequence[Course]) -> float:
    """The pixels that the panels take."""
    tasks = len({each.task for each in courses})
    return math.ceil(tasks / COLUMNS) * PANEL_HEIGHT


def draw_panels(root: ElementTree.Element, top: float, courses: Sequence[Course]) -> None:
    """Draw a panel for each task, from this many pixels below the picture's top on."""
    names = [name for name in TASKS if any(each.task == name for each in courses)]
    for number, name in enumerate(names):
        at = f"translate({number % COLUMNS * PANEL_WIDTH} {top + number // COLUMNS * PANEL_HEIGHT:g})"
        panel = ElementTree.SubElement(root, "g", {"transform": at})
        _Panel(TASKS[name], [each for each in courses if each.task == name]).draw(panel)


class _Panel:
    """A task's panel, and where seconds and values are in it."""

    def __init__(self, task: Task, courses: Sequence[Course]) -> None:
        self.task, self.courses = task, courses
        seconds = [each for course in courses for each in course.seconds]
        values = [_goal(task), *(each for course in courses for each in course.values)]
        self.first, self.last = math.log10(min(seconds)), math.log10(max(seconds))
        self.low, self.high = math.log10(min(values)) - 0.04, math.log10(max(values)) + 0.02
        self.right, self.bottom = PANEL_WIDTH - RIGHT, PANEL_HEIGHT - BOTTOM

    def x(self, seconds: float) -> float:
        """Pixels from the panel's left."""
        return LEFT + (math.log10(seconds) - self.first) / (self.last - self.first) * (self.right - LEFT)

    def y(self, value: float) -> float:
        """Pixels from the panel's top."""
        return self.bottom - (math.log10(value) - self.low) / (self.high - self.low) * (self.bottom - TOP)

    def draw(self, panel: ElementTree.Element) -> None:
        """Draw the axes, the target, the lines and their names."""
        what = "training loss" if self.task.accuracy is None else "test error"
        text(panel, 14, 16, self.task.title, font_weight="bold")
        text(
            panel,
            14,
            32,
            f"{what} against seconds; target {self._said(round(_goal(self.task), 6))}",
            fill=SOFT,
            font_size="11",
        )
        self._draw_axes(panel)
        goal = self.y(_goal(self.task))
        add(panel, "line", x1=LEFT, x2=self.right, y1=goal, y2=goal, stroke=INK, stroke_dasharray="2 3")
        text(panel, LEFT + 3, goal - 4, "target", fill=INK, font_size="10.5")
        for course in sorted(self.courses, key=_is_ours):
            places = " ".join(f"{self.x(s):.1f},{self.y(v):.1f}" for s, v in zip(*course[2:], strict=True))
            colour, width = COLOURS[library_of(course.who)], 2.2 if _is_ours(course) else 1.3
            add(panel, "polyline", points=places, fill="none", stroke=colour, stroke_width=width)
        self._draw_names(panel)

    def _draw_axes(self, panel: ElementTree.Element) -> None:
        for value in _round_numbers(self.low, self.high, 6):
            y = self.y(value)
            add(panel, "line", x1=LEFT, x2=self.right, y1=y, y2=y, stroke=GRID)
            text(panel, LEFT - 5, y + 4, self._said(value), fill=SOFT, text_anchor="end", font_size="10.5")
        for seconds in _round_numbers(self.first, self.last, 4):
            x = self.x(seconds)
            add(panel, "line", x1=x, x2=x, y1=TOP, y2=self.bottom, stroke=GRID)
            text(panel, x, self.bottom + 15, f"{seconds:g} s", fill=SOFT, text_anchor="middle", font_size="10.5")

    def _said(self, value: float) -> str:
        return f"{value:g}" if self.task.accuracy is None else f"{100 * value:g}%"

    def _draw_names(self, panel: ElementTree.Element) -> None:
        """Names beside the panel, in the order of the lines' ends, with a thin line to each end."""
        ends = [(self.y(each.values[-1]), each) for each in self.courses]
        ends.sort(key=lambda end: (round(end[0] / NAME_GAP), -end[1].seconds[-1]))  # so that the lines hardly cross
        places: list[float] = []
        for position, (y, _) in enumerate(ends):
            above = places[-1] + NAME_GAP if places else TOP
            places.append(max(above, min(y, self.bottom - NAME_GAP * (len(ends) - position - 1))))
        for place, (y, course) in zip(places, ends, strict=True):
            colour, end = COLOURS[library_of(course.who)], self.x(course.seconds[-1])
            add(panel, "circle", cx=end, cy=y, r=2.6, fill=colour)
            path = f"M{end:.1f} {y:.1f}L{self.right + 8:g} {place:.1f}"
            add(panel, "path", d=path, fill="none", stroke=colour, stroke_width=0.6, stroke_opacity=0.6)
            weight = {"font_weight": "bold"} if _is_ours(course) else {}
            name = algorithm_of(course.who)
            text(panel, self.right + 11, place + 3.5, name, fill=colour, font_size="10", **weight)


def _is_ours(course: Course) -> bool:
    return library_of(course.who) == "distsearch"


def _round_numbers(low: float, high: float, most: int) -> list[float]:
    """Round numbers between two powers of ten: 1, 2 and 5 of each decade, or fewer."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    for steps in (STEPS, (1, 3), (1,)):
        found = [step * 10.0**decade for decade in decades for step in steps]
        found = [each for each in found if low - 1e-9 <= math.log10(each) <= high + 1e-9]
        if len(found) <= most:
            break
    return found[:: math.ceil(len(found) / most)]
