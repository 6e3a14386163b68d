"""The numbers of rows that pandas writes beside a table, and reads again as a column called Unnamed: 0."""

import re
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from distsearch.data.asked import Reading
from distsearch.data.raw import Raw, Table, listed

_NAME = re.compile(r"Unnamed: 0(?:\.\d+)*")


def without(raw: Raw, reading: Reading) -> tuple[Raw, Reading, tuple[str, ...]]:
    """The examples without such columns, if they are not all that there is to learn from, as if they were dropped.

    Rows sorted by their target would be told apart by their numbers alone. A sentence says that they are left out.
    """
    table, names = raw.features, raw.names or ()
    if reading.features or not isinstance(table, Table):
        return raw, reading, ()
    numbered = [_NAME.fullmatch(name) is not None and _counts(table.columns[at]) for at, name in enumerate(names)]
    if not any(numbered) or all(numbered):
        return raw, reading, ()
    dropped = tuple(name for name, so in zip(names, numbered, strict=True) if so)
    kept = tuple(at for at, so in enumerate(numbered) if not so)
    test = None if raw.test is None else without(raw.test, reading)[0]
    left = Table(tuple(table.columns[at] for at in kept), len(table))
    note = (
        f"{raw.source}: the column {listed(dropped)} is left out, as it only numbers the rows, like an index that "
        "pandas wrote: to learn from it, name it and all others with --features"
    )
    return (
        replace(raw, features=left, names=tuple(names[at] for at in kept), test=test),
        replace(reading, drop=(*reading.drop, *dropped)),
        (note,),
    )


def _counts(column: NDArray[np.generic]) -> bool:
    """Whether a column, (examples,), has whole numbers that are not below zero, and none is missing."""
    if column.dtype.kind not in "iuf":
        return False
    numbers = column.astype(np.float64)
    return bool(len(numbers) and (numbers >= 0).all() and (numbers == np.floor(numbers)).all())
