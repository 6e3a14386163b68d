"""The reader of text tables: CSV, TSV, and what is written like them.

Python's csv module reads them, and not pyarrow: a plain table needs no extra package, is read alike whether it is
installed or not, and whatever is wrong is named with its line. A column of numbers is kept as numbers, block by block,
so that a table takes little more memory than its numbers.
"""

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

from distsearch.data.raw import Raw, Selection, Table, looks_like_code, quoted, reading, unnamed
from distsearch.data.readers.columns import Choice, choose, join_names, spare_of
from distsearch.data.readers.dialect import Dialect, dialect_of, fitted, opened, readable, rows_of
from distsearch.data.readers.text_columns import Cells, TextColumns
from distsearch.data.readers.values import side_by_side
from distsearch.errors import DataError

LEAST_COUNTED = 4  # a first line 0, 1, 2, … with this many cells holds column names, not an example
ROWS = 8192  # of a block
ROWS_THAT_TELL = 1000  # in which the cells of a first line of text occur again if it is an example


@dataclass(frozen=True)
class _Layout:
    """The names and roles of a file's columns."""

    names: Sequence[str]
    headed: bool  # whether a line holds the names
    choice: Choice
    begins: str = "numbers"  # what the first line has, where it is an example
    left_out: str = ""  # a clause on what is, though nobody asked for it

    @property
    def skipped(self) -> int:
        """Rows above the examples."""
        return int(self.headed)


def read(path: str, selection: Selection, delimiter: str = ",") -> Raw:
    """Read a text table, with or without a header line."""
    with reading(path, "a text table", (csv.Error, UnicodeError)):
        file, layout = _opened(_File(path, dialect_of(path, delimiter, selection.decimal)), selection)
        texts = {index for index in layout.choice.features if layout.names[index] in selection.texts}
        reader = _columns(file, layout, texts)
        columns = reader.columns()
        file = replace(file, dialect=replace(file.dialect, commas=file.dialect.commas | reader.commas))
        notes = _notes(file, layout, reader) if selection.features is None else ()
        return _raw(file, layout, columns, (*_how_read(file, layout, delimiter, reader), *notes))


def chunks(path: str, selection: Selection, rows: int, delimiter: str = ",") -> Iterator[Raw]:
    """The table in runs of so many rows, of any length in constant memory."""
    with reading(path, "a text table", (csv.Error, UnicodeError)):
        dialect = dialect_of(path, delimiter, selection.decimal, whole=False)
        file, layout = _opened(_File(path, dialect, whole=False), selection)
        texts = {index for index in layout.choice.features if layout.names[index] in selection.texts}
        first = 0
        with file.text() as text:
            examples = islice(_filled(file, text, len(layout.names), layout.headed), layout.skipped, None)
            while some := list(islice(examples, rows)):
                reader = TextColumns(layout.choice, texts, file.dialect.spelling_of, look=not first)
                reader.add(some)
                columns, notes = reader.columns(), () if first else _how_read(file, layout, delimiter, reader)
                yield _raw(file, layout, columns, notes, first)
                first += len(some)
        if not first:
            yield _raw(file, layout, TextColumns(layout.choice, texts, file.dialect.spelling_of).columns(), ())


def _opened(file: "_File", selection: Selection) -> "tuple[_File, _Layout]":
    """The file, with what is known of the spelling of its columns, and its layout."""
    layout = _layout(file, selection)
    return replace(file, dialect=file.dialect.with_commas(layout.names, selection.commas)), layout


def _raw(file: "_File", layout: _Layout, columns: dict[int, Cells], notes: tuple[str, ...], first: int = 0) -> Raw:
    """The examples of some columns, which begin at a row of the table."""
    names, choice = layout.names, layout.choice
    targets = [columns[index] for index in choice.targets]
    return Raw(
        file.path,
        Table(tuple(columns[index] for index in choice.features), len(next(iter(columns.values()), ()))),
        side_by_side(targets),
        tuple(names[index] for index in choice.features),
        join_names([names[index] for index in choice.targets]),
        place=partial(file.place, layout.skipped + first),
        notes=notes,
        beside={names[index]: columns[-1 - index] for index in choice.beside},
        spelling=file.dialect.spelling,
        commas=frozenset(names[index] for index in file.dialect.commas if index < len(names)),
    )


def _how_read(file: "_File", layout: _Layout, usual: str, reader: TextColumns) -> tuple[str, ...]:
    said = file.dialect.sentence(file.path, usual, layout.names, reader.marked.values())
    return (said,) if said else ()


