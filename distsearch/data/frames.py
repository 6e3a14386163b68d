"""In-memory data frames (pandas, polars and the like): features by column name."""

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data.raw import Raw, Selection, Table, listed, training_features
from distsearch.data.readers.columns import choose
from distsearch.data.readers.values import column_of
from distsearch.data.schema import Schema
from distsearch.errors import DataError

SOURCE = "the frame"


def is_frame(values: object) -> bool:
    """Whether values have columns with names."""
    return all(hasattr(type(values), part) for part in ("columns", "__getitem__", "__len__"))


def from_frame(frame: Any, targets: NDArray[Any], target: str, selection: Selection) -> Raw:
    """The examples of a frame whose columns are the features. Raises DataError naming one that cannot be used."""
    keys = _keys(frame)
    names = [str(key) for key in keys]
    choice = choose(SOURCE, names, selection)
    table = _table(frame, [keys[index] for index in choice.features])
    beside = {names[index]: np.asarray(frame[keys[index]]) for index in choice.beside}
    return Raw(SOURCE, table, targets, tuple(names[index] for index in choice.features), target, beside=beside)


def further_features(frame: Any, schema: Schema, beside: tuple[str, ...] = ()) -> Raw:
    """The features of a frame in training order, whatever the order of its columns, and columns beside them.

    If training had no feature names, the frame's order is kept. Raises DataError naming missing or unknown columns.
    """
    keys = _keys(frame)
    names = [str(key) for key in keys]
    if not schema.named and set(names) != set(schema.features):
        return Raw(SOURCE, _table(frame, keys), None)
    choice = choose(SOURCE, names, Selection(schema.features, targets=False, beside=beside))
    known = {*schema.features, *schema.outputs_named, schema.target, schema.weight, *(schema.ignored or ())}
    if unknown := [name for name in names if name not in known]:
        raise DataError(
            f"{SOURCE}: expected only the {training_features(len(schema.features))}, got {listed(unknown)} as well; "
            "leave out everything else"
        )
    table = _table(frame, [keys[index] for index in choice.features], schema.texts)
    others = {names[index]: np.asarray(frame[keys[index]]) for index in choice.beside}
    return Raw(SOURCE, table, None, schema.features, beside=others)


def _keys(frame: Any) -> list[Any]:
    """The keys that index a frame's columns: its names, not always text; an Arrow table keeps columns elsewhere."""
    return list(getattr(frame, "column_names", frame.columns))


def _table(frame: Any, keys: Collection[Any], texts: Collection[str] = ()) -> Table:
    """The columns. Raises DataError with the place of a value that is neither number, text nor date."""

    def where(index: int) -> str:
        return f"{SOURCE}, index {index}"

    columns = [column_of(np.asarray(frame[key]), where, str(key), text=str(key) in texts) for key in keys]
    return Table(tuple(columns), len(frame))
