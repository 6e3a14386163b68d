"""The panels of the race's picture: loss or error over time, each search named where its line ends.

Both axes are logarithmic. Of an entry's searches the one of median time is drawn. A line that ends at the target has
its name below, on a thin stem; one that ends above it has its name to the right.
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

WIDTH, MARGIN = 600, 14  # of the picture
LEFT, RIGHT, TOP, PLOT = 58, 118, 54, 170  # a panel's margins, and the height of the lines in it
LEVEL, AXIS = 17, 50  # of a name, and of what is below the names
LETTER = 8.6  # the width of one, bold
SMALL = "13"
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
    return sum(panel.height for panel in _panels(courses))


def draw_panels(root: ElementTree.Element, top: float, courses: Sequence[Course]) -> None:
    """Draw a panel for each task, from this many pixels below the picture's top on."""
    for panel in _panels(courses):
        panel.draw(ElementTree.SubElement(root, "g", {"transform": f"translate(0 {top:g})"}))
        top += panel.height


def _panels(courses: Sequence[Course]) -> "list[_Panel]":
    groups = [(TASKS[name], [each for each in courses if each.task == name]) for name in TASKS]
    return [_Panel(task, group) for task, group in groups if group]


def levels(stems: Sequence[tuple[float, str]]) -> list[int]:
    """How far down each stem's name stands, from the left, such that no name is crossed by another's stem.

    Stems are given from left to right as (pixels, name); names stand to the right of their stems.
    """
    levels: list[int] = []  # of the stems to the right
    for number in reversed(range(len(stems))):
        x, name = stems[number]
        crossed = [
            level
            for level, (right, _) in zip(levels, stems[number + 1 :], strict=True)
            if right < x + LETTER * (len(name) + 1)
        ]
        levels.insert(0, max(crossed, default=-1) + 1)
    return levels


class _Panel:
    """A task's panel, and where seconds and values are in it."""

    def __init__(self, task: Task, courses: Sequence[Course]) -> None:
        self.task, self.courses = task, courses
        seconds = [each for course in courses for each in course.seconds]
        values = [_goal(task), *(each for course in courses for each in course.values)]
        self.first, self.last = math.log10(min(seconds)), math.log10(max(seconds))
        self.low, self.high = math.log10(min(values)) - 0.04, math.log10(max(values)) + 0.02
        self.right, self.bottom = WIDTH - RIGHT, TOP + PLOT
        arrived = sorted((each for each in courses if each.time < math.inf), key=lambda each: each.time)
        stems = [(self.x(each.time), algorithm_of(each.who)) for each in arrived]
        self.names = list(zip(arrived, levels(stems), strict=True))  # below the lines, from left to right
        self.foot = self.bottom + LEVEL * (1 + max((level for _, level in self.names), default=-1))

    @property
    def height(self) -> float:
        """The pixels it takes."""
        return self.foot + AXIS

    def x(self, seconds: float) -> float:
        """Pixels from the panel's left."""
        return LEFT + (math.log10(seconds) - self.first) / (self.last - self.first) * (self.right - LEFT)

    def y(self, value: float) -> float:
        """Pixels from the panel's top."""
        return self.bottom - (math.log10(value) - self.low) / (self.high - self.low) * (self.bottom - TOP)

    def draw(self, panel: ElementTree.Element) -> None:
        """Draw the axes, the target, the lines and their names."""
        what = "Training loss" if self.task.accuracy is None else "Test error"
        text(panel, MARGIN, 20, self.task.title, font_weight="bold")
        said = f"{what} over time, to {self._said(round(_goal(self.task), 6))} (dotted); both axes are logarithmic"
        text(panel, MARGIN, 40, said, fill=SOFT, font_size=SMALL)
        self._draw_axes(panel)
        goal = self.y(_goal(self.task))
        add(panel, "line", x1=LEFT, x2=self.right, y1=goal, y2=goal, stroke=INK, stroke_dasharray="2 3")
        for course in sorted(self.courses, key=_is_ours):
            places = " ".join(f"{self.x(s):.1f},{self.y(v):.1f}" for s, v in zip(*course[2:], strict=True))
            colour, width = COLOURS[library_of(course.who)], 2.2 if _is_ours(course) else 1.3
            add(panel, "polyline", points=places, fill="none", stroke=colour, stroke_width=width)
        self._draw_names(panel)

    def _draw_axes(self, panel: ElementTree.Element) -> None:
        for value in _round_numbers(self.low, self.high, 6):
            y = self.y(value)
            add(panel, "line", x1=LEFT, x2=self.right, y1=y, y2=y, stroke=GRID)
            text(panel, LEFT - 5, y + 4, self._said(value), fill=SOFT, text_anchor="end", font_size=SMALL)
        for seconds in _round_numbers(self.first, self.last, 4):
            x = self.x(seconds)
            add(panel, "line", x1=x, x2=x, y1=TOP, y2=self.foot + 8, stroke=GRID)
            text(panel, x, self.foot + 24, f"{seconds:g} s", fill=SOFT, text_anchor="middle", font_size=SMALL)

    def _said(self, value: float) -> str:
        return f"{value:g}" if self.task.accuracy is None else f"{100 * value:g}%"

    def _draw_names(self, panel: ElementTree.Element) -> None:
        for course, level in self.names:
            x, y, foot = self.x(course.time), self.y(course.values[-1]), self.bottom + LEVEL * (level + 1)
            colour = COLOURS[library_of(course.who)]
            add(panel, "line", x1=x, x2=x, y1=y, y2=foot - 9, stroke=colour, stroke_width=0.8)
            self._draw_end(panel, course, x + 4, foot)
        place = -math.inf
        for course in sorted(self.courses, key=lambda each: -each.values[-1]):
            if course.time == math.inf:  # the highest first, each below the one before
                place = max(place + LEVEL, self.y(course.values[-1]) + 4.5)
                self._draw_end(panel, course, self.x(course.seconds[-1]) + 7, place)

    def _draw_end(self, panel: ElementTree.Element, course: Course, x: float, y: float) -> None:
        """Draw a dot where the line ends, and its name from a place on."""
        colour, weight = COLOURS[library_of(course.who)], {"font_weight": "bold"} if _is_ours(course) else {}
        add(panel, "circle", cx=self.x(course.seconds[-1]), cy=self.y(course.values[-1]), r=3, fill=colour)
        text(panel, x, y, algorithm_of(course.who), fill=colour, font_size=SMALL, **weight)


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
