"""Draws figures with matplotlib, into files."""

import io
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from distsearch.errors import SettingError
from distsearch.reports.figures import (
    Bars,
    Boundary,
    Confusion,
    Curves,
    Figure,
    Line,
    colour,
    log_ticks,
    mixed,
    ramp,
    rgb,
    shortened,
    tick_texts,
)
from distsearch.reports.packages import imported

FORMATS = ("png", "svg", "pdf")
SIZE = 7.2, 4.4  # inches
DPI = 160
FONT_SIZE = 10.5  # points
NOTE_WIDTH, TITLE_WIDTH, NAME_WIDTH = 105, 52, 28  # characters that fit below a figure, above it and beside a line
LABEL_WIDTH, LONG_LABEL_WIDTH = 40, 60  # characters that fit at an axis, and below curves
MOST_KEYS = 12  # classes that have a key beside the plane; the names of more stand in their regions
INK, PALE = "#1f2530", "#d9dde3"
STYLE = {
    "font.size": FONT_SIZE,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#9aa2ae",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#eceef2",
    "xtick.color": "#5a6372",
    "ytick.color": "#5a6372",
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlesize": 12,
    "svg.fonttype": "none",
    "svg.hashsalt": "distsearch",
}
FONTS = (
    "DejaVu Sans",
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Hiragino Sans", "PingFang SC", "Arial Unicode MS", "WenQuanYi Zen Hei"),
)
"""matplotlib's own, and those that have what it lacks, where they are installed."""
LINES: dict[str, dict[str, Any]] = {
    "line": {"linewidth": 1.9},
    "faint": {"linewidth": 0.9, "alpha": 0.8},
    "dashed": {"linewidth": 1.3, "linestyle": (0, (4, 2))},
    "steps": {"linewidth": 1.6, "drawstyle": "steps-mid"},
    "dots": {"linestyle": "none", "marker": "o", "markersize": 3, "alpha": 0.75, "markeredgewidth": 0},
}
FEW_DOTS = 50
MATRIX_HEIGHT, MOST_COUNTED = 190, 30  # points for the names at a matrix of confusion; classes whose counts fit
SHORT_NAME = 12  # characters of a name in a region
MARK = 0.025  # the width of the text at a mark, as a share of the axes
NEAR = 0.1  # of the axes: lines that end so close to the last have their names in one column
ROW = 0.058  # the height of a name at a line, as a share of the axes


def check_format(path: Path) -> str:
    """The format that a file's suffix stands for. SettingError if there is none."""
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        raise SettingError(f"--to: expected a file ending in .png, .svg or .pdf, got {path.name!r}")
    return suffix


