"""The targets of every source: numbers for a regression, or labels, which become class numbers.

Each error names the place as its source knows it: a line of a CSV file, a row of a Parquet file, an index.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data.checks import finite
from distsearch.data.labels import Label, text_of, type_of
from distsearch.data.raw import Raw, is_missing, listed, number_in, quoted, value_in
from distsearch.errors import DataError

MOST_VALUES = 20  # of numbers that are labels whatever they are
FEWEST_EXAMPLES = 4  # of each of more whole numbers than that, on average

_ABSENT = ("NoneType", "NAType", "NaTType")  # Python's and pandas' types of what is not there


def target_numbers(raw: Raw) -> NDArray[np.float32]:
    """The targets of a regression, (examples, outputs). Raises DataError."""
    targets = np.asarray(raw.targets)
    if targets.dtype.kind not in "biuf":
        values, which = _different(raw, targets)
        targets = np.array([_target_number(raw, which, place, value) for place, value in enumerate(values)])[which]
    if targets.ndim == 1:
        targets = targets[:, np.newaxis]
    if targets.ndim != 2 or not targets.shape[1]:
        raise DataError(f"{raw.source}: expected targets of shape (examples, outputs), got {targets.shape}")
    _check_count(raw, len(targets))
    names = (_column(raw),) if targets.shape[1] == 1 else [f"y{index}" for index in range(targets.shape[1])]
    return finite(raw, targets, names)


def _target_number(raw: Raw, which: NDArray[np.intp], index: int, value: Label) -> float:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    if is_missing(text):
        raise _missing(raw, which, index, value)
    number = value_in(text)
    if number is None:
        raise DataError(
            f"{raw.source}, {_first(raw, which, index)}: expected a target that is a number, got "
            f"{quoted(value)}; to learn classes add --loss cross-entropy"
        )
    return float(number)


@dataclass(frozen=True)
class Labels:
    """The different labels of some examples, each with its text and the number it writes, if it writes one."""

    raw: Raw
    values: Sequence[Label]
    texts: Sequence[str]
    numbers: Sequence[float | None]
    which: NDArray[np.intp]  # (examples,), the place of each example's label in these
    type: str  # see `labels`

    @classmethod
    def of(cls, raw: Raw) -> "Labels":
        """The labels of examples that have them. DataError with the place of one that cannot be used."""
        targets = np.asarray(raw.targets)
        values, which = _different(raw, targets)
        kind = type_of(targets, values)
        if kind is None:
            kinds = sorted({type(value).__name__ for value in values})
            raise DataError(
                f"{raw.source}: expected labels of one type, got {' and '.join(kinds)}; make all of them text"
            )
        texts = []
        for index, value in enumerate(values):
            try:
                texts.append(text_of(value, kind))
            except UnicodeDecodeError:
                raise DataError(
                    f"{raw.source}, {_first(raw, which, index)}: expected a label in UTF-8, got {quoted(value)}; "
                    "make text of it first"
                ) from None
        return cls(raw, values, texts, list(map(number_in, texts)), which, kind)

    def classes(self) -> tuple[str, ...]:
        """The texts in the order of their class numbers: by number if all are numbers, else by text.

        DataError if they are none to be learnt: all are one, one is missing or infinite, or they are the numbers of
        a regression.
        """
        if len(self.texts) < 2:
            raise DataError(
                f"{self.raw.source}: expected at least 2 classes, but every label is {quoted(self.texts[0])}; "
                "add others"
            )
        self._check_present()
        order: list[Any] = list(self.texts)
        if None not in self.numbers:
            self._check_numbers([number for number in self.numbers if number is not None])
            order = list(zip(self.numbers, self.texts, strict=True))
        return tuple(self.texts[index] for index in sorted(range(len(order)), key=order.__getitem__))

    def class_numbers(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """The number of each example's class, (examples,). DataError for a label that is none of the classes.

        A label is that of its text; or else, where only one class writes the same number, of that.
        """
        known = {text: number for number, text in enumerate(classes)}
        written = list(map(number_in, classes))
        often = Counter(written)
        by_number = {number: place for place, number in enumerate(written) if often[number] == 1}
        found = []
        for index, (text, number) in enumerate(zip(self.texts, self.numbers, strict=True)):
            place = known.get(text, None if number is None else by_number.get(number))
            if place is None:
                raise DataError(
                    f"{self.raw.source}, {_first(self.raw, self.which, index)}: expected a label that was trained on "
                    f"({listed(classes)}), got {quoted(self.values[index])}; "
                    "leave such examples out, or train with them too"
                )
            found.append(place)
        return np.array(found, np.int64)[self.which]

    def notes(self) -> tuple[str, ...]:
        """Sentences on labels that may not be meant as they are: they are learnt as they stand."""
        sentences = []
        absent = [text for text in self.texts if is_missing(text)]
        if absent:
            sentences.append(
                f"{self.raw.source}: the label {listed(absent)} is learnt as a class like any other: remove its "
                "examples if it stands for a missing label"
            )
        often = Counter(self.numbers)
        written = [(text, number) for text, number in zip(self.texts, self.numbers, strict=True) if number is not None]
        alike = [text for text, number in written if often[number] > 1]
        if alike:
            sentences.append(
                f"{self.raw.source}: the labels {listed(sorted(alike))} are different classes, though some of them are "
                "the same number: spell them alike if they are meant to be one"
            )
        return tuple(sentences)

    def _check_present(self) -> None:
        """DataError for a text that stands for what is missing, if all others are numbers, or true and false."""
        absent = [index for index, text in enumerate(self.texts) if is_missing(text)]
        if absent and all(is_missing(text) or value_in(text) is not None for text in self.texts):
            raise _missing(self.raw, self.which, absent[0], self.values[absent[0]])

    def _check_numbers(self, numbers: Sequence[float]) -> None:
        """DataError if one is infinite, or if they look like the numbers of a regression."""
        wild = next((index for index, number in enumerate(numbers) if not math.isfinite(number)), None)
        if wild is not None:
            raise DataError(
                f"{self.raw.source}, {_first(self.raw, self.which, wild)}: expected a target, got "
                f"{quoted(self.values[wild])}; fix it or remove the row"
            )
        if self.raw.labels or len(numbers) <= MOST_VALUES:
            return
        whole = all(float(number).is_integer() for number in numbers)
        if not whole or len(numbers) * FEWEST_EXAMPLES > len(self.which):
            raise DataError(
                f"{self.raw.source}: expected labels, but the target has {len(numbers)} different "
                f"{'whole ' if whole else ''}numbers in {len(self.which)} examples; for regression add "
                "--loss mean-squared-error, or write classes as text, such as c1"
            )


def _different(raw: Raw, targets: NDArray[Any]) -> tuple[list[Label], NDArray[np.intp]]:
    """The different labels, and which of them each example has, (examples,)."""
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.ndim != 1:
        raise DataError(
            f"{raw.source}: expected one label an example, got targets of shape {targets.shape}; "
            "give class numbers instead of one-hot rows, or for regression add --loss mean-squared-error"
        )
    _check_count(raw, len(targets))
    if targets.dtype.kind in "iufb":
        finite(raw, targets[:, np.newaxis], [_column(raw)])
        unique, which = np.unique(targets, return_inverse=True)
        return list(unique), which
    if targets.dtype.kind in "Mm":
        raise DataError(f"{raw.source}: {_EXPECTED}, got {targets.dtype}; make text or numbers of them")
    table: dict[Any, int] = {}
    try:
        which = np.fromiter((table.setdefault(value, len(table)) for value in targets.tolist()), np.intp, len(targets))
    except (TypeError, ValueError, SystemError) as error:  # the last two of numbers that are no characters
        raise DataError(f"{raw.source}: {_EXPECTED}, got others: {error}") from None
    for index, value in enumerate(table):
        _check_label(raw, which, index, value)
    return list(table), which


_EXPECTED = "expected labels that are text, numbers, or true and false"


def _check_label(raw: Raw, which: NDArray[np.intp], index: int, value: object) -> None:
    """DataError if a value is no label: if it is not there, or is of a type that is not known."""
    if isinstance(value, str | bytes):
        if not value.strip() or _is_cut(value):
            raise _missing(raw, which, index, value)
    elif type(value).__name__ in _ABSENT or value != value:
        raise _missing(raw, which, index, value)
    elif not isinstance(value, int | float | np.integer | np.floating | np.bool_):
        raise DataError(
            f"{raw.source}, {_first(raw, which, index)}: {_EXPECTED}, got {quoted(value)}, a {type(value).__name__}; "
            "make text or numbers of them"
        )


def _is_cut(label: str | bytes) -> bool:
    """Whether a text has half of a character, which no file can hold."""
    return isinstance(label, str) and label.encode(errors="replace").decode() != label


def _missing(raw: Raw, which: NDArray[np.intp], index: int, value: object) -> DataError:
    return DataError(
        f"{raw.source}, {_first(raw, which, index)}: expected a target in column {quoted(_column(raw))}, got "
        f"{quoted(value)}; fill it in or remove the row"
    )


def _column(raw: Raw) -> str:
    return raw.target or "y"


def _check_count(raw: Raw, targets: int) -> None:
    if targets != len(raw.features):
        raise DataError(f"{raw.source}: expected one target an example, got {targets} for {len(raw.features)} examples")


def _first(raw: Raw, which: NDArray[np.intp], index: int) -> str:
    """The place of the first example that has this label."""
    return raw.place(int(np.argmax(which == index)))
