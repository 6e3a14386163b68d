"""The reader of CSV and TSV files.

NumPy parses plain files: it is quick, but it reports no line numbers, and understands neither true and false nor quotes
after spaces. Files that it cannot read, or seems to have misread, are read again by Python's csv module, slowly.
"""

import csv
import io
import warnings
from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data.raw import Raw, Selection, decompressed, is_missing, quoted, reading, unnamed, value_in
from distsearch.data.readers.columns import choose
from distsearch.errors import DataError

LEAST_COUNTED = 4  # a first line 0, 1, 2, … with this many cells holds column names, not an example
LONGEST_LINE = 32_000_000  # characters; parsing a line takes many times as much memory


@dataclass(frozen=True)
class _Layout:
    """The names and roles of a file's columns."""

    names: Sequence[str]
    headed: bool  # whether the first line holds the names
    features: Sequence[int]  # column indices, in the selected order
    target: int | None

    @property
    def dtype(self) -> np.dtype[Any]:
        """A type with every column, so that NumPy checks their number; unselected text is cut to one letter."""
        wanted = set(self.features)
        kinds = ["f8" if at in wanted else "O" if at == self.target else "U1" for at in range(len(self.names))]
        fields = []
        for kind, run in groupby(range(len(kinds)), key=kinds.__getitem__):
            indices = list(run)
            fields.append((f"{kind}{indices[0]}", kind, (len(indices),)))
        return np.dtype(fields)

    def numbers(self, row: Sequence[str]) -> list[float]:
        """The features of a line. Raises ValueError saying what is wrong with it."""
        if len(row) != len(self.names):
            where = "in the header" if self.headed else "in the first line"
            raise ValueError(f"expected {len(self.names)} columns as {where}, got {len(row)}; fix or remove the line")
        numbers = []
        for column in self.features:
            number = value_in(row[column])
            if number is None:
                raise ValueError(_no_number(self.names[column], row[column].strip()))
            numbers.append(number)
        return numbers


def _no_number(column: str, cell: str) -> str:
    what = f"expected a number in column {quoted(column)}, got {quoted(cell) if cell else 'nothing'}"
    if is_missing(cell):
        return f"{what}; fill it in or remove the line"
    return f"{what}; write it as a number, or leave the column out"


def read(path: str, selection: Selection, delimiter: str = ",") -> Raw:
    """Read a text table, with or without a header line."""
    file = _File(path, delimiter)
    layout = _layout(file, selection)
    matrix, targets = _parsed(file, layout) or _read(file, layout)
    notes = () if layout.headed or selection.features is not None else (_headless(path, layout.names),)
    return Raw(
        path,
        matrix,
        targets,
        tuple(layout.names[index] for index in layout.features),
        "" if layout.target is None else layout.names[layout.target],
        place=partial(file.place, layout.headed),
        notes=notes,
    )


def _headless(path: str, names: Sequence[str]) -> str:
    return (
        f"{path} begins with numbers, not with column names: its first line is read as an example, and its "
        f"columns are called {names[0]} to {names[-1]}"
    )


@dataclass(frozen=True)
class _File:
    """A CSV file read by Python's csv module: slow, but it knows the line numbers."""

    path: str
    delimiter: str

    @contextmanager
    def text(self) -> Iterator[Iterator[str]]:
        """The lines of the text, from its beginning."""
        with reading(self.path, "a text table", (csv.Error,)), decompressed(self.path) as file:
            try:
                with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
                    yield self._lines(text)
            except UnicodeDecodeError:
                raise DataError(f"{self.path}{self._undecodable()}; save it as UTF-8") from None

    def _lines(self, text: io.TextIOWrapper) -> Iterator[str]:
        while line := text.readline(LONGEST_LINE + 1):
            if len(line) > LONGEST_LINE:
                raise DataError(f"expected {self.path} to be a text table, but it has an endless line")
            yield line

    def rows(self, lines: Iterable[str], *, strict: bool = False) -> Any:
        """A csv.reader of the lines. If strict, it raises csv.Error for text after a closing quote, even spaces."""
        return csv.reader(lines, delimiter=self.delimiter, skipinitialspace=True, strict=strict)

    def first(self) -> list[str]:
        """The cells of the first non-empty line. Raises DataError if there is none, or if the file is not a table."""
        with self.text() as text:
            cells = [cell.strip() for cell in next(filter(None, self.rows(text)), [])]
        if not cells:
            raise DataError(f"{self.path} is empty; expected a header line with column names, and examples")
        if any("\0" in cell for cell in cells):
            raise DataError(f"expected {self.path} to be a text table, but it contains zero bytes")
        other = next((mark for mark in ";\t," if mark != self.delimiter and mark in cells[0]), None)
        if len(cells) == 1 and other is not None:
            raise DataError(
                f"{self.path}: expected columns separated by {self.delimiter!r}, got {other!r}; "
                "save it with commas as .csv, or with tabs as .tsv"
            )
        return cells

    def recurs(self, column: int, cell: str) -> bool:
        """Whether a cell of the first line occurs in its column again."""
        with self.text() as text:
            others = islice(filter(None, self.rows(text)), 1, None)
            return any(row[column].strip() == cell for row in others if column < len(row))

    def place(self, headed: bool, example: int) -> str:
        """The line of an example, counting from 1."""
        with self.text() as text:
            reader = self.rows(text)
            ends = (reader.line_num for row in reader if row)
            return f"line {next(islice(ends, example + headed, None))}"

    def _undecodable(self) -> str:
        with decompressed(self.path) as file:
            for number, line in enumerate(file, start=1):
                try:
                    line.decode()
                except UnicodeDecodeError as error:
                    return f", line {number}: expected text in UTF-8, got the byte 0x{line[error.start]:02x}"
        return ": expected text in UTF-8"


