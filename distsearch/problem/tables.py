"""Readers of tables, whose columns have names: CSV and Parquet."""

import csv
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import groupby, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.errors import DataError
from distsearch.problem.raw import Columns, Raw, listed, number_in, quoted, reading, unpacked

_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


def _choose(path: str, names: Sequence[str], columns: Columns) -> tuple[list[int], int | None]:
    """Which of a table's columns are the features, in the wanted order, and which is the target."""
    for index, name in enumerate(names):
        if not name:
            raise DataError(
                f"{path}: expected a name for every column, but column {index + 1} has none; "
                "name it, or write the table without its index"
            )
    if len(set(names)) < len(names):
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise DataError(f"{path}: expected every column name once, got {quoted(twice)} twice; rename one of them")
    place = {name: index for index, name in enumerate(names)}
    target = _target(path, names, columns) if columns.targets else None
    if columns.features is None:
        features = [index for index in range(len(names)) if index != target]
        if not features:
            raise DataError(f"{path}: expected a feature beside the target, got only {quoted(names[0])}; add one")
        return features, target
    for name in columns.features:
        if name not in place:
            count = len(columns.features)
            raise DataError(f"{path}: expected the {count} features that were trained on, but {_lacks(name, names)}")
    return [place[name] for name in columns.features], target


def _target(path: str, names: Sequence[str], columns: Columns) -> int:
    if columns.target:
        if columns.target not in names:
            raise DataError(f"{path}: expected a target column, but {_lacks(columns.target, names)}")
        if columns.target in (columns.features or ()):
            raise DataError(
                f"{path}: expected a target column, got {quoted(columns.target)}, which is a feature; "
                "choose the column that the training chose"
            )
        return names.index(columns.target)
    wanted = set(columns.features or ())
    free = [index for index, name in enumerate(names) if name not in wanted]
    if not free:
        raise DataError(f"{path}: expected a target column beside the features, but there is none; add it")
    return free[-1]


def _lacks(name: str, names: Sequence[str]) -> str:
    near = get_close_matches(name, names, n=1)
    hint = f" (did you mean {quoted(near[0])}?)" if near else ""
    return f"there is no column {quoted(name)}{hint}; the columns are {listed(names)}"


def read_csv(path: str, columns: Columns, delimiter: str = ",") -> Raw:
    """A table of text with a header line. NumPy parses the numbers: it is quick, but names no lines."""
    table = _Csv(path, delimiter)
    with table.rows() as (text, reader):
        names = table.header(reader)
        features, target = _choose(path, names, columns)
        wanted = set(features)
        kinds = ["f8" if index in wanted else "O" if index == target else "U1" for index in range(len(names))]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # a header alone: `checks` says so
                cells = np.loadtxt(text, _record(kinds), comments=None, delimiter=delimiter, quotechar='"', ndmin=1)
        except UnicodeDecodeError:
            raise
        except ValueError as error:
            raise DataError(table.misfit(names, features) or f"{path}: {error}") from None
    targets = None
    if target is not None:
        targets = np.array([cell.strip() for cell in cells[f"O{target}"][:, 0]], object)
        # A quote that is never closed swallows the lines after it.
        wrong = table.misfit(names, features) if any("\n" in label for label in targets) else None
        if wrong:
            raise DataError(wrong)
    numbers = [cells[field] for field in cells.dtype.names or () if field.startswith("f8")]
    matrix = numbers[0] if len(numbers) == 1 else np.concatenate(numbers, axis=1)
    if features != sorted(features):
        matrix = matrix[:, np.argsort(np.argsort(features))]
    chosen = tuple(names[index] for index in features)
    return Raw(path, matrix, targets, chosen, "" if target is None else names[target], place=table.place)


def _record(kinds: Sequence[str]) -> np.dtype[Any]:
    """A dtype with every column, so that NumPy counts them; text that is not wanted is cut to a letter."""
    fields = []
    for kind, run in groupby(range(len(kinds)), key=kinds.__getitem__):
        indices = list(run)
        fields.append((f"{kind}{indices[0]}", kind, (len(indices),)))
    return np.dtype(fields)


