"""Draws figures in the terminal: curves by plotext, the rest by Rich; plain where there is no colour, or no UTF-8."""

from collections.abc import Sequence
from math import log10
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

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
    tick_text,
    ticks,
)
from distsearch.reports.packages import imported
from distsearch.text import escaped

SMALLEST_WIDTH, LARGEST_WIDTH = 40, 120  # characters
HEIGHT = 18  # rows
SYMBOLS = "*o+x#@%&"  # of lines, without UTF-8
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # of classes, without colour
PLAIN_FRAME = str.maketrans("┤├┼│─└┘┌┐┬┴", "++++" + "-" + "++++++")
BLOCKS, PLAIN_BLOCKS = "█▉▊▋▌▍▎▏", "#"
GROUND = "#1b1f27"  # what unsure places fade to
MOST_CLASSES = 16  # in a table of confusion that fits


class Terminal:
    """How figures are drawn: how wide, with colours or not, with UTF-8 or not."""

    def __init__(self, width: int, coloured: bool, utf8: bool, height: int = HEIGHT) -> None:
        self._width = max(SMALLEST_WIDTH, min(width, LARGEST_WIDTH))
        self._height = height
        self._coloured = coloured
        self._utf8 = utf8

    def drawn(self, figure: Figure) -> RenderableType:
        """A figure with its title above and its note below."""
        match figure:
            case Curves():
                body: RenderableType = self._curves(figure)
            case Bars():
                body = self._bars(figure)
            case Confusion():
                body = self._confusion(figure)
            case Boundary():
                body = self.boundary(figure)
        parts = [Text(self._plain(figure.title), style="bold"), body]
        if figure.note:
            parts.append(Text(self._plain(figure.note), style="dim"))
        return Group(*parts)

    def _plain(self, text: str) -> str:
        """The text with control characters as escapes, and in ASCII where that is all there is."""
        text = escaped(text)
        if self._utf8:
            return text
        return text.replace("σ", "sigma").replace("–", "-").replace("…", "...").encode("ascii", "replace").decode()

    def _curves(self, figure: Curves) -> Text:
        plotext = imported("plotext")
        lines = [each for each in figure.lines if len(each.x)]
        scaled = [np.log10(each.y) if figure.logarithmic else each.y for each in lines]
        low, high = _range(figure, lines, scaled)
        right = max(float(each.x.max()) for each in lines)
        left = min(float(each.x.min()) for each in lines)
        y_ticks = _y_ticks(figure, low, high)
        gutter = max(len(text) for _, text in y_ticks) + 1
        margin = max(len(name) for name, _ in self._labels(lines)) + 1
        columns = max(10, self._width - gutter - margin - 2)
        end = left + ((right - left) or 1.0) * (columns + margin + 1) / columns
        draft = plotext.figure
        draft.clear()
        draft.theme("colorless")
        draft.plot_size(self._width, self._height)
        for number, (each, y) in enumerate(zip(lines, scaled, strict=True)):
            self._draw_band(draft, each, figure.logarithmic)
            signal = draft.signal(each.x.tolist(), y.tolist(), marker=self._marker(each, number))
            signal.lines(each.style != "dots")
            draft.draw(signal)
        labels = zip(lines, self._labels(lines), self._places(lines, scaled, low, high), strict=True)
        for each, (name, code), place in labels:
            if name:
                beside = float(each.x.max()) + (end - left) / (columns + margin)
                draft.draw(draft.text(beside, place, self._painted(name, code)))
        draft.ruler("y").lim(low, high)
        draft.ruler("x").lim(left, end)
        draft.ruler("y").ticks([place for place, _ in y_ticks], [text for _, text in y_ticks])
        places = ticks(left, right, max(3, columns // 9))
        draft.ruler("x").ticks(places, [tick_text(place, False) for place in places])
        for axis, side in (("x", "upper"), ("y", "right")):
            draft.axes(False, axis=axis, side=side)
        draft.label(self._plain(figure.x_label), "x")
        text = Text.from_ansi(str(draft.build()).rstrip())
        draft.clear()
        told = figure.y_label in figure.title.lower()
        heading = Text("" if told else f"{self._plain(figure.y_label)}\n", style="dim")
        marks = [f"{tick_text(x, False)} s: {what}" for x, what in figure.marks]
        body = text if self._utf8 else Text(text.plain.translate(PLAIN_FRAME))
        return Text.assemble(heading, body, *(f"\n{self._plain(mark)}" for mark in marks[:12]))

    def _labels(self, lines: Sequence[Line]) -> list[tuple[str, str]]:
        """The name of each line as it fits beside it, and its colour."""
        return [(_shortened(self._plain(each.name), self._width // 3), colour(each.colour)) for each in lines]

    def _places(
        self, lines: Sequence[Line], scaled: Sequence[NDArray[np.float64]], low: float, high: float
    ) -> list[float]:
        """How high the name of each line stands: where it ends, but no two in a row."""
        rows = self._height - 3
        ends = [_row(y, each, low, high, rows) for each, y in zip(lines, scaled, strict=True)]
        named = [number for number, each in enumerate(lines) if each.name]
        found = [float(end) for end in ends]
        for number, row in zip(named, _apart([ends[each] for each in named], rows), strict=True):
            found[number] = row
        return [low + (high - low) * row / (rows - 1) for row in found]

    def _marker(self, line: Line, number: int) -> Any:
        symbol = SYMBOLS[number % len(SYMBOLS)] if not self._utf8 else ("braille" if line.style != "dots" else "•")
        return self._paint(symbol, colour(line.colour))

    def _paint(self, symbol: str, code: str) -> Any:
        plotext = imported("plotext")
        return plotext.marker(symbol, plotext.pixel(rgb(code))) if self._coloured else symbol

    def _painted(self, text: str, code: str) -> Any:
        plotext = imported("plotext")
        return plotext.colorize(text, plotext.pixel(rgb(code))) if self._coloured else text

    def _draw_band(self, draft: Any, line: Line, logarithmic: bool) -> None:
        if line.low is None or line.high is None:
            return
        for edge in (line.low, line.high):
            y = np.log10(edge) if logarithmic else edge
            marker = self._paint("braille" if self._utf8 else ".", mixed(colour(line.colour), 0.5, "#808080"))
            draft.draw(draft.signal(line.x.tolist()[::6], y.tolist()[::6], marker=marker).lines(False))

    def _bars(self, figure: Bars) -> Table:
        table = Table.grid(padding=(0, 1))
        table.add_column(justify="right", no_wrap=True, max_width=self._width // 3)
        table.add_column()
        table.add_column(justify="right")
        most = max(max(figure.values, default=0.0), 1e-12)
        room = self._width - min(self._width // 3, max(map(len, figure.names), default=0)) - 12
        for name, value in zip(figure.names, figure.values, strict=True):
            length = round(max(0.0, value) / most * room)
            bar = Text((BLOCKS[0] if self._utf8 else PLAIN_BLOCKS) * length, style=colour(0))
            table.add_row(Text(self._plain(name)), bar, f"{value:.3g}")
        table.add_row("", Text(figure.x_label, style="dim"), "")
        return table

    def _confusion(self, figure: Confusion) -> RenderableType:
        shown = figure.classes[:MOST_CLASSES]
        table = Table.grid(padding=(0, 0))
        widest = max(len(f"{figure.counts.max():,}"), min(8, max(map(len, shown)))) + 2
        if len(figure.classes) > MOST_CLASSES or widest * len(shown) > self._width - 12:
            return self._mistakes(figure)
        table.add_column(justify="right", max_width=16, no_wrap=True)
        for _ in shown:
            table.add_column(justify="right", width=widest)
        heads = (Text(f"{self._plain(name)[: widest - 1]} ", style="bold") for name in shown)
        table.add_row(Text("true \\ predicted ", style="dim"), *heads)
        for number, name in enumerate(shown):
            row = figure.counts[number]
            total = max(1, int(row.sum()))
            styles = [
                self._shade(count / total, number == other) if count else "dim" for other, count in enumerate(row)
            ]
            texts = [f"{count:,} " if count else self._plain("– ") for count in row]
            cells = [Text(text, style, justify="right") for text, style in zip(texts, styles, strict=True)]
            table.add_row(Text(f"{self._plain(name)} ", style="bold"), *cells)
        return table

    def _mistakes(self, figure: Confusion) -> Table:
        """The most frequent mistakes, where there are too many classes for a table of all."""
        wrong = figure.counts.copy()
        np.fill_diagonal(wrong, 0)
        table = Table(box=None, pad_edge=False)
        for name in ("true", "predicted"):
            table.add_column(name)
        table.add_column("examples", justify="right")
        for flat in np.argsort(wrong, axis=None)[::-1][: self._height]:
            row, column = divmod(int(flat), len(figure.classes))
            if count := int(wrong[row, column]):
                names = (Text(self._plain(figure.classes[each])) for each in (row, column))
                table.add_row(*names, f"{count:,}")
        return table

    def _shade(self, share: float, right: bool) -> str:
        if not self._coloured:
            return "bold" if right else ""
        ground = mixed(colour(2 if right else 3), 0.25 + 0.6 * share, "#1b1f27")
        return f"#ffffff on {ground}"

    def boundary(self, figure: Boundary, rows: int = 0) -> Text:
        """The plane by half blocks, two places a character; letters where there is no colour."""
        columns = self._width - 2
        height = rows or max(8, min(self._height, round(columns * 3 / 8)))
        if not (self._coloured and self._utf8):
            return self._letters(figure, columns, height)
        colours = _paint_places(figure, columns, 2 * height)
        text = Text()
        for row in range(0, 2 * height, 2):
            for column in range(columns):
                text.append("▀", style=f"{colours[row][column]} on {colours[row + 1][column]}")
            text.append("\n")
        return Text.assemble(text, self._legend(figure))

    def _letters(self, figure: Boundary, columns: int, rows: int) -> Text:
        numbers = _resampled(figure.values, columns, rows)
        if figure.classes is None:
            low, high = float(figure.values.min()), float(figure.values.max())
            levels = " .:-=+*#%@"
            share = (numbers - low) / ((high - low) or 1.0)
            lines = ["".join(levels[round(each * (len(levels) - 1))] for each in row) for row in share]
        else:
            cells = [[LETTERS[int(each) % len(LETTERS)].lower() for each in row] for row in numbers]
            for row, column, target in _places(figure, columns, rows):
                cells[row][column] = LETTERS[int(target) % len(LETTERS)]
            lines = ["".join(row) for row in cells]
        return Text.assemble("\n".join(lines), "\n", self._legend(figure))

    def _legend(self, figure: Boundary) -> Text:
        axes = f"{figure.x_label} to the right, {figure.y_label} upwards"
        parts: list[tuple[str, str]] = []
        if figure.classes is None:
            low, high = float(figure.values.min()), float(figure.values.max())
            parts = [(f"{low:.4g} ", ramp(0)), (f"to {high:.4g}  ", ramp(1))]
        else:
            for number, name in enumerate(figure.classes[: len(LETTERS)]):
                key = "■" if self._coloured and self._utf8 else LETTERS[number].lower()
                parts.append((f"{key} {self._plain(name)}  ", colour(number) if self._coloured else ""))
        if not self._coloured and figure.classes is not None:
            axes += "; capitals are examples"
        return Text.assemble(*parts, (self._plain(axes), "dim"))


def _range(figure: Curves, lines: Sequence[Line], scaled: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    edges = [edge for each in lines for edge in (each.low, each.high) if edge is not None]
    values = [*scaled, *(np.log10(edge) if figure.logarithmic else edge for edge in edges)]
    low, high = min(float(each.min()) for each in values), max(float(each.max()) for each in values)
    low = min(low, 0.0) if figure.from_zero else low
    room = (high - low) * 0.03 or max(abs(high) * 0.1, 0.1)
    high = min(high + room, max(high, 1.0)) if figure.percent else high + room
    return low if low == 0 else low - room, high


def _y_ticks(figure: Curves, low: float, high: float) -> list[tuple[float, str]]:
    if figure.logarithmic:
        return [(log10(each), tick_text(each, figure.percent)) for each in log_ticks(10**low, 10**high, 8)]
    return [(each, tick_text(each, figure.percent)) for each in ticks(low, high, 6)]


def _row(y: NDArray[np.float64], line: Line, low: float, high: float, rows: int) -> int:
    """The row, from the bottom, in which a line ends."""
    return round((float(y[np.argmax(line.x)]) - low) / (high - low) * (rows - 1))


def _shortened(name: str, most: int) -> str:
    """A name of at most so many characters, its middle left out if it is longer."""
    if len(name) <= most:
        return name
    return f"{name[: most // 2 - 1]}..{name[len(name) - (most - most // 2 - 1) :]}"


def _apart(wanted: Sequence[int], rows: int) -> list[int]:
    """Rows near those wanted, from 0 on, no two the same."""
    found = [0] * len(wanted)
    taken = -1
    order = sorted(range(len(wanted)), key=lambda number: wanted[number])
    for position, number in enumerate(order):
        left = len(order) - position - 1
        taken = found[number] = max(taken + 1, min(wanted[number], rows - 1 - left))
    return found


def _resampled(values: NDArray[np.float64], columns: int, rows: int) -> NDArray[np.float64]:
    """The values at so many places, the top row first."""
    down = np.linspace(values.shape[0] - 1, 0, rows).round().astype(int)
    across = np.linspace(0, values.shape[1] - 1, columns).round().astype(int)
    picked: NDArray[np.float64] = values[np.ix_(down, across)]
    return picked


def _places(figure: Boundary, columns: int, rows: int) -> list[tuple[int, int, float]]:
    """Row, from the top, column and target of each example."""
    x, y = figure.points[:, 0], figure.points[:, 1]
    across = (x - figure.x[0]) / (figure.x[-1] - figure.x[0]) * (columns - 1)
    down = (figure.y[-1] - y) / (figure.y[-1] - figure.y[0]) * (rows - 1)
    return [
        (int(row), int(column), float(target))
        for row, column, target in zip(down.round(), across.round(), figure.targets, strict=True)
        if 0 <= row < rows and 0 <= column < columns
    ]


def _paint_places(figure: Boundary, columns: int, rows: int) -> list[list[str]]:
    """The colour of each place, the top row first; examples are brighter than their region."""
    values = _resampled(figure.values, columns, rows)
    if figure.classes is None:
        low, high = float(figure.values.min()), float(figure.values.max())
        return [[ramp((each - low) / ((high - low) or 1.0)) for each in row] for row in values]
    certainty = _resampled(figure.certainty, columns, rows)
    painted = [
        [mixed(colour(int(value)), 0.2 + 0.4 * sure, GROUND) for value, sure in zip(row, sures, strict=True)]
        for row, sures in zip(values, certainty, strict=True)
    ]
    for row, column, target in _places(figure, columns, rows):
        painted[row][column] = mixed(colour(int(target)), 0.75, "#ffffff")
    return painted
