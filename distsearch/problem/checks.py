"""The checks that examples of every source go through: raw in, float32 matrices and class numbers out.

Each error names the place as its source knows it: a line of a CSV file, a row of a Parquet file, an index.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.errors import DataError
from distsearch.problem.raw import Raw, listed, number_in, quoted

_MOST_FRACTIONAL_CLASSES = 20

Label = str | int | float | np.generic


def feature_names(raw: Raw, count: int) -> tuple[str, ...]:
    """The names of the features, or x0, x1, … where the source has none."""
    return raw.names or tuple(f"x{index}" for index in range(count))


def feature_matrix(raw: Raw) -> NDArray[np.float32]:
    """The features, (examples, features), all finite; images and the like are flattened. Raises DataError."""
    features = np.asarray(raw.features)
    if features.dtype.kind == "O":
        try:
            features = features.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"{raw.source}: expected features that are numbers, got others: {error}") from None
    if features.dtype.kind not in "biuf":
        raise DataError(
            f"{raw.source}: expected features that are numbers, got {features.dtype}; encode them as numbers"
        )
    if features.ndim < 2:
        raise DataError(f"{raw.source}: expected features of shape (examples, features), got {features.shape}")
    width = math.prod(features.shape[1:])
    if not len(features) or not width:
        raise DataError(
            f"{raw.source}: expected at least one example with at least one feature, "
            f"got {len(features)} examples with {width} features; add some"
        )
    return finite(raw, features.reshape(len(features), width), feature_names(raw, width))


def finite(raw: Raw, values: NDArray[Any], columns: Sequence[str]) -> NDArray[np.float32]:
    """The values, (examples, columns), as float32. DataError with the place if one is not finite."""
    with np.errstate(over="ignore"):
        floats = np.ascontiguousarray(values, np.float32)
    good = np.isfinite(floats)
    if not good.all():
        example, column = np.unravel_index(int(np.argmin(good)), good.shape)
        raise DataError(
            f"{raw.source}, {raw.place(int(example))}: expected a finite number (below 3.4e38) in column "
            f"{quoted(columns[int(column)])}, got {float(values[example, column])}; "
            "mend it or delete the example"
        )
    return floats


def target_numbers(raw: Raw) -> NDArray[np.float32]:
    """The targets of a regression, (examples, outputs). Raises DataError."""
    targets = np.asarray(raw.targets)
    if targets.dtype.kind not in "biuf":
        values, which = _distinct(raw)
        numbers = [_number(value) for value in values]
        if None in numbers:
            text = numbers.index(None)
            raise DataError(
                f"{raw.source}, {_first(raw, which, text)}: expected a target that is a number, got "
                f"{quoted(values[text])}; to learn classes add --loss cross-entropy"
            )
        targets = np.array(numbers, np.float64)[which]
    if targets.ndim == 1:
        targets = targets[:, np.newaxis]
    if targets.ndim != 2 or not targets.shape[1]:
        raise DataError(f"{raw.source}: expected targets of shape (examples, outputs), got {targets.shape}")
    _check_count(raw, len(targets))
    names = (raw.target or "y",) if targets.shape[1] == 1 else [f"y{index}" for index in range(targets.shape[1])]
    return finite(raw, targets, names)


def class_names(raw: Raw) -> tuple[str, ...]:
    """The labels as text, in the order of their class numbers: by number if all are numbers, else by text."""
    values, which = _distinct(raw)
    numbers = [_number(value) for value in values]
    order: list[Any] = [str(value) for value in values] if None in numbers else numbers
    if None not in numbers:
        fractional = sum(not float(number).is_integer() for number in order)
        wild = next((index for index, number in enumerate(order) if not math.isfinite(number)), None)
        if wild is not None:
            raise DataError(
                f"{raw.source}, {_first(raw, which, wild)}: expected a target, got {quoted(values[wild])}; "
                "mend it or delete the example"
            )
        if fractional and len(values) > _MOST_FRACTIONAL_CLASSES:
            raise DataError(
                f"{raw.source}: expected labels, but the target has {len(values)} different values that are "
                "not whole numbers; for regression add --loss mean-squared-error"
            )
        values = [_canonical(value) for value in values]
    ranked = sorted(range(len(values)), key=order.__getitem__)
    return tuple(dict.fromkeys(str(values[index]) for index in ranked))


def class_numbers(raw: Raw, classes: Sequence[str]) -> NDArray[np.int64]:
    """The number of each example's class, (examples,). DataError for a label that is none of the classes."""
    values, which = _distinct(raw)
    known = {name: number for number, name in enumerate(classes)}
    numbers = []
    for index, value in enumerate(values):
        number = known.get(str(value), known.get(_canonical(value)))
        if number is None:
            raise DataError(
                f"{raw.source}, {_first(raw, which, index)}: expected a label that was trained on "
                f"({listed(classes)}), got {quoted(value)}; "
                "leave such examples out, or train with them too"
            )
        numbers.append(number)
    return np.array(numbers, np.int64)[which]


def _distinct(raw: Raw) -> tuple[list[Label], NDArray[np.intp]]:
    """The different labels, and which of them each example has, (examples,)."""
    targets = np.asarray(raw.targets)
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.ndim != 1:
        raise DataError(
            f"{raw.source}: expected one label an example, got targets of shape {targets.shape}; "
            "give class numbers instead of one-hot rows, or for regression add --loss mean-squared-error"
        )
    _check_count(raw, len(targets))
    if targets.dtype.kind in "iuf":
        finite(raw, targets[:, np.newaxis], [raw.target or "y"])
        unique, inverse = np.unique(targets, return_inverse=True)
        return list(unique), inverse
    if targets.dtype.kind == "S":
        targets = np.char.decode(targets, "utf-8", "replace")
    table: dict[Any, int] = {}
    try:
        which = np.fromiter((table.setdefault(value, len(table)) for value in targets.tolist()), np.intp, len(targets))
    except TypeError as error:
        raise DataError(f"{raw.source}: expected labels that are text or numbers, got others: {error}") from None
    for index, value in enumerate(table):
        if not _is_label(value):
            raise DataError(
                f"{raw.source}, {_first(raw, which, index)}: expected a target, got {quoted(value)}; "
                "fill it in or delete the example"
            )
    return list(table), which


def _is_label(value: object) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, int | float | np.integer | np.floating | np.bool_) and value == value


def _number(value: Label) -> float | None:
    """The number that a label is or writes; booleans are names, not numbers."""
    if isinstance(value, str):
        return number_in(value)
    if isinstance(value, bool | np.bool_):
        return None
    return int(value) if isinstance(value, int | np.integer) else float(value)


def _canonical(value: Label) -> str:
    """A label as text, the same for 1, 1.0 and "1.0"."""
    number = _number(value)
    if number is None:
        return str(value)
    if math.isfinite(number) and number == int(number):
        return str(int(number))
    return str(number if isinstance(value, str) else value)  # str of a float32 0.1 is 0.1, of its float is not


def _check_count(raw: Raw, targets: int) -> None:
    if targets != len(raw.features):
        raise DataError(f"{raw.source}: expected one target an example, got {targets} for {len(raw.features)} examples")


def _first(raw: Raw, which: NDArray[np.intp], index: int) -> str:
    """The place of the first example that has this label."""
    return raw.place(int(np.argmax(which == index)))
