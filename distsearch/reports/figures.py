"""What a figure shows, whoever draws it: the terminal, matplotlib or a page of HTML."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import floor, log10
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

COLOURS = (
    *("#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed"),
    *("#0891b2", "#be185d", "#4d7c0f", "#8b5e34", "#d65bb5"),
)
"""One for each run, or class, in turn; readable on white and on black. As many as there are digits."""
GREY = "#8b93a1"
NEUTRAL = -1  # the number of the colour grey
MOST_POINTS = 600  # of a line
MOST_DIGITS = 8  # of a number at an axis
MOST_DECIMALS = 6  # of numbers in equal steps
LOGARITHMIC_FROM = 20  # the ratio of the largest to the smallest value
FEW = 0.3  # the share of values above zero that is too small for a logarithmic axis

Style = Literal["line", "faint", "dashed", "steps", "dots"]


@dataclass(frozen=True)
class Line:
    """A line or a cloud of dots: x and y are (points,), and so are the ends of the band around it, if it has one."""

    name: str  # empty: it needs no label
    x: Array
    y: Array
    colour: int = 0
    style: Style = "line"
    low: Array | None = None
    high: Array | None = None


@dataclass(frozen=True)
class Curves:
    """Lines over one pair of axes."""

    title: str
    x_label: str  # with its unit
    y_label: str
    lines: tuple[Line, ...]
    logarithmic: bool = False
    percent: bool = False  # y are shares, to be shown as percentages
    from_zero: bool = False
    marks: tuple[tuple[float, str], ...] = ()  # moments in x, and what happened
    note: str = ""

    @property
    def heading(self) -> str:
        """What y is, to stand above the plot; empty if the title says so."""
        return "" if self.y_label in self.title.lower() else self.y_label


@dataclass(frozen=True)
class Bars:
    """Named values, the largest first."""

    title: str
    x_label: str
    names: tuple[str, ...]
    values: tuple[float, ...]
    note: str = ""


@dataclass(frozen=True)
class Confusion:
    """How many examples of each class, a row each, were taken for which: (classes, classes)."""

    title: str
    classes: tuple[str, ...]
    counts: NDArray[np.int64]
    note: str = ""


@dataclass(frozen=True)
class Boundary:
    """What a network makes of each place of a plane of two features, and the examples there."""

    title: str
    x_label: str
    y_label: str
    x: Array  # (columns,), rising
    y: Array  # (rows,), rising
    values: Array  # (rows, columns): the class's number, or the number predicted
    certainty: Array  # (rows, columns): from 0 to 1, how far the class is above all others; ones for numbers
    points: Array  # (examples, 2)
    targets: Array  # (examples,), as `values`
    classes: tuple[str, ...] | None  # None: numbers
    number: str = ""  # what is predicted, if it is a number
    note: str = ""

    @property
    def span(self) -> tuple[float, float]:
        """The smallest and the largest number, predicted or true: what the ends of the colours stand for."""
        return (
            float(min(self.values.min(), self.targets.min())),
            float(max(self.values.max(), self.targets.max())),
        )


Figure = Curves | Bars | Confusion | Boundary


def colour(number: int) -> str:
    """The colour with this number; they begin again after the last."""
    return GREY if number == NEUTRAL else COLOURS[number % len(COLOURS)]


def rgb(code: str) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255, of a colour such as #2563eb."""
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


def mixed(code: str, share: float, ground: str) -> str:
    """A share of a colour, from 0 to 1, on a ground of another."""
    parts = (round(ours * share + theirs * (1 - share)) for ours, theirs in zip(rgb(code), rgb(ground), strict=True))
    return "#" + "".join(f"{part:02x}" for part in parts)


def ramp(share: float) -> str:
    """A colour for a number between the smallest, 0, and the largest, 1: from blue over grey to orange."""
    if share < 0.5:
        return mixed(COLOURS[0], 1 - 2 * share, "#c9cdd4")
    return mixed(COLOURS[1], 2 * share - 1, "#c9cdd4")


def line(name: str, x: ArrayLike, y: ArrayLike, **options: Any) -> Line:
    """A line through the finite ones of some points, at most MOST_POINTS of them."""
    across, up = np.asarray(x, np.float64), np.asarray(y, np.float64)
    kept = np.flatnonzero(np.isfinite(up))
    kept = kept[thinned(len(kept))]
    bands = {side: options.pop(side)[kept] for side in ("low", "high") if options.get(side) is not None}
    if len(kept) == 1:
        options["style"] = "dots"  # a line through it cannot be seen
    return Line(name, across[kept], up[kept], **options, **bands)


