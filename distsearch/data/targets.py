"""Target checks shared by every source: numbers for regression, or labels, which become class numbers.

Each error gives the location in the source's own terms: a line of a CSV file, a row of a Parquet file, an index.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data.checks import finite
from distsearch.data.labels import Label, text_of, type_of
from distsearch.data.raw import Raw, listed, quoted
from distsearch.data.readers.columns import split_names
from distsearch.data.spelling import date_in, is_missing, number_in, value_in
from distsearch.errors import DataError

MOST_VALUES = 20  # up to this many distinct numbers are taken for labels
FEWEST_EXAMPLES = 4  # more distinct numbers are labels only if whole, with at least this many examples each on average

_ABSENT = ("NoneType", "NAType", "NaTType")  # types of Python's and pandas' missing values


def target_numbers(raw: Raw) -> NDArray[np.float64]:
    """The targets for regression, (examples, outputs), with all of their digits. Raises DataError."""
    targets = np.asarray(raw.targets)
    if targets.dtype.kind not in "biuf" and targets.ndim == 2 and targets.shape[1] > 1:
        columns = [replace(raw, targets=targets[:, index], target=name) for index, name in enumerate(_columns(raw))]
        return np.concatenate([target_numbers(column) for column in columns], axis=1)
    if targets.dtype.kind not in "biuf":
        values, which = _different(raw, targets)
        targets = np.array([_target_number(raw, which, place, value) for place, value in enumerate(values)])[which]
    if targets.ndim == 1:
        targets = targets[:, np.newaxis]
    if targets.ndim != 2 or not targets.shape[1]:
        raise DataError(f"{raw.source}: expected targets of shape (examples, outputs), got {targets.shape}")
    _check_count(raw, len(targets))
    _check_finite(raw, targets, _columns(raw))
    return targets.astype(np.float64)


def _columns(raw: Raw) -> list[str]:
    """The names of the targets."""
    shape = np.asarray(raw.targets).shape
    if len(shape) == 1 or shape[1] == 1:
        return [column_of_target(raw)]
    named = split_names(raw.target)
    return named if len(named) == shape[1] else [f"y{index}" for index in range(shape[1])]


def drop_missing(raw: Raw) -> NDArray[np.bool_]:
    """The examples that have all of their targets, (examples,)."""
    targets = np.asarray(raw.targets)
    if raw.targets is None or targets.dtype.kind in "biu" or not targets.ndim:
        return np.ones(len(raw.features), bool)
    present = np.fromiter(map(_is_present, targets.reshape(-1).tolist()), bool, targets.size)
    return np.asarray(present.reshape(len(targets), -1).all(axis=1))


def _is_present(value: object) -> bool:
    if isinstance(value, str | bytes):
        return not is_missing(value.decode(errors="replace") if isinstance(value, bytes) else value)
    return type(value).__name__ not in _ABSENT and value == value


def are_measured(numbers: Sequence[float], examples: int) -> bool:
    """Whether these distinct numbers of so many examples look like measurements, and not like labels."""
    if len(numbers) <= MOST_VALUES:
        return False
    return not _are_whole(numbers) or len(numbers) * FEWEST_EXAMPLES > examples


def _are_whole(numbers: Sequence[float]) -> bool:
    return all(float(number).is_integer() for number in numbers)


def _target_number(raw: Raw, which: NDArray[np.intp], index: int, value: Label) -> float:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    if is_missing(text):
        raise _missing(raw, which, index, value)
    number = raw.spelling_of(raw.target).target(text)
    if number is None:
        raise DataError(
            f"{raw.source}, {_first(raw, which, index)}: expected a numeric target, got "
            f"{quoted(value)}; to learn classes add --loss cross-entropy"
        )
    return float(number)


def class_finder(classes: Sequence[str]) -> Callable[[str], int | None]:
    """A function from a label's text to the number of its class, or None if it has none.

    A label matches the class with the same text; failing that, the class that alone spells the same number.
    """
    known = {text: number for number, text in enumerate(classes)}
    written = list(map(number_in, classes))
    often = Counter(written)
    by_number = {number: place for place, number in enumerate(written) if number is not None and often[number] == 1}

    def find(text: str) -> int | None:
        number = number_in(text)
        return known.get(text, None if number is None else by_number.get(number))

    return find


@dataclass(frozen=True)
class Labels:
    """The distinct labels of some examples, each with its text and the number that the text spells, if any."""

    raw: Raw
    values: Sequence[Label]
    texts: Sequence[str]
    numbers: Sequence[float | None]
    which: NDArray[np.intp]  # (examples,), the index of each example's label in `values`
    type: str  # see `labels`

    @classmethod
    def of(cls, raw: Raw) -> "Labels":
        """The labels of some examples. Raises DataError with the location of one that cannot be used."""
        targets = np.asarray(raw.targets)
        values, which = _different(raw, targets)
        kind = type_of(targets, values)
        if kind is None:
            kinds = sorted({type(value).__name__ for value in values})
            raise DataError(
                f"{raw.source}: expected labels of one type, got {' and '.join(kinds)}; convert all of them to text"
            )
        texts = []
        for index, value in enumerate(values):
            try:
                texts.append(text_of(value, kind))
            except UnicodeDecodeError:
                raise DataError(
                    f"{raw.source}, {_first(raw, which, index)}: expected a label in UTF-8, got {quoted(value)}; "
                    "convert it to text first"
                ) from None
        return cls(raw, values, texts, list(map(number_in, texts)), which, kind)

    def classes(self) -> tuple[str, ...]:
        """The texts in class-number order: sorted as numbers if all are numbers, else as text.

        Raises DataError if they do not make classes: there is only one, one is missing or infinite, or they look like
        regression targets.
        """
        if len(self.texts) < 2:
            raise DataError(
                f"{self.raw.source}: expected at least 2 classes, but every label is {quoted(self.texts[0])}; "
                "add examples of another"
            )
        self._check_present()
        order: list[Any] = list(self.texts)
        if None not in self.numbers:
            self._check_numbers([number for number in self.numbers if number is not None])
            order = list(zip(self.numbers, self.texts, strict=True))
        return tuple(self.texts[index] for index in sorted(range(len(order)), key=order.__getitem__))

    def class_numbers(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """The number of each example's class, (examples,). Raises DataError for a label that is not a known class."""
        find, found = class_finder(classes), []
        for index, text in enumerate(self.texts):
            place = find(text)
            if place is None:
                raise DataError(
                    f"{self.raw.source}, {_first(self.raw, self.which, index)}: expected a label seen in training "
                    f"({listed(classes)}), got {quoted(self.values[index])}; "
                    "leave such examples out, or include them in training"
                )
            found.append(place)
        return np.array(found, np.int64)[self.which]

    def notes(self) -> tuple[str, ...]:
        """Sentences about labels that may be a mistake; they are learnt as given."""
        sentences = []
        absent = [text for text in self.texts if is_missing(text)]
        if absent:
            sentences.append(
                f"{self.raw.source}: the label {listed(absent)} is learnt as a class like any other: remove its "
                "examples if it means that the label is missing"
            )
        often = Counter(self.numbers)
        written = [(text, number) for text, number in zip(self.texts, self.numbers, strict=True) if number is not None]
        alike = [text for text, number in written if often[number] > 1]
        if alike:
            sentences.append(
                f"{self.raw.source}: the labels {listed(sorted(alike))} are separate classes, though some are "
                "the same number: spell them alike if they are meant to be one class"
            )
        if all(date_in(text) is not None for text in self.texts):
            sentences.append(
                f"{self.raw.source}: the target {quoted(column_of_target(self.raw))} has dates, and each is learnt as "
                "a class: to learn when something happens, write numbers of days"
            )
        spelt = Counter(text.strip().casefold() for text in self.texts)
        similar = [text for text in self.texts if spelt[text.strip().casefold()] > 1]
        if similar:
            sentences.append(
                f"{self.raw.source}: the labels {listed(sorted(similar))} are separate classes, though some differ "
                "only in capitals: spell them alike if they are meant to be one class"
            )
        return tuple(sentences)

    def _check_present(self) -> None:
        """Raise DataError for a missing-value marker if all other labels are numbers, or true and false."""
        absent = [index for index, text in enumerate(self.texts) if is_missing(text)]
        if absent and all(is_missing(text) or value_in(text) is not None for text in self.texts):
            raise _missing(self.raw, self.which, absent[0], self.values[absent[0]])

    def _check_numbers(self, numbers: Sequence[float]) -> None:
        """Raise DataError if one is infinite, or if they look like regression targets."""
        wild = next((index for index, number in enumerate(numbers) if not math.isfinite(number)), None)
        if wild is not None:
            raise DataError(
                f"{self.raw.source}, {_first(self.raw, self.which, wild)}: expected a target, got "
                f"{quoted(self.values[wild])}; fix it or remove the row"
            )
        if not self.raw.labels and are_measured(numbers, len(self.which)):
            raise DataError(
                f"{self.raw.source}: expected labels, but the target has {len(numbers)} distinct "
                f"{'whole ' if _are_whole(numbers) else ''}numbers in {len(self.which)} examples; for regression add "
                "--loss mean-squared-error, or write classes as text, such as c1"
            )


