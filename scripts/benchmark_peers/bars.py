"""The picture of the race: how long each library took to each target, as bars on one logarithmic scale.

Each library has one colour; what was not reached in time is a hollow bar that ends at the limit. Made from the table
alone: `python scripts/benchmark_peers/bars.py scripts/peers.csv scripts/peers.svg`.
"""

import csv
import math
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from tasks import TASKS

COLOURS = {
    "distsearch": "#c1121f",
    "evosax": "#1d4e89",
    "evotorch": "#2a9d8f",
    "cma": "#8338ec",
    "pygad": "#b5651d",
    "with gradients": "#8a8a8a",
}
SPOKEN = {"evotorch": "EvoTorch", "cma": "pycma", "pygad": "PyGAD"}
INK, SOFT, GRID = "#222222", "#5c5c5c", "#e4e4e4"
WIDTH, LEFT, RIGHT = 690, 236, 96  # the bars are between the margins
BAR, GAP, HEAD = 14, 5, 34
EARLIEST, LATEST = 0.005, 1000.0  # seconds
WORKERS = ", 2 workers"
TICKS = (0.01, 0.1, 1, 10, 100, 1000)
FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"


def library_colour(who: str) -> str:
    """The colour of a library, in all pictures, by how the table calls it and its algorithm."""
    return COLOURS[_library(who)]


def _library(who: str) -> str:
    return "with gradients" if "backpropagation" in who else who.partition(" ")[0]


class Bar(NamedTuple):
    """A line of the table."""

    task: str
    who: str  # library and algorithm
    seconds: float | None  # the median of the searches; None if most have not reached the target
    final: str

    @property
    def library(self) -> str:
        """Whose colour it has."""
        return _library(self.who)

    @property
    def label(self) -> str:
        """What stands beside it."""
        name, _, rest = self.who.replace(", in process", "").replace(WORKERS, "").partition(" ")
        return f"{SPOKEN.get(name, name)} {rest}"

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
        rows = [row for row in csv.DictReader(file) if TASKS[row["task"]].target != "candidates a second"]
    bars = [
        Bar(row["task"], row["who"], float(row["seconds"]) if row["seconds"] else None, row["final"]) for row in rows
    ]
    order = list(TASKS)
    return sorted(bars, key=lambda bar: (order.index(bar.task), math.inf if bar.seconds is None else bar.seconds))


def picture(bars: Sequence[Bar]) -> str:
    """The picture as SVG."""
    groups = [(name, list(group)) for name, group in groupby(bars, key=lambda bar: bar.task)]
    top = 78
    height = top + sum(HEAD + len(group) * (BAR + GAP) for _, group in groups) + 34
    box = {"viewBox": f"0 0 {WIDTH} {height}", "width": str(WIDTH), "height": str(height)}
    root = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **box, "font-family": FONT})
    root.set("font-size", "12.5")
    ElementTree.SubElement(root, "title").text = "Seconds to the target, by library"
    _add(root, "rect", x=0, y=0, width=WIDTH, height=height, rx=8, fill="white")
    _text(root, 14, 25, "Seconds to the target, on two cores (shorter is better)", font_size="15", font_weight="bold")
    _legend(root, [name for name in COLOURS if any(bar.library == name for bar in bars)])
    bottom = height - 30
    for seconds in TICKS:
        x = _x(seconds)
        _add(root, "line", x1=x, x2=x, y1=top - 6, y2=bottom, stroke=GRID)
        _text(root, x, bottom + 17, f"{seconds:,g} s", fill=SOFT, text_anchor="middle", font_size="11.5")
    y = float(top)
    for name, group in groups:
        task = TASKS[name]
        _text(root, 14, y + 18, task.title, font_weight="bold")
        _text(root, WIDTH - 14, y + 18, task.target, fill=SOFT, text_anchor="end")
        y += HEAD - 6
        for bar in group:
            _bar(root, y, bar)
            y += BAR + GAP
        y += 6
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _legend(root: ElementTree.Element, names: Sequence[str]) -> None:
    x = 14.0
    for name in names:
        said = SPOKEN.get(name, name)
        _add(root, "rect", x=x, y=42, width=12, height=12, rx=2, fill=COLOURS[name])
        _text(root, x + 17, 52.5, said, fill=COLOURS[name], font_weight="bold")
        x += 17 + 7.6 * len(said) + 18


def _bar(root: ElementTree.Element, y: float, bar: Bar) -> None:
    colour, reached = COLOURS[bar.library], bar.seconds is not None
    end = _x(TASKS[bar.task].limit if bar.seconds is None else bar.seconds)
    look = {"fill": colour} if reached else {"fill": "none", "stroke": colour, "stroke_dasharray": "4 3"}
    _add(root, "rect", x=LEFT, y=y, width=end - LEFT, height=BAR, rx=2, **look)
    weight = {"font_weight": "bold"} if bar.library == "distsearch" else {}
    _text(root, LEFT - 8, y + BAR - 2.5, bar.label, fill=colour, text_anchor="end", **weight)
    if reached:
        _text(root, end + 6, y + BAR - 2.5, bar.result, **weight)
    else:
        _text(root, end - 7, y + BAR - 2.5, bar.result, fill=colour, text_anchor="end", font_size="11.5")


def _x(seconds: float) -> float:
    share = math.log(max(seconds, EARLIEST) / EARLIEST) / math.log(LATEST / EARLIEST)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _text(root: ElementTree.Element, x: float, y: float, text: str, fill: str = INK, **style: str) -> None:
    _add(root, "text", x=x, y=y, fill=fill, **style).text = text


def _add(parent: ElementTree.Element, tag: str, **attributes: float | str) -> ElementTree.Element:
    texts = {
        name.replace("_", "-"): f"{value:.5g}" if isinstance(value, float) else str(value)
        for name, value in attributes.items()
    }
    return ElementTree.SubElement(parent, tag, texts)


if __name__ == "__main__":
    table, drawn = map(Path, sys.argv[1:3])
    drawn.write_text(picture(bars_of(table)), encoding="utf-8")
