"""In-memory data frames (pandas, polars and the like), and what holds named columns as they do: features by name."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data.arrays import collected, is_sparse, of_tensor
from distsearch.data.raw import Raw, Selection, Table, listed, quoted, training_features
from distsearch.data.readers.columns import choose
from distsearch.data.readers.values import column_of, objects
from distsearch.data.schema import Schema
from distsearch.errors import DataError

SOURCE = "the frame"


class Columns:
    """Named columns that came in Python's or NumPy's own containers."""

    def __init__(self, columns: Mapping[Any, NDArray[Any]], count: int) -> None:
        self._columns, self._count = columns, count

    @property
    def columns(self) -> list[Any]:
        """Their names."""
        return list(self._columns)

    def __getitem__(self, name: Any) -> NDArray[Any]:
        return self._columns[name]

    def __len__(self) -> int:
        return self._count


def framed(values: Any) -> Any:
    """Values as a frame if they name their columns, else as they are.

    These are a dictionary of columns, a list of rows that are dictionaries, a structured array, and a lazy frame, which
    is collected. Raises DataError if they do not form a table.
    """
    values = collected(values)
    if isinstance(values, np.ndarray) and values.dtype.names is not None:
        return Columns({name: _array(values[name]) for name in values.dtype.names}, len(np.atleast_1d(values)))
    if isinstance(values, Mapping) and not is_sparse(values):  # one of SciPy's kinds is a dictionary
        return _of_columns(values)
    if isinstance(values, list | tuple) and values and isinstance(values[0], Mapping):
        return _of_rows(values)
    return values


def _of_columns(columns: Mapping[Any, Any]) -> Columns:
    for name, column in columns.items():
        if isinstance(column, str | bytes | Mapping) or not hasattr(column, "__len__"):
            raise DataError(
                f"expected a dictionary of columns, each a list or array, got {quoted(column)} for {quoted(name)}; one "
                "example is a list of one dictionary"
            )
    counts = {len(column): name for name, column in columns.items()}
    if len(counts) > 1:
        (one, first), (other, second), *_ = counts.items()
        raise DataError(
            f"expected columns of one length, got {one} values for {quoted(first)} and {other} for {quoted(second)}"
        )
    found = {name: _array(column) for name, column in columns.items()}
    return Columns(found, next(iter(counts), 0))


def _array(column: Any) -> NDArray[Any]:
    """A column's values, (examples,), missing where they are masked; rows of different lengths as objects."""
    column = of_tensor(column)
    if np.ma.is_masked(column):
        return objects((column.astype("datetime64[us]") if column.dtype.kind == "M" else column).tolist())
    try:
        return np.asarray(column)
    except ValueError:
        return objects(column)


def _of_rows(rows: Sequence[Any]) -> Columns:
    """Rows as columns, with None where a row lacks one."""
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise DataError(
                f"expected a dictionary for each example, as at index 0, got {quoted(row)} at index {index}"
            )
    names = dict.fromkeys(name for row in rows for name in row)
    return Columns({name: objects([row.get(name) for row in rows]) for name in names}, len(rows))


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


def out_of_order(frame: Any, targets: Any) -> tuple[str, ...]:
    """A sentence if pandas' X and y have the same index in another order, as only one of them was shuffled."""
    one: Any = getattr(frame, "index", None)
    other: Any = getattr(targets, "index", None)
    if not (hasattr(one, "equals") and hasattr(other, "equals")) or one.equals(other):
        return ()
    if len(one) != len(other) or not (one.isin(other).all() and other.isin(one).all()):
        return ()
    return (
        f"{SOURCE}: X and y have the same index, but in another order, and are learnt row by row as they are: "
        "y.loc[X.index] puts y into the order of X",
    )


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