def _layout(file: _File, selection: Selection) -> _Layout:
    """The layout of a file's columns: named by its first line, or x0, x1, … if that is an example."""
    first = file.first()
    numbered = unnamed(len(first))
    headed = not _is_example(file, first, numbered, selection)
    names = first if headed else numbered
    return _Layout(names, headed, *choose(file.path, names, selection))


def _is_example(file: _File, first: Sequence[str], numbered: Sequence[str], selection: Selection) -> bool:
    """Whether the first line is an example: its features are numbers, and its label is one or occurs again."""
    if selection.features is not None:
        wanted = set(selection.features)
        cells = [cell for cell, name in zip(first, numbered, strict=True) if name in wanted]
        return len(cells) == len(wanted) and not wanted <= set(first) and _are_numbers(cells)
    if selection.target and selection.target not in numbered:
        return False
    target = numbered.index(selection.target) if selection.target else len(first) - 1
    features = [*first[:target], *first[target + 1 :]]
    if not features or not _are_numbers(features) or _are_counted(first, target):
        return False
    return _are_numbers([first[target]]) or file.recurs(target, first[target])


def _are_numbers(cells: Iterable[str]) -> bool:
    return all(value_in(cell) is not None for cell in cells)


def _are_counted(first: Sequence[str], target: int) -> bool:
    """Whether the columns are named 0, 1, 2, … as pandas names them by default."""
    counted = (cell == str(index) or index == target for index, cell in enumerate(first))
    return len(first) >= LEAST_COUNTED and all(counted)


def _parsed(file: _File, layout: _Layout) -> tuple[NDArray[np.float64], NDArray[Any] | None] | None:
    """Features and targets as NumPy reads them; None if it cannot, or if quotes misled it."""
    with file.text() as text:
        if layout.headed:
            next(filter(None, file.rows(text)))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # a file with only a header, which `checks` reports
                cells = np.loadtxt(text, layout.dtype, comments=None, delimiter=file.delimiter, quotechar='"', ndmin=1)
        except UnicodeDecodeError:
            raise
        except ValueError:
            return None
    targets = None
    if layout.target is not None:
        targets = np.array([cell.strip() for cell in cells[f"O{layout.target}"][:, 0]], object)
        # An unclosed quote swallows the lines after it; a quote after a space is taken for text.
        if any(label.startswith('"') or "\n" in label for label in targets):
            return None
    numbers = [cells[field] for field in cells.dtype.names or () if field.startswith("f8")]
    matrix = numbers[0] if len(numbers) == 1 else np.concatenate(numbers, axis=1)
    order = np.argsort(np.argsort(layout.features))
    return matrix if (np.diff(order) > 0).all() else matrix[:, order], targets


def _read(file: _File, layout: _Layout) -> tuple[NDArray[np.float64], NDArray[Any] | None]:
    """Features and targets as Python reads them. Raises DataError naming the first line that does not fit."""
    numbers, labels = array("d"), []
    with file.text() as text:
        for line, row in islice(_filled(file, text), int(layout.headed), None):
            try:
                numbers.extend(layout.numbers(row))
            except ValueError as error:
                raise DataError(f"{file.path}, line {line}: {error}") from None
            if layout.target is not None:
                labels.append(row[layout.target].strip())
    matrix = np.array(numbers).reshape(-1, len(layout.features))
    return matrix, None if layout.target is None else np.array(labels, object)


def _filled(file: _File, text: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The non-empty rows, each with the number of its last line. Raises DataError for unbalanced quotes."""
    lines = _Lines(text)
    rows = file.rows(lines)
    try:
        for row in rows:
            taken, lines.taken = lines.taken, []
            if lines.ended:
                raise csv.Error("one that is never closed")
            if len(taken) > 1:  # a stray quote closed only by the next one swallows the lines between
                deque(file.rows(taken, strict=True), 0)
            if row:
                yield rows.line_num, row
    except csv.Error as error:
        wrong = f"expected quotes in pairs, got {error}; fix them"
        raise DataError(f"{file.path}, line {rows.line_num}: {wrong}") from None


class _Lines:
    """An iterator of lines that records those taken for the current row, and whether it ran out."""

    def __init__(self, text: Iterable[str]) -> None:
        self._text = text
        self.taken: list[str] = []
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        for line in self._text:
            self.taken.append(line)
            yield line
        self.ended = True
