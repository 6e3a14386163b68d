"""The race's picture as SVG: accuracy against seconds, on the same logarithmic scale in all panels.

Ours are red: the median search in bold, the other seeds thin, a dot for the weights that counted. Others that were run
here are blue or grey lines; what they have published are points, on hardware of their own, with the range of its
seconds.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from xml.etree import ElementTree

from vectors import GRID, INK, PAPER, add, drawing, text, written

from nondiff.marks import OURS, Search, median_search
from nondiff.rows import Published, Row
from nondiff.table import RaceLine

COLUMNS, WIDTH, HEIGHT = 3, 400, 340  # panels in a row, and the size of one
LEFT, TOP, RIGHT, PLOT = 58, 32, 12, 180  # the plot's margins and height
LINE = 18  # of the key below it
EARLIEST, LATEST = 0.5, 20_000.0  # seconds
TICKS = (1, 10, 100, 1_000, 10_000)
COLOURS = {OURS: "#c1121f", "polystep": "#1d3557", "adam": "#7a7a7a"}
PUBLISHED, PUBLISHED_ADAM = "#457b9d", "#9a9a9a"
DARK = {COLOURS[OURS]: "#ff6b6b", COLOURS["polystep"]: "#8ab4f8", PUBLISHED: "#6cb0f5"}  # on a dark page
STEPS = (0.005, 0.01, 0.02, 0.05, 0.1)  # between two lines of the grid


@dataclass(frozen=True)
class Scale:
    """Where seconds and accuracies are in a panel."""

    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Scale":
        """The scale that shows these accuracies, with room below for the way to them."""
        found = list(values)
        low = min(found) - max(0.04, 0.6 * (max(found) - min(found)))
        return cls(max(0.0, low), min(1.0, max(found) + 0.008))

    def x(self, seconds: float) -> float:
        """Pixels from the panel's left."""
        share = math.log(min(max(seconds, EARLIEST), LATEST) / EARLIEST) / math.log(LATEST / EARLIEST)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, accuracy: float) -> float:
        """Pixels from the panel's top."""
        share = (min(max(accuracy, self.lowest), self.highest) - self.lowest) / (self.highest - self.lowest)
        return TOP + (1 - share) * PLOT

    def ticks(self) -> list[float]:
        """The accuracies with a line: at most six."""
        step = next(step for step in STEPS if (self.highest - self.lowest) / step <= 6 or step == STEPS[-1])
        first = math.ceil(self.lowest / step - 1e-9)
        return [step * number for number in range(first, math.floor(self.highest / step + 1e-9) + 1)]


def picture(lines: Sequence[RaceLine]) -> str:
    """The picture of the table's lines, as text; a panel for each row."""
    groups = [(own[0].row, own) for _, group in groupby(lines, lambda line: line.row.name) if (own := list(group))]
    columns = min(COLUMNS, max(1, len(groups)))
    width, height = columns * WIDTH, math.ceil(len(groups) / COLUMNS) * HEIGHT + 2 * LINE + 8
    root = drawing(width, height, "Test accuracy against seconds of training without gradients", "12.5", DARK)
    for number, (row, own) in enumerate(groups):
        at = f"translate({number % COLUMNS * WIDTH} {number // COLUMNS * HEIGHT})"
        _panel(ElementTree.SubElement(root, "g", {"transform": at}), row, own)
    machines = sorted({search.machine for line in lines for search in line.done})
    drawn = f"Lines: {' or '.join(machines)}."
    note = (
        "Test accuracy against seconds of search. Points: published, on the hardware named. Dotted: what we aimed at."
    )
    for number, words in enumerate((note, drawn)):
        text(root, LEFT, height - 12 - LINE * (1 - number), words)
    return written(root)


def _panel(panel: ElementTree.Element, row: Row, lines: Sequence[RaceLine]) -> None:
    done = [line for line in lines if line.done]
    ends = [line.accuracy for line in done if line.who == OURS]
    scale = Scale.of([*ends, *(aim.accuracy for aim in row.aims), *(each.accuracy for each in row.published)])
    text(panel, LEFT, 18, row.title, font_weight="bold", font_size="13.5")
    _axes(panel, scale)
    for aim in row.aims:
        add(panel, "path", d=_aim(scale, aim.seconds, aim.accuracy), stroke=INK, fill="none", stroke_dasharray="2 3")
    for line in reversed(done):  # ours last, above the others
        _curves(panel, scale, line)
    for each in row.published:
        _point(panel, scale, each)
    legend = [(COLOURS[line.who], _said(line)) for line in done]
    legend += [(_colour(each), _published(each)) for each in row.published]
    for number, (colour, words) in enumerate(legend):
        y = TOP + PLOT + 42 + LINE * number
        add(panel, "circle", cx=LEFT + 4, cy=y - 5, r=5, fill=colour)
        text(panel, LEFT + 15, y, words)