def thinned(count: int, most: int = MOST_POINTS) -> NDArray[np.intp]:
    """At most that many of range(count), evenly, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))


def scaled(lines: Sequence[Line]) -> tuple[tuple[Line, ...], bool]:
    """The lines as they are best drawn, and whether on a logarithmic axis, which shows positive values only."""
    values = np.concatenate([each.y for each in lines]) if lines else np.zeros(0)
    positive = values[values > 0]
    if len(positive) <= FEW * len(values) or values.min() < 0:
        return tuple(lines), False
    if positive.max() <= LOGARITHMIC_FROM * positive.min():
        return tuple(lines), False
    return tuple(map(_positive, lines)), True


def _positive(line: Line) -> Line:
    kept = line.y > 0
    low = None if line.low is None else np.maximum(line.low, line.y.clip(min=0) * 0.01)[kept]
    high = None if line.high is None else line.high[kept]
    return replace(line, x=line.x[kept], y=line.y[kept], low=low, high=high)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers between two others, at most about that many."""
    if not high > low:
        return [low]
    rough = (high - low) / max(1, most)
    size = 10.0 ** floor(log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999)
    first = int(np.ceil(low / step - 1e-9))
    return [number * step for number in range(first, int(np.floor(high / step + 1e-9)) + 1)]


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers between two positive ones, for a logarithmic axis."""
    first, last = floor(log10(low)), int(np.ceil(log10(high)))
    for factors in ((1, 2, 3, 5), (1, 2, 5), (1, 3), (1,)):
        found = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
        found = [each for each in found if low * 0.999 <= each <= high * 1.001]
        if len(found) <= most:
            return found
    every = -(-(last - first) // most)
    return [10.0**power for power in range(first, last + 1, every) if low * 0.999 <= 10.0**power <= high * 1.001]


def number_text(value: float, digits: int = 3) -> str:
    """A number at an axis: 950, 12k, 3.5M, 0.02."""
    if value == 0:
        return "0"
    size, suffix = _unit(value)
    if size > 1:
        return f"{value / size:.{max(4, digits)}g}{suffix}"
    return f"{value:.{digits}g}" if abs(value) < 1000 else f"{value:,.{digits - 3}f}"


def _unit(value: float) -> tuple[float, str]:
    """What a number of this size is counted in, and the letter that says so."""
    units = ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))
    return next(((size, suffix) for least, size, suffix in units if abs(value) >= least), (1.0, ""))


def tick_texts(values: Sequence[float], percent: bool) -> list[str]:
    """The numbers at an axis, which may be one of percentages, with the digits that tell them apart.

    Those in equal steps are written alike: in one unit, and with as many decimals as the step needs.
    """
    if len(values) > 1 and np.allclose(np.diff(values), values[1] - values[0], rtol=1e-6, atol=0):
        return _in_equal_steps(np.asarray(values, np.float64), percent)
    texts: list[str] = []
    for digits in range(3, MOST_DIGITS + 1):
        texts = [f"{100 * each:.{digits + 1}g}%" if percent else number_text(each, digits) for each in values]
        if len(set(texts)) == len(values):
            break
    return texts


def _in_equal_steps(values: Array, percent: bool) -> list[str]:
    size, suffix = (0.01, "%") if percent else _unit(float(np.abs(values).max()))
    counted = values / size
    near = abs(counted[1] - counted[0]) * 1e-3
    decimals = next((each for each in range(MOST_DECIMALS) if np.allclose(counted, counted.round(each), 0, near)), None)
    if decimals is None:  # very small numbers
        return [number_text(each, MOST_DIGITS) for each in values]
    return [
        f"{each:,.{decimals}f}{suffix}" if abs(each) > near else f"0{suffix if percent else ''}" for each in counted
    ]


def shortened(name: str, most: int) -> str:
    """A name of at most that many characters, its middle left out if it is longer."""
    if len(name) <= most:
        return name
    return f"{name[: most // 2 - 1]}..{name[len(name) - (most - most // 2 - 1) :]}"
