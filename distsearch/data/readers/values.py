"""Columns of Python's or NumPy's values, from files or frames, as a table holds them."""

import math
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data.labels import text_of
from distsearch.data.raw import flag, quoted
from distsearch.data.spelling import PLAIN, Spelling, interpreted, is_missing, without_missing, without_zone
from distsearch.errors import DataError

_ABSENT = ("NoneType", "NAType", "NaTType")  # types of Python's and pandas' missing values


def column_of(
    values: NDArray[Any], where: Callable[[int], str], name: str, *, text: bool = False, spelling: Spelling = PLAIN
) -> NDArray[Any]:
    """A column as numbers, text or dates, see `Table`; as text whatever is in it, if that is asked for.

    `spelling` says how numbers are written where they are text.

    Raises DataError with `where` a value of another kind is.
    """
    if values.ndim == 1 and not text:
        if values.dtype.kind in "biuf":
            return values
        if values.dtype.kind == "M":
            return values.astype("datetime64[us]")
    if values.ndim != 1:
        raise _several(values[0], where(0), name)
    if values.dtype.kind not in "biufMOUT":
        raise DataError(
            f"{where(0)}: expected numbers in column {quoted(name)}, got {values.dtype}; "
            f"write it as numbers, or leave the column out with {flag('drop', name)}"
        )
    if values.dtype.kind == "M":
        values = values.astype("datetime64[us]")
    plain = [_plain(value, where, index, name) for index, value in enumerate(values.tolist())]
    if text:
        return without_missing(_texts(plain))
    kinds = {type(value) for value in plain} - {type(None)}
    if kinds <= {float}:
        return np.array([math.nan if value is None else value for value in plain], np.float64)
    if kinds == {datetime}:
        return np.array(plain, "datetime64[us]")
    return interpreted(_texts(plain), spelling)


def cells_of(values: Sequence[Any], where: Callable[[int], str], name: str, *, text: bool = False) -> NDArray[Any]:
    """As `column_of`, from a list of values."""
    return column_of(objects(values), where, name, text=text)


def objects(values: Sequence[Any]) -> NDArray[Any]:
    """The values as an array of objects, (values,), be they lists themselves."""
    column = np.empty(len(values), object)
    column[:] = list(values)
    return column


def _texts(plain: Sequence[float | str | datetime | None]) -> NDArray[Any]:
    texts = [value if value is None or isinstance(value, str) else _written(value) for value in plain]
    return objects(texts)


def _written(value: float | datetime) -> str:
    return value.isoformat() if isinstance(value, datetime) else text_of(value, "")


def _plain(value: Any, where: Callable[[int], str], index: int, name: str) -> float | str | datetime | None:
    if type(value).__name__ in _ABSENT:
        return None
    if isinstance(value, str):
        return None if is_missing(value) else value
    if isinstance(value, bool | int | float | Decimal | np.integer | np.floating | np.bool_):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        return None if math.isnan(number) else number
    if isinstance(value, datetime):
        return without_zone(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if isinstance(value, list | tuple | np.ndarray):
        raise _several(value, where(index), name)
    raise DataError(
        f"{where(index)}: expected a number in column {quoted(name)}, got {quoted(value)}; "
        f"write it as a number, or leave the column out with {flag('drop', name)}"
    )


def _several(values: Any, place: str, name: str) -> DataError:
    return DataError(
        f"{place}: expected one number in column {quoted(name)}, got {len(values)} in a list or array; make a "
        "column of each, or leave the column out"
    )


def side_by_side(targets: Sequence[NDArray[Any]]) -> NDArray[Any] | None:
    """Target columns, (examples,) each, as (examples,) or (examples, outputs); None if there are none."""
    if len(targets) < 2:
        return targets[0] if targets else None
    plain = all(target.dtype.kind in "iuf" for target in targets)
    return np.stack(targets if plain else [target.astype(object) for target in targets], axis=1)