def _notes(file: "_File", layout: _Layout, reader: TextColumns) -> tuple[str, ...]:
    """Sentences on which columns are learnt from."""
    codes = [looks_like_code(file.path, layout.names[index], code) for index, code in reader.codes.items()]
    headless = (
        f"{file.path} begins with {layout.begins}, not with column names: its first line is read as an example, and "
        f"its columns are called {layout.names[0]} to {layout.names[-1]}"
    )
    left_out = f"{file.path}: {layout.left_out}" if layout.left_out else ""
    return tuple(filter(None, ("" if layout.headed or file.dialect.header else headless, left_out, *codes)))


@dataclass(frozen=True)
class _File:
    """A text table and how it is written."""

    path: str
    dialect: Dialect
    whole: bool = True  # whether it is to be read as a whole

    @contextmanager
    def text(self) -> Iterator[Iterator[str]]:
        """The lines of the table, from its header on; comments are empty lines, so that lines can be counted."""
        with opened(self.path, self.dialect.encoding, whole=self.whole) as lines:
            yield map(self._line, range(1 << 62), lines)

    def _line(self, number: int, line: str) -> str:
        dialect = self.dialect
        if number < dialect.skipped or (dialect.commented and line.startswith("#")):
            return "\n"
        return line.strip(" \r\n") + "\n" if dialect.separator == " " else line

    def rows(self, lines: Iterable[str], *, strict: bool = False) -> Any:
        """A csv.reader of the lines."""
        return rows_of(lines, self.dialect.separator, strict=strict)

    def first(self) -> list[str]:
        """The cells of the first row. Raises DataError if there is none, or if the file is not a table."""
        with self.text() as text:
            cells = [cell.strip() for cell in next(filter(None, self.rows(text)), [])]
        if not cells:
            raise DataError(f"{self.path} is empty; expected a header line with column names, and examples")
        if any("\0" in cell for cell in cells):
            raise DataError(f"expected {self.path} to be a text table, but it contains zero bytes")
        return cells

    def names(self, header: list[str]) -> list[str]:
        """The names in a header, one for each cell of the row below it."""
        with self.text() as text:
            return fitted(header, next(islice(filter(None, readable(self.rows(text))), 1, None), header))

    def recur(self, cells: dict[int, str], rows: int | None = None) -> bool:
        """Whether cells of the first row, by column, all occur in their columns again, in the next rows or in all."""
        left = dict(cells)
        with self.text() as text:
            for row in islice(filter(None, readable(self.rows(text))), 1, None if rows is None else rows + 1):
                found = [column for column, cell in left.items() if column < len(row) and row[column].strip() == cell]
                for column in found:
                    del left[column]
                if not left:
                    return True
        return not left

    def names_numbers(self, cells: dict[int, str]) -> bool:
        """Whether one of these cells of the first row, by column, has only numbers below it, and perhaps itself."""
        numbers, others = set[int](), set[int]()
        with self.text() as text:
            for row in islice(filter(None, readable(self.rows(text))), 1, ROWS_THAT_TELL):
                for column in (at for at, cell in cells.items() if at < len(row) and row[at].strip() != cell):
                    is_number = self.dialect.spelling_of(column).value(row[column]) is not None
                    (numbers if is_number else others).add(column)
        return bool(numbers - others)

    def spare(self, names: Sequence[str], above: int, selection: Selection) -> tuple[set[int], str]:
        """The columns that need no name, in a table with so many rows above its examples, and a clause on them."""
        nameless = {index for index, name in enumerate(names) if not name}
        if not nameless or selection.features is not None:
            return nameless, ""
        with self.text() as text:
            return spare_of(nameless, islice(filter(None, readable(self.rows(text))), above, None))

    def refuse_title(self, title: str) -> None:
        """DataError if there are more columns below the only cell of the first line, which then names none."""
        with self.text() as text:
            below = len(next(islice(filter(None, self.rows(text)), 1, None), []))
        if below > 1:
            raise DataError(
                f"{self.path}: expected a name for every column in the first line, got only {quoted(title)} for "
                f"{below} columns; remove the lines above the names"
            )

    def place(self, above: int, example: int) -> str:
        """The line of an example, counting from 1, that has so many rows above the first one."""
        with reading(self.path, "a text table", (csv.Error, UnicodeError)), self.text() as text:
            reader = self.rows(text)
            ends = (reader.line_num for row in reader if row)
            return f"line {next(islice(ends, above + example, None))}"