def _axes(panel: ElementTree.Element, scale: Scale) -> None:
    bottom, right = TOP + PLOT, WIDTH - RIGHT
    for accuracy in scale.ticks():
        y = scale.y(accuracy)
        add(panel, "line", x1=LEFT, x2=right, y1=y, y2=y, stroke=GRID)
        text(panel, LEFT - 6, y + 5, f"{100 * accuracy:.4g}%", text_anchor="end")
    for seconds in TICKS:
        x = scale.x(seconds)
        add(panel, "line", x1=x, x2=x, y1=TOP, y2=bottom, stroke=GRID)
        unit = " s" if seconds == TICKS[0] else ""
        text(panel, x, bottom + 18, f"{seconds:,}{unit}", text_anchor="middle")
    add(panel, "line", x1=LEFT, x2=right, y1=bottom, y2=bottom, stroke=INK)


def _aim(scale: Scale, seconds: float, accuracy: float) -> str:
    """A corner: from the left at an accuracy to a time, and down."""
    x, y = scale.x(seconds), scale.y(accuracy)
    return f"M{LEFT} {y:.1f}H{x:.1f}V{TOP + PLOT}"


def _curves(panel: ElementTree.Element, scale: Scale, line: RaceLine) -> None:
    colour, middle = COLOURS[line.who], median_search(line.done)
    for search in line.done:
        bold = search is middle
        style = {"stroke": colour, "fill": "none", "stroke_width": 2.4 if bold else 0.8}
        if points := _points(scale, search):
            add(panel, "polyline", points=points, stroke_opacity=1 if bold else 0.35, **style)
    if middle.end is not None:
        x, y = scale.x(middle.end.seconds), scale.y(middle.end.accuracy)
        if middle.end.accuracy >= scale.lowest:
            add(panel, "circle", cx=x, cy=y, r=4, fill=colour)
        else:  # an arrow: it is below the panel
            add(panel, "path", d=f"M{x - 5:.1f} {y - 10:.1f}h10l-5 9z", fill=colour)


def _points(scale: Scale, search: Search) -> str:
    """The marks, from the last one below the panel on; none if there they end."""
    shown = [mark for mark in search.marks if mark.seconds >= EARLIEST]
    below = [number for number, mark in enumerate(shown) if mark.accuracy < scale.lowest]
    shown = shown[below[-1] if below else 0 :]
    if len(shown) < 2:
        return ""
    return " ".join(f"{scale.x(mark.seconds):.1f},{scale.y(mark.accuracy):.1f}" for mark in shown)


def _point(panel: ElementTree.Element, scale: Scale, published: Published) -> None:
    colour, y = _colour(published), scale.y(published.accuracy)
    if published.seconds is None:  # an accuracy alone: a tick at the right
        add(panel, "line", x1=WIDTH - RIGHT - 22, x2=WIDTH - RIGHT, y1=y, y2=y, stroke=colour, stroke_width=2)
        return
    if published.fastest is not None and published.slowest is not None:
        ends = {"x1": scale.x(published.fastest), "x2": scale.x(published.slowest)}
        add(panel, "line", **ends, y1=y, y2=y, stroke=colour, stroke_width=2)
    add(panel, "circle", cx=scale.x(published.seconds), cy=y, r=5, fill=colour, stroke=PAPER)


def _colour(published: Published) -> str:
    return PUBLISHED_ADAM if published.who.startswith(("Adam", "straight")) else PUBLISHED


def _said(line: RaceLine) -> str:
    who = {OURS: f"distsearch, {_cores(line.workers)}", "polystep": "polystep here", "adam": "Adam, surrogate, here"}
    return f"{who[line.who]}: {100 * line.accuracy:.1f}% in {line.seconds:,.0f} s"


def _cores(workers: int) -> str:
    return f"{max(1, workers)} core{'s' if workers > 1 else ''}"


def _published(published: Published) -> str:
    time = "" if published.seconds is None else f" in {published.seconds:,.0f} s"
    return f"{published.text}: {100 * published.accuracy:.1f}%{time}"
