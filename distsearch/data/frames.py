"""Data frames in memory, pandas', polars' and the like: features by the names of their columns."""

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
    """The examples of a frame, whose columns are the features. DataError names one that is not of numbers."""
    keys = _keys(frame)
    names = [str(key) for key in keys]
    choose(SOURCE, names, Selection(targets=False))
    return Raw(SOURCE, _matrix(frame, keys), targets, tuple(names), target)


def further_features(frame: Any, schema: Schema) -> Raw:
    """The features of a frame in the order of the training, whatever the order of its columns.

    Where the training had no names for them, they are taken as they come. DataError names what is missing or unknown.
    """
    keys = _keys(frame)
    names = [str(key) for key in keys]
    if not schema.named and set(names) != set(schema.features):
        return Raw(SOURCE, _matrix(frame, keys), None)
    chosen, _ = choose(SOURCE, names, Selection(schema.features, targets=False))
    known = {*schema.features, schema.target}
    if unknown := [name for name in names if name not in known]:
        raise DataError(
            f"{SOURCE}: expected only the {len(schema.features)} features that were trained on, got {listed(unknown)} "
            "as well; leave out what is no feature"
        )
    return Raw(SOURCE, _matrix(frame, [keys[index] for index in chosen]), None, schema.features)


def _keys(frame: Any) -> list[Any]:
    """What its columns are asked for by: their names, which need not be text; an Arrow table has the columns apart."""
    return list(getattr(frame, "column_names", frame.columns))


def _matrix(frame: Any, keys: Collection[Any]) -> NDArray[Any]:
    """The columns, (examples, columns)."""
    if not keys:
        return np.empty((len(frame), 0))
    return np.column_stack([_numbers(np.asarray(frame[key]), str(key)) for key in keys])


def _numbers(values: NDArray[Any], column: str) -> NDArray[Any]:
    """The values of a column, (examples,), as numbers. DataError with the place of one that is none."""
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