@dataclass(frozen=True)
class _Csv:
    """A CSV file as Python's csv module sees it: slowly, but it knows the lines. For header and errors."""

    path: str
    delimiter: str

    @contextmanager
    def rows(self, *, strict: bool = False) -> Iterator[tuple[io.TextIOWrapper, Any]]:
        """The text, open at its beginning, and a csv.reader of it."""
        with reading(self.path, "a table of text", (csv.Error,)), unpacked(self.path) as file:
            text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
            try:
                yield text, csv.reader(text, delimiter=self.delimiter, strict=strict)
            except UnicodeDecodeError:
                raise DataError(f"{self.path}{self._undecodable()}; save it as UTF-8") from None

    def header(self, reader: Iterator[list[str]]) -> list[str]:
        """The column names, read off the first line that is not empty."""
        names = [name.strip() for name in next(filter(None, reader), [])]
        if not names:
            raise DataError(f"{self.path} is empty; expected a header line with column names, and examples")
        if any("\0" in name for name in names):
            raise DataError(f"expected {self.path} to be a table of text, but it is not: it holds zero bytes")
        if all(number_in(name) is not None for name in names):
            first = ", ".join(names[:3])
            raise DataError(
                f"{self.path}: expected a header line with column names, got numbers ({first}…); "
                "add such a line at the top"
            )
        other = next((mark for mark in ";\t," if mark != self.delimiter and mark in names[0]), None)
        if len(names) == 1 and other is not None:
            raise DataError(
                f"{self.path}: expected columns separated by {self.delimiter!r}, got {other!r}; "
                "save it with commas as .csv, or with tabs as .tsv"
            )
        return names

    def place(self, example: int) -> str:
        """The line of an example, counted from 1."""
        with self.rows() as (_, reader):
            ends = (reader.line_num for row in reader if row)
            return f"line {next(islice(ends, example + 1, None))}"  # the header comes first

    def misfit(self, names: Sequence[str], numeric: Sequence[int]) -> str | None:
        """What is wrong with the first line that does not fit the header; None if all do."""
        with self.rows(strict=True) as (_, reader):
            try:
                filled = filter(None, reader)
                next(filled)
                for row in filled:
                    wrong = _wrong(row, names, numeric)
                    if wrong:
                        return f"{self.path}, line {reader.line_num}: {wrong}"
            except csv.Error as error:
                return f"{self.path}, line {reader.line_num}: expected quotes in pairs, got {error}; mend them"
        return None

    def _undecodable(self) -> str:
        with unpacked(self.path) as file:
            for number, line in enumerate(file, start=1):
                try:
                    line.decode()
                except UnicodeDecodeError as error:
                    return f", line {number}: expected text in UTF-8, got the byte 0x{line[error.start]:02x}"
        return ": expected text in UTF-8"


def _wrong(row: Sequence[str], names: Sequence[str], numeric: Sequence[int]) -> str | None:
    if len(row) != len(names):
        return f"expected {len(names)} columns as in the header, got {len(row)}; mend or delete the line"
    for column in numeric:
        cell = row[column].strip()
        if not cell:
            return f"expected a number in column {quoted(names[column])}, got nothing; fill it in"
        if number_in(cell) is None:
            return (
                f"expected a number in column {quoted(names[column])}, got {quoted(cell)}; "
                "write it as a number, or leave the column out"
            )
    return None


def read_parquet(path: str, columns: Columns) -> Raw:
    """A Parquet table, by pyarrow. An empty cell becomes NaN or None."""
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise DataError(
            f'{path} is read by pyarrow, which is not installed; type pip install "distsearch[parquet]"'
        ) from None
    with (
        # On damaged bytes pyarrow raises almost anything.
        reading(path, "a Parquet file", damage=(Exception,)),
        open(path, "rb") as file,
        parquet.ParquetFile(file) as content,
    ):
        names = [name for name in content.schema_arrow.names if not _PANDAS_INDEX.fullmatch(name)]
        features, target = _choose(path, names, columns)
        chosen = [names[index] for index in features]
        label = None if target is None else names[target]
        table = content.read(columns=chosen if label is None else [*chosen, label])
        matrix = np.empty((table.num_rows, len(chosen)))
        for index, name in enumerate(chosen):
            column = table.column(name)
            truth = arrow.types.is_boolean(column.type)
            values = _numbers(column.cast(arrow.int8()) if truth else column, arrow)
            if values is None:
                raise DataError(
                    f"{path}: expected numbers in column {quoted(name)}, got {column.type}; "
                    "write it as numbers, or leave the column out"
                )
            matrix[:, index] = values
        targets = None if label is None else _targets(table.column(label), arrow)
    return Raw(path, matrix, targets, tuple(chosen), label or "", place=lambda example: f"row {example + 1}")


def _targets(column: Any, arrow: Any) -> NDArray[Any]:
    """The column's values, (examples,), for targets: decimal numbers are text, as no float has their digits."""
    if arrow.types.is_decimal(column.type):
        column = column.cast(arrow.string())
    numbers = _numbers(column, arrow)
    return np.fromiter(column.to_pylist(), object, len(column)) if numbers is None else numbers


def _numbers(column: Any, arrow: Any) -> NDArray[Any] | None:
    """The column's values, (examples,), or None if they are not numbers. Booleans are labels, not numbers."""
    kind = column.type
    if arrow.types.is_decimal(kind):
        return np.asarray(column.cast(arrow.float64()).to_numpy())
    if arrow.types.is_integer(kind) or arrow.types.is_floating(kind):
        return np.asarray(column.to_numpy())
    return None