@contextmanager
def styled() -> Iterator[None]:
    """While entered, matplotlib draws in our style; letters that no font here has become boxes without a word."""
    installed = {each.name for each in imported("matplotlib.font_manager").fontManager.ttflist}
    fonts = [name for name in FONTS if name in installed]
    with imported("matplotlib").rc_context({**STYLE, "font.family": fonts}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def drawn(figure: Figure, form: str) -> bytes:
    """A figure as a file of that format: the same bytes for the same figure and matplotlib."""
    with styled():
        canvas = imported("matplotlib.figure").Figure(figsize=SIZE, layout="constrained")
        draw(figure, canvas.add_subplot())
        if figure.note:
            note = textwrap.fill(figure.note, NOTE_WIDTH)
            canvas.supxlabel(note, fontsize=8.5, color="#5a6372", x=0.01, ha="left")
        file = io.BytesIO()
        undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(form)
        canvas.savefig(file, format=form, dpi=DPI, metadata=undated)
    return file.getvalue()


def draw(figure: Figure, axes: Any) -> None:
    """Draw a figure on matplotlib's axes."""
    axes.set_title(textwrap.fill(_literal(shortened(figure.title, 2 * TITLE_WIDTH - 10)), TITLE_WIDTH), pad=10)
    match figure:
        case Curves():
            _draw_curves(figure, axes)
        case Bars():
            _draw_bars(figure, axes)
        case Confusion():
            _draw_confusion(figure, axes)
        case Boundary():
            draw_boundary(figure, axes)


def _draw_curves(figure: Curves, axes: Any) -> None:
    _name_axes(figure, axes, LONG_LABEL_WIDTH)
    few_dots = max((len(each.x) for each in figure.lines if each.style == "dots"), default=0) <= FEW_DOTS
    for each in figure.lines:
        few = {"markersize": 6} if few_dots and each.style == "dots" else {}
        axes.plot(each.x, each.y, color=colour(each.colour), **LINES[each.style] | few)
        if each.low is not None and each.high is not None:
            axes.fill_between(each.x, each.low, each.high, color=colour(each.colour), alpha=0.15, linewidth=0)
    write_numbers(figure, axes)
    low, high = axes.get_xlim()
    free = low
    for x, what in figure.marks:
        axes.axvline(x, color="#9aa2ae", linewidth=0.8, linestyle=":")
        if x < free:  # its text would be over that of the one before
            continue
        free = x + MARK * (high - low)
        axes.annotate(
            _literal(what), (x, 1), xycoords=("data", "axes fraction"), rotation=90, fontsize=7.5, va="top", ha="right"
        )
    _label(figure, axes)


def write_numbers(figure: Curves, axes: Any) -> None:
    """Scale the axes for curves that are drawn, and write the numbers at them."""
    if figure.logarithmic:
        axes.set_yscale("log")
        axes.minorticks_off()
        low, high = axes.get_ylim()
        axes.set_yticks(log_ticks(low, high, 9))
    if figure.from_zero:
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(_formatter(figure.percent))
    axes.xaxis.set_major_formatter(_formatter(False))
    if all((each.x == np.round(each.x)).all() for each in figure.lines):
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)


def _formatter(percent: bool) -> Any:
    """What writes the numbers at an axis, with the digits that tell them apart."""

    class Apart(imported("matplotlib.ticker").Formatter):  # type: ignore[misc]  # its base is imported when needed
        def __call__(self, value: float, pos: int | None = None) -> str:
            return tick_texts([value], percent)[0]

        def format_ticks(self, values: Sequence[float]) -> list[str]:
            return tick_texts(values, percent)

    return Apart()


