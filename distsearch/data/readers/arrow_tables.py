"""The reader of Parquet and Arrow (Feather) files, and of folders of Parquet parts, using pyarrow."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.data.raw import Raw, Selection, Table, flag, quoted, reading
from distsearch.data.readers.columns import Choice, choose, join_names
from distsearch.data.readers.values import cells_of, column_of, objects, side_by_side
from distsearch.errors import DataError
from distsearch.errors.importing import importing
from distsearch.machine import memory

FEATURE_BYTES = 16  # per number, in Arrow and as a float
TEXT_BYTES = 100  # per label, in Arrow and as a Python object
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")
SUFFIX = ".parquet"
BUFFER = 1 << 20  # bytes of a column that are read at once


class _Part(NamedTuple):
    """A file of a table: its schema, its number of rows and, of some of its columns, batches of so many rows."""

    path: str
    schema: Any
    rows: Callable[[], int]
    batches: Callable[[Sequence[str], int], Iterator[Any]]
    constants: Mapping[str, str]  # columns whose value is the name of a folder, such as year=2020


def read(path: str, selection: Selection) -> Raw:
    """Read a Parquet or Arrow table, or a folder of Parquet parts. An empty cell is a missing value."""
    with _reading(path), _opened(path) as parts:
        names, choice = _chosen(path, parts, selection)
        rows = sum(part.rows() for part in parts)
        _require_memory(path, parts[0].schema, names, choice, rows)
        return _raw(path, names, choice, list(_batches(parts, names, choice, 1 << 16)), selection)


def chunks(path: str, selection: Selection, rows: int) -> Iterator[Raw]:
    """The table in runs of so many rows; columns beside the features stay Arrow's, and so keep their types."""
    with _reading(path), _opened(path) as parts:
        names, choice = _chosen(path, parts, selection)
        first = 0
        for batch in _batches(parts, names, choice, rows):
            yield _raw(path, names, choice, [batch], selection, first, typed=True)
            first += batch.num_rows
        if not first:
            yield _raw(path, names, choice, [], selection)


def holds_parts(path: str) -> bool:
    """Whether a folder holds Parquet files, perhaps in folders."""
    return any(True for _ in _parts_in(path))


def files_read(path: str) -> list[str]:
    """The files that `read` would read."""
    return [str(part) for part in _parts_in(path)] if os.path.isdir(path) else [path]


def _parts_in(path: str) -> Iterator[Path]:
    """The parts within a folder, in order; those that begin with . or _ are no data (Hadoop)."""
    for part in sorted(Path(path).rglob(f"*{SUFFIX}")):
        if part.is_file() and not any(name.startswith((".", "_")) for name in part.relative_to(path).parts):
            yield part


@contextmanager
def _reading(path: str) -> Iterator[None]:
    with importing("pyarrow", f"reading {path} needs", extra="parquet", error=DataError):
        import pyarrow  # noqa: F401
    with reading(path, "a Parquet or Arrow file", damage=(Exception,)):  # on damage, pyarrow raises almost anything
        yield


@contextmanager
def _opened(path: str) -> Iterator[list[_Part]]:
    files = files_read(path)
    if not files:
        raise DataError(f"expected a data file, but {path} is a folder without {SUFFIX} files")
    with ExitStack() as opened:
        yield [_part(opened.enter_context(open(each, "rb")), each, path, opened) for each in files]


def _part(file: Any, path: str, whole: str, opened: ExitStack) -> _Part:
    from pyarrow import parquet

    folders = [] if path == whole else Path(path).relative_to(whole).parts[:-1]
    constants = dict(folder.split("=", 1) for folder in folders if "=" in folder)
    if not (file.peek(4)[:4] == b"PAR1" or path.lower().endswith(SUFFIX)):
        return _arrow_part(file, path, constants)
    content = opened.enter_context(parquet.ParquetFile(file, buffer_size=BUFFER, pre_buffer=False))

    def batches(columns: Sequence[str], rows: int) -> Iterator[Any]:
        return content.iter_batches(rows, columns=list(columns), use_threads=False)

    return _Part(path, content.schema_arrow, lambda: content.metadata.num_rows, batches, constants)


def _arrow_part(file: Any, path: str, constants: Mapping[str, str]) -> _Part:
    def batches(columns: Sequence[str], most: int) -> Iterator[Any]:
        for batch in _record_batches(file)[1]:
            for start in range(0, batch.num_rows, most):
                some = batch.slice(start, most)
                yield some.select(list(columns)) if columns else some

    return _Part(
        path,
        _record_batches(file)[0],
        lambda: sum(each.num_rows for each in _record_batches(file)[1]),
        batches,
        constants,
    )


def _record_batches(file: Any) -> tuple[Any, Iterable[Any]]:
    """The schema and the record batches of an Arrow file, of which one at a time is in memory, or of an old Feather."""
    from pyarrow import feather, ipc

    file.seek(0)
    if file.peek(4)[:4] == b"FEA1":
        table = feather.read_table(file)
        return table.schema, table.to_batches()
    if file.peek(6)[:6] == b"ARROW1":
        content = ipc.open_file(file)
        return content.schema, map(content.get_batch, range(content.num_record_batches))
    stream = ipc.open_stream(file)
    return stream.schema, stream


