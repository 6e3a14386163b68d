"""Which examples are trained on, which choose the best weights (validation), and which are only tested on."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.data.beside import column_named, group_numbers
from distsearch.data.raw import Raw
from distsearch.data.readers.values import column_of
from distsearch.data.spelling import Spelling, date_in, floats
from distsearch.errors import DataError
from distsearch.randomness import Stream, permutation

VALIDATION_SHARE = 0.1  # where the user gives none
FEWEST_TO_VALIDATE = 1000  # examples; with fewer, none are set aside unless asked for
FEWEST_TO_COUNT = 10  # examples of each class, for their errors to choose the best weights

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
    """The parts of the examples of a source; classes, (examples,), are divided evenly.

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
    tested = _drawn(everything, classes, test, wishes.seed, TEST)
    left = np.setdiff1d(everything, tested, assume_unique=True)
    validating = _drawn(left, classes, validation, wishes.seed, VALIDATION)
    if (test and not len(tested)) or (validation and not len(validating)):
        raise DataError(
            f"{raw.source}: expected a class with several examples left, so that one can be set aside, but there is "
            "none; choose smaller shares, or leave them out"
        )
    return Parts(np.setdiff1d(left, validating, assume_unique=True), validating, tested)


def validation_share(raw: Raw, counted: NDArray[np.int64] | None = None) -> float:
    """The share that is set aside for validation where the user says nothing.

    counted, (examples,), are the classes whose errors are counted: none are set aside where one of them would have so
    few examples there that their errors say nothing.
    """
    if len(raw.features) < FEWEST_TO_VALIDATE:
        return 0.0
    if counted is not None and VALIDATION_SHARE * np.bincount(counted).min() < FEWEST_TO_COUNT:
        return 0.0
    return VALIDATION_SHARE


def folds(raw: Raw, wishes: Splitting, number: int, count: int, classes: NDArray[np.int64] | None = None) -> Parts:
    """The parts of a fold of a cross-validation: every example is tested on in one of `count` folds.

    classes, (examples,), are divided evenly among the folds. Raises DataError if some fold would have no example.
    """
    rows = len(raw.features)
    order = permutation(wishes.seed, Stream.SPLIT, TEST, rows)
    which = np.empty(rows, np.intp)
    if wishes.group:
        groups = group_numbers(raw, wishes.group)
        _check_folds(raw, count, int(groups.max()) + 1, f"groups in column {wishes.group!r}")
        which = permutation(wishes.seed, Stream.SPLIT, TEST, int(groups.max()) + 1)[groups] % count
    else:
        _check_folds(raw, count, rows, "examples")
        if classes is not None:
            order = order[np.argsort(classes[order], kind="stable")]
        which[order] = np.arange(rows) % count
    train, test = np.flatnonzero(which != number), np.flatnonzero(which == number)
    return Parts(train, train[:0], test)


def _check_folds(raw: Raw, count: int, most: int, what: str) -> None:
    if count > most:
        raise DataError(f"{raw.source}: expected at most {most:,} folds, as there are {most:,} {what}, got {count:,}")


def _checked(raw: Raw, part: str, share: float, count: int) -> int:
    """How many examples a share is. Raises DataError if that leaves none for this part or for training."""
    if not 0 <= share < 1:
        raise DataError(f"expected a {part} share of at least 0 and below 1, got {share}")
    chosen = round(share * count)
    if share and not 0 < chosen < count:
        raise DataError(
            f"{raw.source}: expected a {part} share that leaves examples for both training and {part}, "
            f"got {share}, which is {chosen} of {count}; use a value from {1 / count:.3g} to {1 - 1 / count:.3g}"
        )
    return chosen


def _drawn(rows: Rows, classes: NDArray[np.int64] | None, wanted: int, seed: int, part: int) -> Rows:
    """So many of the rows at random, of each class its share; classes, (examples,), are those of all examples."""
    if not wanted:
        return rows[:0]
    shuffled = rows[permutation(seed, Stream.SPLIT, part, len(rows))]
    if classes is None:
        return np.sort(shuffled[:wanted])
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    _, firsts, sizes = np.unique(classes[by_class], return_index=True, return_counts=True)
    taken = np.repeat(_shares(sizes, wanted), sizes)
    place = np.arange(len(by_class)) - np.repeat(firsts, sizes)  # within its class
    return np.sort(by_class[place < taken])


def _shares(sizes: NDArray[np.intp], wanted: int) -> NDArray[np.intp]:
    """How many examples of each class make up `wanted`, in proportion to the sizes of the classes.

    By largest remainders; but of a class that can be divided at least one where there is room for all classes, and
    never all of it.
    """
    quotas = sizes * (wanted / sizes.sum())
    lowest = np.minimum(sizes - 1, 1) if len(sizes) <= wanted else np.zeros_like(sizes)
    taken = np.clip(np.floor(quotas).astype(np.intp), lowest, sizes - 1)
    while missing := wanted - int(taken.sum()):
        step = 1 if missing > 0 else -1
        room = np.flatnonzero(taken < sizes - 1 if step > 0 else taken > lowest)
        if not len(room):
            break
        most_behind = np.argsort(step * (taken - quotas)[room], kind="stable")
        taken[room[most_behind[: abs(missing)]]] += step
    return taken


def _by_groups(raw: Raw, wishes: Splitting, test: int, validation: int) -> Parts:
    """Whole groups, in random order, for testing until there are enough, then for validation."""
    groups = group_numbers(raw, wishes.group)
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


def _in_time(raw: Raw, name: str) -> Rows:
    """The examples in the order of a column of numbers or ISO dates."""

    def where(index: int) -> str:
        return f"{raw.source}, {raw.place(index)}"

    spelling = raw.spelling_of(name)
    column = column_of(column_named(raw, name), where, name, spelling=spelling)
    if column.dtype.kind == "O":
        numbers = floats(tuple(text or "" for text in column.tolist()), spelling)
        if numbers is None:
            index = _first_without_time(column, spelling)
            raise DataError(
                f"{where(index)}: expected a date such as 2024-12-31, or numbers in all rows, in column {name!r}, got "
                f"{column[index]!r}"
            )
        column = numbers
    gaps = np.isnat(column) if column.dtype.kind == "M" else np.isnan(column.astype(np.float64))
    if gaps.any():
        raise DataError(f"{where(int(np.argmax(gaps)))}: expected a time in column {name!r}, got nothing; fill it in")
    return np.argsort(column, kind="stable")


def _first_without_time(column: NDArray[Any], spelling: Spelling) -> int:
    """The first text that is neither a number nor a date; or else, as both are there, the first that is no date."""
    present = [(index, text) for index, text in enumerate(column.tolist()) if text is not None]
    no_dates = [(index, text) for index, text in present if date_in(text) is None]
    return next((index for index, text in no_dates if spelling.number(text) is None), no_dates[0][0])