def _label(figure: Curves, axes: Any) -> None:
    """Write the name of each line beside its end, no two over each other."""
    named = [each for each in figure.lines if each.name and len(each.x)]
    if not named:
        return
    low, high = axes.get_ylim()
    scale = np.log10 if figure.logarithmic else np.asarray

    def height(each: Line) -> float:
        end = each.y[np.argmax(each.x)]
        return float((scale(end) - scale(low)) / (scale(high) - scale(low)))

    across = np.concatenate([each.x for each in named])
    first, last = across.min(), across.max()
    near_the_end = last - NEAR * (last - first)
    wanted = sorted(named, key=height)
    taken = -1.0
    for position, each in enumerate(wanted):
        room = ROW * (len(wanted) - position - 1)
        taken = max(taken + ROW, min(height(each), 1 - room))
        axes.annotate(
            _literal(shortened(each.name, NAME_WIDTH)),
            (float(last if each.x.max() > near_the_end else each.x.max()), taken),
            (6, 0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            color=colour(each.colour),
            fontsize=9.5,
            va="center",
            annotation_clip=False,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
        )


def _draw_bars(figure: Bars, axes: Any) -> None:
    places = np.arange(len(figure.names))[::-1]
    axes.barh(places, figure.values, color=colour(0), height=0.7)
    axes.set_yticks(places, [_literal(name) for name in figure.names])
    axes.set_xlabel(_literal(figure.x_label))
    axes.grid(visible=False, axis="y")


def _draw_confusion(figure: Confusion, axes: Any) -> None:
    counts = figure.counts
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    grounds = np.array(
        [[_shade(share, row == column) for column, share in enumerate(each)] for row, each in enumerate(shares)]
    )
    axes.imshow(grounds, aspect="auto")
    axes.grid(visible=False)
    names = [_literal(name if len(name) <= 14 else f"{name[:13]}…") for name in figure.classes]
    places = np.arange(len(names))
    size = min(FONT_SIZE, MATRIX_HEIGHT / len(names))
    axes.set_xticks(places, names, rotation=0 if max(map(len, names)) * len(names) < 60 else 90, fontsize=size)
    axes.set_yticks(places, names, fontsize=size)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if len(names) <= MOST_COUNTED:
        for row, each in enumerate(counts):
            for column, count in enumerate(each):
                if count:
                    dark = shares[row, column] > 0.55
                    ink = "white" if dark else INK
                    axes.text(column, row, f"{count:,}", ha="center", va="center", color=ink, fontsize=size)


def _shade(share: float, right: bool) -> tuple[float, ...]:
    code = mixed(colour(2 if right else 3), min(1.0, 0.06 + 0.94 * share) if share else 0.0, "#ffffff")
    return _channels(code)


def draw_boundary(figure: Boundary, axes: Any, key: bool = True) -> None:
    """Draw a boundary: regions, paler where unsure, and the examples; with a key of the colours or without."""
    extent = (figure.x[0], figure.x[-1], figure.y[0], figure.y[-1])
    axes.grid(visible=False)
    _name_axes(figure, axes)
    if figure.classes is None:
        _draw_numbers(figure, axes, extent, key)
        return
    whole = np.array([_channels(colour(number)) for number in range(len(figure.classes))])
    strength = (0.12 + 0.38 * figure.certainty)[..., np.newaxis]
    image = whole[figure.values.astype(int)] * strength + (1 - strength)
    axes.imshow(image, origin="lower", extent=extent, aspect="auto", interpolation="bilinear")
    for number, name in enumerate(figure.classes):
        own = figure.targets == number
        dots = {"color": colour(number), "markersize": 4, "markeredgecolor": "white", "markeredgewidth": 0.5}
        axes.plot(*figure.points[own].T, "o", label=_literal(shortened(name, NAME_WIDTH)), **dots)
    if len(figure.classes) > MOST_KEYS:
        _name_regions(figure, axes)
    elif key:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, handletextpad=0.2, borderaxespad=0)


def _name_regions(figure: Boundary, axes: Any) -> None:
    """Write the name of each class where its examples are."""
    for number, name in enumerate(figure.classes or ()):
        own = figure.points[figure.targets == number]
        if len(own):
            place = np.median(own, axis=0)
            ground = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.6}
            text = _literal(shortened(name, SHORT_NAME))
            axes.annotate(text, place, (0, 7), textcoords="offset points", ha="center", fontsize=7, bbox=ground)


def _name_axes(figure: Curves | Boundary, axes: Any, below: int = LABEL_WIDTH) -> None:
    axes.set_xlabel(_literal(shortened(figure.x_label, below)))
    axes.set_ylabel(_literal(shortened(figure.y_label, LABEL_WIDTH)))


def _draw_numbers(figure: Boundary, axes: Any, extent: tuple[float, ...], key: bool) -> None:
    colours = imported("matplotlib.colors")
    steps = colours.LinearSegmentedColormap.from_list("ramp", [ramp(share) for share in (0.0, 0.5, 1.0)])
    low, high = figure.span
    image = axes.imshow(
        figure.values, origin="lower", extent=extent, aspect="auto", cmap=steps, vmin=low, vmax=high, alpha=0.85
    )
    axes.scatter(
        *figure.points.T, c=figure.targets, cmap=steps, vmin=low, vmax=high, s=14, edgecolors="white", linewidths=0.5
    )
    if key:
        axes.figure.colorbar(
            image, ax=axes, label=_literal(shortened(figure.number, LABEL_WIDTH)), format=_formatter(False)
        )


def _channels(code: str) -> tuple[float, ...]:
    return tuple(part / 255 for part in rgb(code))


def _literal(text: str) -> str:
    """A text in which matplotlib finds no formula."""
    return text.replace("$", r"\$")
