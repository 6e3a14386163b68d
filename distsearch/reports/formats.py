"""Tables of columns, in runs of rows, as bytes of CSV, JSON Lines or Parquet."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, cast

import msgspec
import numpy as np

from distsearch.errors.importing import importing
from distsearch.reports.predictions import Column

NINE_DIGITS, INEXACT = 1e9, 2.0**63  # numbers between these are written with all of their whole digits

GROUP_BYTES = 1 << 23  # of a row group in a Parquet file, before it is compressed
ARROWS = "to_pylist"  # a method of Arrow's columns, which have the type that they had in the input

Tables = Iterable[dict[str, Column]]


def as_csv(tables: Tables) -> Iterator[bytes]:
    """A header, and a line for each row. Probabilities have six decimals, others nine digits, or all whole ones."""
    for number, table in enumerate(tables):
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        if number == 0:
            writer.writerow(table)
        writer.writerows(zip(*(_written(name, column) for name, column in table.items()), strict=True))
        yield file.getvalue().encode(errors="backslashreplace")


def _written(name: str, column: Column) -> Iterable[Any]:
    if isinstance(column, np.ndarray) and column.dtype.kind == "f":
        is_probability = column.dtype == np.float32 and "probability" in name
        return map("{:.6f}".format if is_probability else _number, column.tolist())
    return _values(column)


def _values(column: Column) -> Sequence[Any]:
    """The column's values, as Python has them."""
    if isinstance(column, np.ndarray):
        return cast(list[Any], column.tolist())
    of_arrow = getattr(column, ARROWS, None)
    return column if of_arrow is None else cast(list[Any], of_arrow())


def _number(value: float) -> str:
    return f"{value:.0f}" if NINE_DIGITS <= abs(value) < INEXACT else f"{value:.9g}"


def as_json_lines(tables: Tables) -> Iterator[bytes]:
    """A JSON object for each row."""
    for table in tables:
        rows = [dict(zip(table, row, strict=True)) for row in zip(*map(_values, table.values()), strict=True)]
        yield b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def as_parquet(tables: Tables) -> Iterator[bytes]:
    """A Parquet file, some runs of rows in each row group. SettingError if pyarrow is not installed."""
    with importing("pyarrow", "writing Parquet needs", extra="parquet"):
        import pyarrow as arrow
        from pyarrow import parquet
    file, writer = io.BytesIO(), None
    contents = (arrow.table({name: _plain(arrow, column) for name, column in table.items()}) for table in tables)
    for group in _groups(contents):
        if writer is None:
            writer = parquet.ParquetWriter(_Passing(file), group[0].schema)
        writer.write_table(arrow.concat_tables([content.cast(writer.schema) for content in group]))
        yield _taken(file)
    if writer is not None:
        writer.close()
    yield _taken(file)


def _groups(contents: Iterable[Any]) -> Iterator[list[Any]]:
    """Arrow's tables in lists of at least GROUP_BYTES, but the last one: each small group costs memory to the end."""
    group: list[Any] = []
    for content in contents:
        group.append(content)
        if sum(each.nbytes for each in group) >= GROUP_BYTES:
            yield group
            group = []
    if group:
        yield group


def _plain(arrow: Any, column: Column) -> Any:
    """The column as it came from Arrow, numbers, or texts, as other cells have no type in common."""
    if hasattr(column, ARROWS) or (isinstance(column, np.ndarray) and column.dtype.kind in "biuf"):
        return column
    return arrow.array([None if value is None else str(value) for value in column], arrow.string())


class _Passing(io.RawIOBase):
    """A file that can only be written to, and passes on what is."""

    def __init__(self, file: io.BytesIO) -> None:
        self._file = file
        self._written = 0

    def writable(self) -> bool:
        """It can be written to."""
        return True

    def write(self, content: Any, /) -> int:
        """Pass on bytes; their number."""
        size = self._file.write(content)
        self._written += size
        return size

    def tell(self) -> int:
        """How many bytes there have been."""
        return self._written


def _taken(file: io.BytesIO) -> bytes:
    content = file.getvalue()
    file.seek(0)
    file.truncate()
    return content


FORMATS: dict[str, Callable[[Tables], Iterator[bytes]]] = {
    "csv": as_csv,
    "jsonl": as_json_lines,
    "parquet": as_parquet,
}
SUFFIXES = {".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
NEVER_CSV = {".arrow", ".feather", ".npz", ".tab", ".tsv", ".xls", ".xlsx", ".bz2", ".gz", ".xz", ".zip", ".zst"}
"""Suffixes of other formats: a program that goes by the name would not read CSV in such a file."""