def _different(raw: Raw, targets: NDArray[Any]) -> tuple[list[Label], NDArray[np.intp]]:
    """The distinct labels, and the index of each example's label among them, (examples,)."""
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.ndim != 1:
        raise DataError(
            f"{raw.source}: expected one label per example, got targets of shape {targets.shape}; "
            "give class numbers instead of one-hot rows, or for regression add --loss mean-squared-error"
        )
    _check_count(raw, len(targets))
    if targets.dtype.kind in "iufb":
        _check_finite(raw, targets[:, np.newaxis], [column_of_target(raw)])
        unique, which = np.unique(targets, return_inverse=True)
        return list(unique), which
    if targets.dtype.kind in "Mm":
        raise DataError(f"{raw.source}: {_EXPECTED}, got {targets.dtype}; convert them to text or numbers")
    table: dict[Any, int] = {}
    try:
        which = np.fromiter((table.setdefault(value, len(table)) for value in targets.tolist()), np.intp, len(targets))
    except (TypeError, ValueError, SystemError) as error:  # the last two from invalid code points in NumPy text
        raise DataError(f"{raw.source}: {_EXPECTED}, got something else: {error}") from None
    for index, value in enumerate(table):
        _check_label(raw, which, index, value)
    return list(table), which


_EXPECTED = "expected labels that are text, numbers, or true and false"


