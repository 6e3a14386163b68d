"""Which examples are trained on, which choose the best weights (validation), and which are only tested on."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.data.raw import Raw
from distsearch.data.readers.values import column_of
from distsearch.errors import DataError
from distsearch.randomness import Stream, permutation

VALIDATION_SHARE = 0.1  # where the user gives none
FEWEST_TO_VALIDATE = 1000  # examples; with fewer, none are set aside unless asked for

Rows = NDArray[np.intp]
TEST, VALIDATION = 0, 1  # permutations of the stream of splits


@dataclass(frozen=True)
class Splitting:
    """What the user wants set aside."""

    test_share: float = 0.0
    validation_share: float = 0.0
    seed: int = 0
    group: str = ""  # a column: examples that are alike in it stay together
    time: str = ""  # a column: the last examples are tested on, and those before them validate


class Parts(NamedTuple):
    """Examples, each part in the source's order."""

    train: Rows
    validation: Rows
    test: Rows


def split(raw: Raw, wishes: Splitting, classes: NDArray[np.int64] | None) -> Parts:
    """The parts of the examples of a source; classes, (examples,), are divided evenly for validation.

    Raises DataError if a part would be empty, or if the source has a test set of its own and another is wanted.
    """
    count = len(raw.features)
    everything = np.arange(count)
    test = _checked(raw, "test", wishes.test_share, count)
    if test and raw.test is not None:
        raise DataError(f"{raw.source} has its own test set; leave the test share at 0, got {wishes.test_share}")
    validation = _checked(raw, "validation", wishes.validation_share, count)
    if not test and not validation:
        return Parts(everything, everything[:0], everything[:0])
    if test + validation >= count:
        raise DataError(
            f"{raw.source}: expected shares that leave examples for training, got {wishes.test_share} for testing "
            f"and {wishes.validation_share} for validation; choose smaller ones"
        )
    if wishes.time:
        order = _in_time(raw, wishes.time)
        kept = count - test - validation
        return Parts(np.sort(order[:kept]), np.sort(order[kept : count - test]), np.sort(order[count - test :]))
    if wishes.group:
        return _by_groups(raw, wishes, test, validation)
    order = permutation(wishes.seed, Stream.SPLIT, TEST, count)
    tested, left = np.sort(order[:test]), np.sort(order[test:])
    shuffled = left[permutation(wishes.seed, Stream.SPLIT, VALIDATION, len(left))] if validation else left
    validating = np.sort(_stratified(shuffled, None if classes is None else classes[shuffled], validation))
    return Parts(np.setdiff1d(left, validating, assume_unique=True), validating, tested)


def validation_share(examples: int) -> float:
    """The share that is set aside for validation where the user says nothing."""
    return VALIDATION_SHARE if examples >= FEWEST_TO_VALIDATE else 0.0


def folds(raw: Raw, wishes: Splitting, number: int, count: int) -> Parts:
    """The parts of a fold of a cross-validation: every example is tested on in one of `count` folds."""
    rows = len(raw.features)
    order = permutation(wishes.seed, Stream.SPLIT, TEST, rows)
    which = np.empty(rows, np.intp)
    if wishes.group:
        groups = _groups(raw, wishes.group)
        which = permutation(wishes.seed, Stream.SPLIT, TEST, int(groups.max()) + 1)[groups] % count
    else:
        which[order] = np.arange(rows) % count
    train, test = np.flatnonzero(which != number), np.flatnonzero(which == number)
    return Parts(train, train[:0], test)


def _checked(raw: Raw, part: str, share: float, count: int) -> int:
    """How many examples a share is. Raises DataError if that leaves none for this part or for training."""
    if not 0 <= share < 1:
        raise DataError(f"expected a {part} share of at least 0 and below 1, got {share}")
    chosen = round(share * count)
    if share and not 0 < chosen < count:
        raise DataError(
            f"{raw.source}: expected a {part} share that leaves examples for both training and {part}ing, "
            f"got {share}, which is {chosen} of {count}; use a value from {1 / count:.3g} to {1 - 1 / count:.3g}"
        )
    return chosen


def _stratified(shuffled: Rows, classes: NDArray[np.int64] | None, wanted: int) -> Rows:
    """So many of the shuffled examples, of each class its share, but never all of it."""
    if classes is None or not wanted:
        return shuffled[:wanted]
    share = wanted / len(shuffled)
    taken = []
    for each in np.unique(classes):
        of_class = shuffled[classes == each]
        taken.append(of_class[: min(round(share * len(of_class)), len(of_class) - 1)])
    return np.concatenate(taken)


def _by_groups(raw: Raw, wishes: Splitting, test: int, validation: int) -> Parts:
    """Whole groups, in random order, for testing until there are enough, then for validation."""
    groups = _groups(raw, wishes.group)
    order = permutation(wishes.seed, Stream.SPLIT, TEST, int(groups.max()) + 1)
    ends = np.cumsum(np.bincount(groups)[order])
    first = int(np.searchsorted(ends, test)) + 1 if test else 0
    done = int(ends[first - 1]) if first else 0
    second = int(np.searchsorted(ends, done + validation)) + 1 if validation else first
    tested, validating = np.isin(groups, order[:first]), np.isin(groups, order[first:second])
    parts = Parts(*map(np.flatnonzero, (~tested & ~validating, validating, tested)))
    if not len(parts.train) or (validation and not len(parts.validation)):
        raise DataError(
            f"{raw.source}: expected groups in column {wishes.group!r} for every part, but there are only "
            f"{len(order)}; choose smaller shares"
        )
    return parts


def _groups(raw: Raw, name: str) -> NDArray[np.intp]:
    """The number of each example's group, (examples,)."""
    table: dict[Any, int] = {}
    values = _beside(raw, name).tolist()
    return np.fromiter((table.setdefault(str(value), len(table)) for value in values), np.intp, len(values))


def _in_time(raw: Raw, name: str) -> Rows:
    """The examples in the order of a column of numbers or ISO dates."""

    def where(index: int) -> str:
        return f"{raw.source}, {raw.place(index)}"

    column = column_of(_beside(raw, name), where, name)
    if column.dtype.kind == "O":
        raise DataError(
            f"{where(0)}: expected a number or a date such as 2024-12-31 in column {name!r}, got {column[0]!r}"
        )
    gaps = np.isnat(column) if column.dtype.kind == "M" else np.isnan(column.astype(np.float64))
    if gaps.any():
        raise DataError(f"{where(int(np.argmax(gaps)))}: expected a time in column {name!r}, got nothing; fill it in")
    return np.argsort(column, kind="stable")


def _beside(raw: Raw, name: str) -> NDArray[Any]:
    if name not in raw.beside:
        raise DataError(f"{raw.source} has no named columns, so no column {name!r} to split by; leave it out")
    return raw.beside[name]