def _layout(file: _File, selection: Selection) -> _Layout:
    """The layout of a file's columns: named by its first line or the comment above it, or x0, x1, … without."""
    first = file.first()
    if file.dialect.header:
        names = [name.strip() for name in next(file.rows([file.dialect.header]))]
        spare, left_out = file.spare(names, 0, selection)
        return _Layout(names, False, choose(file.path, names, selection, spare), left_out=left_out)
    numbered = unnamed(len(first))
    headed = not _is_example(file, first, numbered, selection)
    names = file.names(first) if headed else list(numbered)
    begins = "numbers" if any(_numbers_in(file, first)) else "text that comes again"
    if headed and len(first) == 1:
        file.refuse_title(names[0])
    spare, left_out = file.spare(names, int(headed), selection)
    return _Layout(names, headed, choose(file.path, names, selection, spare), begins, left_out)


def _is_example(file: _File, first: Sequence[str], numbered: Sequence[str], selection: Selection) -> bool:
    """Whether the first line is an example: each of its cells is a number or occurs again.

    Without numbers among them, the cells have to occur soon: most tables have names there, and are not read for this.
    """
    numbers = _numbers_in(file, first)
    if selection.features is not None:
        wanted = set(selection.features)
        typed = [number for number, name in zip(numbers, numbered, strict=True) if name in wanted - selection.texts]
        return wanted <= set(numbered) and not wanted <= set(first) and all(typed)
    named = [*selection.drop, *selection.beside, *([selection.target] if selection.target else [])]
    if named and not set(",".join(named).split(",")) <= set(numbered):
        return False
    target = len(first) - 1
    if _are_counted(first, target):
        return False
    texts = {column: cell for column, cell in enumerate(first) if not numbers[column]}
    begins_with_text = all(column in texts for column in range(target))
    if begins_with_text and not target:
        return False
    comes_again = file.recur(texts, ROWS_THAT_TELL if begins_with_text else None)
    return comes_again and not file.names_numbers(texts)  # a header that comes again is none of the examples


def _numbers_in(file: _File, row: Sequence[str]) -> list[bool]:
    """Which cells of a row are numbers."""
    return [file.dialect.spelling_of(column).value(cell) is not None for column, cell in enumerate(row)]


def _are_counted(first: Sequence[str], target: int) -> bool:
    """Whether the columns are named 0, 1, 2, … as pandas names them by default."""
    counted = (cell == str(index) or index == target for index, cell in enumerate(first))
    return len(first) >= LEAST_COUNTED and all(counted)


def _columns(file: _File, layout: _Layout, texts: set[int], mixed: frozenset[int] = frozenset()) -> TextColumns:
    """The chosen columns; those that turn out to hold more than numbers are read a second time, as text."""
    reader = TextColumns(layout.choice, texts, file.dialect.spelling_of, mixed)
    with file.text() as text:
        rows = islice(_filled(file, text, len(layout.names), layout.headed), layout.skipped, None)
        while some := list(islice(rows, ROWS)):
            reader.add(some)
    if found := reader.mixed():
        return _columns(file, layout, texts, mixed | found)
    return reader


def _filled(file: _File, text: Iterable[str], width: int, headed: bool) -> Iterator[list[str]]:
    """The non-empty rows. Raises DataError with the line for an example of another width, or for unbalanced quotes."""
    lines = _Lines(text)
    rows = file.rows(lines)
    names, where = headed, "the first line"  # whether a row of names is yet to come
    try:
        for row in rows:
            if len(lines.taken) > 1 or lines.ended:
                if lines.ended:
                    raise csv.Error("one that is never closed")
                deque(file.rows(lines.taken, strict=True), 0)  # a stray quote that only the next one closes
            lines.taken = []
            if not row:
                continue
            if names:
                names, where = False, "the header" if len(row) == width else "the first example"
            elif len(row) != width:
                raise DataError(
                    f"{file.path}, line {rows.line_num}: expected {width} columns as in {where}, got {len(row)}; "
                    "fix or remove the line"
                )
            yield row
    except csv.Error as error:
        wrong = f"expected quotes in pairs, got {error}; fix them"
        if "field limit" in str(error):
            most = f"{csv.field_size_limit():,} characters"
            wrong = f"expected cells of at most {most}, got a longer one; shorten it, or close the quotes before it"
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