def _chosen(path: str, parts: Sequence[_Part], selection: Selection) -> tuple[list[str], Choice]:
    """The names of the table's columns, and which of them are wanted; every part has to have them."""
    names = [name for name in parts[0].schema.names if not _PANDAS_INDEX.fullmatch(name)]
    names += [name for name in parts[0].constants if name not in names]
    choice = choose(path, names, selection)
    for part in parts[1:]:
        choose(part.path, [*part.schema.names, *(part.constants.keys() - set(part.schema.names))], selection)
    return names, choice


def _batches(parts: Sequence[_Part], names: Sequence[str], choice: Choice, rows: int) -> Iterator[Any]:
    """The wanted columns of all parts, in batches of at most so many rows."""
    import pyarrow as arrow

    wanted = [names[index] for index in choice.all]
    for part in parts:
        for batch in part.batches([name for name in wanted if name in part.schema.names], rows):
            for name in wanted:
                if name not in part.schema.names:
                    batch = batch.append_column(name, arrow.array([part.constants[name]] * batch.num_rows))
            yield batch


def _raw(
    path: str,
    names: Sequence[str],
    choice: Choice,
    batches: Sequence[Any],
    selection: Selection,
    first: int = 0,
    *,
    typed: bool = False,
) -> Raw:
    """The examples of some batches, the first of which begins at a row; if typed, columns beside stay Arrow's."""
    import pyarrow as arrow

    def column(index: int) -> Any:
        found = [batch.column(names[index]) for batch in batches]
        alike = {part.type for part in found}
        if len(alike) > 1:
            raise DataError(
                f"{path}: expected one type in column {quoted(names[index])}, got "
                f"{' and '.join(sorted(map(str, alike)))} in its parts; write them alike"
            )
        return arrow.chunked_array(found) if found else arrow.chunked_array([], arrow.float64())

    def where(example: int) -> str:
        return f"{path}, row {first + example + 1}"

    features = tuple(
        _feature(path, column(index), names[index], where, arrow, text=names[index] in selection.texts)
        for index in choice.features
    )
    targets = [_targets(path, column(index), names[index], arrow) for index in choice.targets]
    count = sum(batch.num_rows for batch in batches)
    return Raw(
        path,
        Table(features, count),
        side_by_side(targets),
        tuple(names[index] for index in choice.features),
        join_names([names[index] for index in choice.targets]),
        place=lambda example: f"row {first + example + 1}",
        beside={
            names[index]: column(index) if typed else objects(column(index).to_pylist()) for index in choice.beside
        },
    )


def _feature(path: str, column: Any, name: str, where: Any, arrow: Any, *, text: bool) -> NDArray[Any]:
    """A column of features as a table holds it. Raises DataError if it is of a type that none can be."""
    kind, types = column.type, arrow.types
    if types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if not text:
        if types.is_boolean(kind):
            column = column.cast(arrow.int8())
        numbers = _numbers(column, arrow)
        if numbers is not None:
            return numbers
        if types.is_timestamp(kind) or types.is_date(kind):
            precise = getattr(kind, "unit", "") == "ns"  # nanoseconds are left out
            whole = column.cast(arrow.timestamp("us", getattr(kind, "tz", None)), safe=not precise)
            moments = whole.cast(arrow.timestamp("us"))
            return column_of(np.asarray(moments.to_numpy()), where, name)
    if types.is_nested(kind) or types.is_binary(kind) or types.is_time(kind) or types.is_duration(kind):
        raise DataError(
            f"{path}: expected numbers or text in column {quoted(name)}, got {kind}; "
            f"write it as numbers, or leave the column out with {flag('drop', name)}"
        )
    return cells_of(column.to_pylist(), where, name, text=text)


def _targets(path: str, column: Any, name: str, arrow: Any) -> NDArray[Any]:
    """The column's values, (examples,), as targets: decimals become text, as no float has all their digits.

    Nor has it those of long whole numbers, which NumPy makes floats if one is missing.
    """
    if arrow.types.is_nested(column.type):
        expected = f"labels that are text, numbers, or true and false in column {quoted(name)}"
        raise DataError(f"{path}: expected {expected}, got {column.type}")
    if arrow.types.is_decimal(column.type):
        column = column.cast(arrow.string())
    gaps = column.null_count and arrow.types.is_integer(column.type)
    numbers = None if gaps else _numbers(column, arrow)
    return np.fromiter(column.to_pylist(), object, len(column)) if numbers is None else numbers


def _require_memory(path: str, schema: Any, names: Sequence[str], choice: Choice, rows: int) -> None:
    """TooLargeError if the columns would not fit in memory: the file may hold them in a fraction of it."""
    import pyarrow as arrow

    kinds = [schema.field(names[index]).type for index in choice.all if names[index] in schema.names]
    size = sum(FEATURE_BYTES if _is_numeric(kind, arrow) else TEXT_BYTES for kind in kinds)
    memory.require(f"{path} with {rows:,} rows", rows * size, "train on a part of it")


def _is_numeric(kind: Any, arrow: Any) -> bool:
    types = arrow.types
    return bool(types.is_decimal(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))


def _numbers(column: Any, arrow: Any) -> NDArray[Any] | None:
    """The column's values, (examples,), or None if they are not numbers. Booleans are labels, not numbers."""
    kind = column.type
    if arrow.types.is_decimal(kind):
        return np.asarray(column.cast(arrow.float64()).to_numpy())
    if arrow.types.is_integer(kind) or arrow.types.is_floating(kind):
        return np.asarray(column.to_numpy())
    return None
