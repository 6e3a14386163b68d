"""In-memory data frames (pandas, polars and the like): features by column name."""

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data.raw import Raw, Selection, listed, quoted
from distsearch.data.readers.columns import choose
from distsearch.data.schema import Schema
from distsearch.errors import DataError

SOURCE = "the frame"


def is_frame(values: object) -> bool:
    """Whether values have columns with names."""
    return all(hasattr(type(values), part) for part in ("columns", "__getitem__", "__len__"))


def from_frame(frame: Any, targets: NDArray[Any], target: str) -> Raw:
    """The examples of a frame whose columns are the features. Raises DataError naming a column that is not numeric."""
    keys = _keys(frame)
    names = [str(key) for key in keys]
    choose(SOURCE, names, Selection(targets=False))
    return Raw(SOURCE, _matrix(frame, keys), targets, tuple(names), target)


def further_features(frame: Any, schema: Schema) -> Raw:
    """The features of a frame in training order, whatever the order of its columns.

    If training had no feature names, the frame's order is kept. Raises DataError naming missing or unknown columns.
    """
    keys = _keys(frame)
    names = [str(key) for key in keys]
    if not schema.named and set(names) != set(schema.features):
        return Raw(SOURCE, _matrix(frame, keys), None)
    chosen, _ = choose(SOURCE, names, Selection(schema.features, targets=False))
    known = {*schema.features, schema.target, schema.weight}
    if unknown := [name for name in names if name not in known]:
        raise DataError(
            f"{SOURCE}: expected only the {len(schema.features)} training features, got {listed(unknown)} as well; "
            "leave out everything else"
        )
    return Raw(SOURCE, _matrix(frame, [keys[index] for index in chosen]), None, schema.features)


def _keys(frame: Any) -> list[Any]:
    """The keys that index a frame's columns: its names, not always text; an Arrow table keeps columns elsewhere."""
    return list(getattr(frame, "column_names", frame.columns))


def _matrix(frame: Any, keys: Collection[Any]) -> NDArray[Any]:
    """The columns, (examples, columns)."""
    if not keys:
        return np.empty((len(frame), 0))
    return np.column_stack([_numbers(np.asarray(frame[key]), str(key)) for key in keys])


def _numbers(values: NDArray[Any], column: str) -> NDArray[Any]:
    """The values of a column, (examples,), as numbers. Raises DataError with the location of one that is not."""
    if values.dtype.kind in "biuf" and values.ndim == 1:
        return values
    if values.dtype.kind not in "OUT" or values.ndim != 1:
        raise DataError(
            f"{SOURCE}: expected numbers in column {quoted(column)}, got {values.dtype}; "
            "write it as numbers, or leave the column out"
        )
    return np.array(list(_floats(values.tolist(), column)), np.float64)


def _floats(values: Iterable[Any], column: str) -> Iterable[float]:
    for index, value in enumerate(values):
        try:
            yield float(value)
        except (TypeError, ValueError):
            raise DataError(
                f"{SOURCE}, index {index}: expected a number in column {quoted(column)}, got {quoted(value)}; "
                "write it as a number, or leave the column out"
            ) from None
