"""Draws figures in the terminal: plain where there is no colour, in ASCII where there is no UTF-8."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from distsearch.reports.figures import (
    Bars,
    Boundary,
    Confusion,
    Curves,
    Figure,
    colour,
    mixed,
    number_text,
    ramp,
)
from distsearch.reports.terminal_curves import CurvePlot
from distsearch.text import escaped

SMALLEST_WIDTH, LARGEST_WIDTH = 40, 120  # characters
SMALLEST_HEIGHT, HEIGHT = 6, 18  # rows
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # of classes, without colour
BLOCK, PLAIN_BLOCK = "█", "#"
SHADES = 10  # of a region: places alike are drawn at once
GROUND = "#1b1f27"  # what unsure places fade to
MOST_CLASSES = 16  # in a table of confusion that fits


class Terminal:
    """How figures are drawn: how wide, with colours or not, with UTF-8 or not."""

    def __init__(self, width: int, coloured: bool, utf8: bool, height: int = HEIGHT) -> None:
        self.width = max(SMALLEST_WIDTH, min(width, LARGEST_WIDTH))
        self.height = max(SMALLEST_HEIGHT, min(height, HEIGHT))
        self.coloured = coloured
        self.utf8 = utf8

    def drawn(self, figure: Figure) -> RenderableType:
        """A figure with its title above and its note below."""
        match figure:
            case Curves():
                body: RenderableType = CurvePlot(figure, self).drawn()
            case Bars():
                body = self._bars(figure)
            case Confusion():
                body = self._confusion(figure)
            case Boundary():
                body = self.boundary(figure)
        parts = [Text(self.plain(figure.title), style="bold"), body]
        if figure.note:
            parts.append(Text(self.plain(figure.note), style="dim"))
        return Group(*parts)

    def plain(self, text: str) -> str:
        """The text with control characters as escapes, and in ASCII where that is all there is."""
        text = escaped(text)
        if self.utf8:
            return text
        return text.replace("σ", "sigma").replace("–", "-").replace("…", "...").encode("ascii", "replace").decode()

    def _bars(self, figure: Bars) -> Table:
        table = Table.grid(padding=(0, 1))
        table.add_column(justify="right", no_wrap=True, max_width=self.width // 3)
        table.add_column()
        table.add_column(justify="right")
        most = max(max(figure.values, default=0.0), 1e-12)
        room = self.width - min(self.width // 3, max(map(len, figure.names), default=0)) - 12
        for name, value in zip(figure.names, figure.values, strict=True):
            length = round(max(0.0, value) / most * room)
            bar = Text((BLOCK if self.utf8 else PLAIN_BLOCK) * length, style=colour(0))
            table.add_row(Text(self.plain(name)), bar, f"{value:.3g}")
        table.add_row("", Text(figure.x_label, style="dim"), "")
        return table

    def _confusion(self, figure: Confusion) -> RenderableType:
        shown = figure.classes[:MOST_CLASSES]
        table = Table.grid(padding=(0, 0))
        widest = max(len(f"{figure.counts.max():,}"), min(8, max(map(len, shown)))) + 2
        if len(figure.classes) > MOST_CLASSES or widest * len(shown) > self.width - 12:
            return self._mistakes(figure)
        table.add_column(justify="right", max_width=16, no_wrap=True)
        for _ in shown:
            table.add_column(justify="right", width=widest)
        heads = [Text(self.plain(name), style="bold") for name in shown]
        for head in heads:
            head.truncate(widest - 1, overflow="ellipsis" if self.utf8 else "crop")
            head.append(" ")
        table.add_row(Text("true \\ predicted ", style="dim"), *heads)
        for number, name in enumerate(shown):
            row = figure.counts[number]
            total = max(1, int(row.sum()))
            styles = [
                self._shade(count / total, number == other) if count else "dim" for other, count in enumerate(row)
            ]
            texts = [f"{count:,} " if count else self.plain("– ") for count in row]
            cells = [Text(text, style, justify="right") for text, style in zip(texts, styles, strict=True)]
            table.add_row(Text(f"{self.plain(name)} ", style="bold"), *cells)
        return table

    def _mistakes(self, figure: Confusion) -> Table:
        """The most frequent mistakes, where there are too many classes for a table of all."""
        wrong = figure.counts.copy()
        np.fill_diagonal(wrong, 0)
        table = Table(box=None, pad_edge=False)
        for name in ("true", "predicted"):
            table.add_column(name)
        table.add_column("examples", justify="right")
        for flat in np.argsort(wrong, axis=None)[::-1][: self.height]:
            row, column = divmod(int(flat), len(figure.classes))
            if count := int(wrong[row, column]):
                names = (Text(self.plain(figure.classes[each])) for each in (row, column))
                table.add_row(*names, f"{count:,}")
        return table

    def _shade(self, share: float, right: bool) -> str:
        if not self.coloured:
            return "bold" if right else ""
        ground = mixed(colour(2 if right else 3), 0.25 + 0.6 * share, "#1b1f27")
        return f"#ffffff on {ground}"

    def boundary(self, figure: Boundary) -> Text:
        """The plane by half blocks, two places a character; letters where there is no colour."""
        columns = self.width - 2
        height = min(self.height, max(8, round(columns * 3 / 8)))
        if not (self.coloured and self.utf8):
            return self._letters(figure, columns, height)
        colours = _paint_places(figure, columns, 2 * height)
        text = Text()
        for upper, lower in zip(colours[::2], colours[1::2], strict=True):
            for (above, below), places in groupby(zip(upper, lower, strict=True)):
                text.append("▀" * len(list(places)), style=f"{above} on {below}")
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
        if figure.classes is None:
            low, high = float(figure.values.min()), float(figure.values.max())
            name = f"{self.plain(figure.number)}: " if figure.number else ""
            keys = Text.assemble(name, (f"{number_text(low)} ", ramp(0)), (f"to {number_text(high)}", ramp(1)))
        else:
            keys = self._keys(figure.classes)
        if not self.coloured and figure.classes is not None:
            axes += "; capitals are examples"
        return Text.assemble(keys, "  ", (self.plain(axes), "dim"))

    def _keys(self, classes: Sequence[str]) -> Text:
        """What stands for each class, in lines that end between two of them."""
        text, used = Text(), 0
        for number, name in enumerate(classes):
            key = "■" if self.coloured and self.utf8 else LETTERS[number % len(LETTERS)].lower()
            entry = f"{key} {self.plain(name)}"
            if used:
                fits = used + 2 + cell_len(entry) <= self.width
                text.append("  " if fits else "\n")
                used = used + 2 if fits else 0
            text.append(entry, colour(number) if self.coloured else "")
            used += cell_len(entry)
        return text


def _resampled(values: NDArray[np.float64], columns: int, rows: int) -> NDArray[np.float64]:
    """The values at that many places, the top row first."""
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
        [
            mixed(colour(int(value)), 0.2 + 0.4 * round(sure * SHADES) / SHADES, GROUND)
            for value, sure in zip(row, sures, strict=True)
        ]
        for row, sures in zip(values, certainty, strict=True)
    ]
    for row, column, target in _places(figure, columns, rows):
        painted[row][column] = mixed(colour(int(target)), 0.75, "#ffffff")
    return painted
