"""Draws curves in the terminal, by plotext."""

from collections.abc import Sequence
from math import log10
from typing import Any, Protocol

import numpy as np
from rich.text import Text

from distsearch.reports.figures import (
    Curves,
    Line,
    colour,
    log_ticks,
    mixed,
    number_text,
    rgb,
    shortened,
    tick_texts,
    ticks,
)
from distsearch.reports.packages import imported

SYMBOLS = "*o+x#@%&"  # of lines, without UTF-8
PLAIN_FRAME = str.maketrans("┤├┼│─└┘┌┐┬┴", "++++" + "-" + "++++++")
BAND_STEP = 6  # points of a band's edges that one dot stands for
MOST_MARKS = 12
NAME_GAP = 2  # characters between the end of a line and its name
AXES_ROWS = 3  # the axis, its numbers and its name


class Surface(Protocol):
    """What is drawn on: that many characters, coloured or not, with UTF-8 or not."""

    width: int
    height: int
    coloured: bool
    utf8: bool

    def plain(self, text: str) -> str:
        """The text in letters that it can show."""
        ...


class CurvePlot:
    """Curves on a terminal: the name of each stands where it ends."""

    def __init__(self, figure: Curves, surface: Surface) -> None:
        self._figure = figure
        self._surface = surface
        self._lines = [each for each in figure.lines if len(each.x)]
        self._heights = [np.log10(each.y) if figure.logarithmic else each.y for each in self._lines]
        self._low, self._high = self._range()
        self._left = min(float(each.x.min()) for each in self._lines)
        self._right = max(float(each.x.max()) for each in self._lines)
        self._names = [self._name(each, number) for number, each in enumerate(self._lines)]
        self._plotext = imported("plotext")

    def drawn(self) -> Text:
        """The plot, what y is above it, and what happened when below it."""
        figure, surface = self._figure, self._surface
        draft = self._plotext.figure
        draft.clear()
        draft.theme("colorless")
        draft.plot_size(surface.width, surface.height)
        self._draw_lines(draft)
        self._draw_axes(draft)
        text = Text.from_ansi(str(draft.build()).rstrip())
        draft.clear()
        body = text if surface.utf8 else Text(text.plain.translate(PLAIN_FRAME))
        heading = Text(f"{surface.plain(figure.heading)}\n" if figure.heading else "", style="dim")
        marks = (f"\n{number_text(x)} s: {surface.plain(what)}" for x, what in figure.marks[:MOST_MARKS])
        return Text.assemble(heading, body, *marks)

    def _draw_lines(self, draft: Any) -> None:
        for number, (each, y) in enumerate(zip(self._lines, self._heights, strict=True)):
            self._draw_band(draft, each)
            signal = draft.signal(each.x.tolist(), y.tolist(), marker=self._marker(each, number))
            signal.lines(each.style != "dots")
            draft.draw(signal)

    def _draw_band(self, draft: Any, line: Line) -> None:
        pale = mixed(colour(line.colour), 0.5, "#808080")
        marker = self._painted_marker("braille" if self._surface.utf8 else ".", pale)
        for edge in (line.low, line.high):
            if edge is not None:
                y = np.log10(edge) if self._figure.logarithmic else edge
                signal = draft.signal(line.x.tolist()[::BAND_STEP], y.tolist()[::BAND_STEP], marker=marker)
                draft.draw(signal.lines(False))

    def _draw_axes(self, draft: Any) -> None:
        found = self._y_ticks()
        margin = max(map(len, self._names)) + NAME_GAP
        columns = max(10, self._surface.width - max(len(text) for _, text in found) - margin - 3)
        column = ((self._right - self._left) or 1.0) / columns
        self._draw_names(draft, column)
        draft.ruler("y").lim(self._low, self._high)
        draft.ruler("x").lim(self._left, self._left + column * (columns + margin))
        draft.ruler("y").ticks([place for place, _ in found], [text for _, text in found])
        places = ticks(self._left, self._right, max(3, columns // 9))
        if all((each.x == np.round(each.x)).all() for each in self._lines):
            places = [place for place in places if place == round(place)]
        draft.ruler("x").ticks(places, tick_texts(places, False))
        for axis, side in (("x", "upper"), ("y", "right")):
            draft.axes(False, axis=axis, side=side)
        draft.label(self._surface.plain(self._figure.x_label), "x")

    def _draw_names(self, draft: Any, column: float) -> None:
        """Write the name of each line beside its end, where no other name is."""
        rows = self._surface.height - AXES_ROWS
        span = self._high - self._low
        named = [number for number, name in enumerate(self._names) if name]
        ends = [float(self._heights[number][np.argmax(self._lines[number].x)]) for number in named]
        wanted = [round((end - self._low) / span * (rows - 1)) for end in ends]
        for number, row in zip(named, _apart(wanted, rows), strict=True):
            line, text = self._lines[number], self._names[number]
            if self._surface.coloured:
                text = self._plotext.colorize(text, self._plotext.pixel(rgb(colour(line.colour))))
            draft.draw(draft.text(float(line.x.max()) + NAME_GAP * column, self._low + span * row / (rows - 1), text))

    def _name(self, line: Line, number: int) -> str:
        """A line's name, with its symbol where only that tells it from others."""
        symbol = self._symbol(line, number)
        marked = symbol in SYMBOLS and sum(bool(each.name) for each in self._lines) > 1
        name = f"{symbol} {line.name}" if line.name and marked else line.name
        return shortened(self._surface.plain(name), self._surface.width * 2 // 5)

    def _symbol(self, line: Line, number: int) -> str:
        """What a line is drawn with. Without colours, symbols tell dots apart, and without UTF-8 all lines."""
        if self._surface.utf8 and line.style != "dots":
            return "braille"
        if self._surface.utf8 and self._surface.coloured:
            return "•"
        return SYMBOLS[number % len(SYMBOLS)]

    def _marker(self, line: Line, number: int) -> Any:
        return self._painted_marker(self._symbol(line, number), colour(line.colour))

    def _painted_marker(self, symbol: str, code: str) -> Any:
        if not self._surface.coloured:
            return symbol
        return self._plotext.marker(symbol, self._plotext.pixel(rgb(code)))

    def _range(self) -> tuple[float, float]:
        """From where to where the y axis goes; in powers of ten if it is logarithmic."""
        figure = self._figure
        edges = [edge for each in self._lines for edge in (each.low, each.high) if edge is not None]
        values = [*self._heights, *(np.log10(edge) if figure.logarithmic else edge for edge in edges)]
        low, high = min(float(each.min()) for each in values), max(float(each.max()) for each in values)
        low = min(low, 0.0) if figure.from_zero else low
        room = (high - low) * 0.03 or max(abs(high) * 0.1, 0.1)
        high = min(high + room, max(high, 1.0)) if figure.percent else high + room
        return low if low == 0 else low - room, high

    def _y_ticks(self) -> list[tuple[float, str]]:
        low, high, percent = self._low, self._high, self._figure.percent
        if self._figure.logarithmic:
            found = log_ticks(10**low, 10**high, 8)
            return list(zip(map(log10, found), tick_texts(found, percent), strict=True))
        found = ticks(low, high, 6)
        return list(zip(found, tick_texts(found, percent), strict=True))


def _apart(wanted: Sequence[int], rows: int) -> list[int]:
    """Rows near those wanted, from 0 on, no two the same."""
    found = [0] * len(wanted)
    taken = -1
    order = sorted(range(len(wanted)), key=lambda number: wanted[number])
    for position, number in enumerate(order):
        left = len(order) - position - 1
        taken = found[number] = max(taken + 1, min(wanted[number], rows - 1 - left))
    return found
