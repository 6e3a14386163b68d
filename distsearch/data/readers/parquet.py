"""The reader of Parquet files, using pyarrow."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch import memory
from distsearch.data.raw import Raw, Selection, quoted, reading
from distsearch.data.readers.columns import choose
from distsearch.errors import DataError

FEATURE_BYTES = 16  # per number, in Arrow and as a float
TEXT_BYTES = 100  # per label, in Arrow and as a Python object
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


def read(path: str, selection: Selection) -> Raw:
    """Read a Parquet table. An empty cell becomes NaN or None."""
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise DataError(
            f'reading {path} needs pyarrow, which is not installed; type pip install "distsearch[parquet]"'
        ) from None
    with (
        # On damaged bytes, pyarrow raises almost anything.
        reading(path, "a Parquet file", damage=(Exception,)),
        open(path, "rb") as file,
        parquet.ParquetFile(file) as content,
    ):
        names = [name for name in content.schema_arrow.names if not _PANDAS_INDEX.fullmatch(name)]
        features, target = choose(path, names, selection)
        chosen = [names[index] for index in features]
        label = None if target is None else names[target]
        _check_columns(path, content, chosen, label, arrow)
        table = content.read(columns=chosen if label is None else [*chosen, label])
        matrix = np.empty((table.num_rows, len(chosen)))
        for index, name in enumerate(chosen):
            column = table.column(name)
            truth = arrow.types.is_boolean(column.type)
            values = _numbers(column.cast(arrow.int8()) if truth else column, arrow)
            matrix[:, index] = values
        targets = None if label is None else _targets(table.column(label), arrow)
    return Raw(path, matrix, targets, tuple(chosen), label or "", place=lambda example: f"row {example + 1}")


def _targets(column: Any, arrow: Any) -> NDArray[Any]:
    """The column's values, (examples,), as targets: decimals become text, as no float has all their digits."""
    if arrow.types.is_decimal(column.type):
        column = column.cast(arrow.string())
    numbers = _numbers(column, arrow)
    return np.fromiter(column.to_pylist(), object, len(column)) if numbers is None else numbers


def _check_columns(path: str, content: Any, features: Sequence[str], label: str | None, arrow: Any) -> None:
    """Raise DataError if columns have the wrong type, TooLargeError if they would not fit in memory."""
    schema, rows = content.schema_arrow, content.metadata.num_rows
    for name in features:
        kind = schema.field(name).type
        if not (arrow.types.is_boolean(kind) or _is_numeric(kind, arrow)):
            raise DataError(
                f"{path}: expected numbers in column {quoted(name)}, got {kind}; "
                "write it as numbers, or leave the column out"
            )
    size = FEATURE_BYTES * len(features)
    if label is not None:
        kind = schema.field(label).type
        if arrow.types.is_nested(kind):
            expected = f"labels that are text, numbers, or true and false in column {quoted(label)}"
            raise DataError(f"{path}: expected {expected}, got {kind}")
        size += FEATURE_BYTES if _is_numeric(kind, arrow) else TEXT_BYTES
    memory.require(f"{path} with {rows:,} rows", rows * size, "train on a part of it")


def _is_numeric(kind: Any, arrow: Any) -> bool:
    types = arrow.types
    return bool(types.is_decimal(kind) or types.is_integer(kind) or types.is_floating(kind))


def _numbers(column: Any, arrow: Any) -> NDArray[Any] | None:
    """The column's values, (examples,), or None if they are not numbers. Booleans are labels, not numbers."""
    kind = column.type
    if arrow.types.is_decimal(kind):
        return np.asarray(column.cast(arrow.float64()).to_numpy())
    if arrow.types.is_integer(kind) or arrow.types.is_floating(kind):
        return np.asarray(column.to_numpy())
    return None