def _check_label(raw: Raw, which: NDArray[np.intp], index: int, value: object) -> None:
    """Raise DataError if a value cannot be a label: it is missing, or of an unknown type."""
    if isinstance(value, str | bytes):
        if not value.strip() or _is_cut(value):
            raise _missing(raw, which, index, value)
    elif type(value).__name__ in _ABSENT or value != value:
        raise _missing(raw, which, index, value)
    elif not isinstance(value, int | float | np.integer | np.floating | np.bool_):
        raise DataError(
            f"{raw.source}, {_first(raw, which, index)}: {_EXPECTED}, got {quoted(value)}, a {type(value).__name__}; "
            "convert them to text or numbers"
        )


def _is_cut(label: str | bytes) -> bool:
    """Whether a text has a lone surrogate, half of a character, which no file can hold."""
    return isinstance(label, str) and label.encode(errors="replace").decode() != label


def _check_finite(raw: Raw, targets: NDArray[Any], columns: Sequence[str]) -> None:
    """Raise DataError for a number, of (examples, columns), that is missing or not finite."""
    if targets.dtype.kind == "f" and (absent := np.isnan(targets)).any():
        example, column = np.unravel_index(int(np.argmax(absent)), absent.shape)
        raise _missing_at(raw.place(int(example)), raw.source, columns[int(column)], np.nan)
    finite(raw, targets, columns)


def _missing(raw: Raw, which: NDArray[np.intp], index: int, value: object) -> DataError:
    return _missing_at(_first(raw, which, index), raw.source, column_of_target(raw), value)


def _missing_at(place: str, source: str, column: str, value: object) -> DataError:
    return DataError(
        f"{source}, {place}: expected a target in column {quoted(column)}, got {quoted(value)}; fill it in or remove "
        "the row, as --missing drop does"
    )


def column_of_target(raw: Raw) -> str:
    """The name of the target."""
    return raw.target or "y"


def _check_count(raw: Raw, targets: int) -> None:
    if targets != len(raw.features):
        raise DataError(
            f"{raw.source}: expected one target per example, got {targets} for {len(raw.features)} examples"
        )


def _first(raw: Raw, which: NDArray[np.intp], index: int) -> str:
    """The location of the first example that has this label."""
    return raw.place(int(np.argmax(which == index)))
