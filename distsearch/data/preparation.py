"""How the columns of a table become a network's inputs: learnt on the training examples, applied to all others.

numbers       as they are; a missing one becomes the median, and a further input says that it was missing
text          an input of 0 or 1 for each of its values (one-hot); rare ones share one, as do those never seen
dates         days since 1970, or their parts
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from distsearch.data.amounts import amount_in, unit_of
from distsearch.data.raw import Raw, Table, flag, listed, looks_like_code, quoted, unnamed
from distsearch.data.spelling import COMMA, PLAIN, code_in, date_in, is_date_of_two_readings
from distsearch.errors import DataError

NUMBER, CATEGORY, DAYS, PARTS = "number", "category", "days", "parts"
IMPUTE, DROP, REFUSE = "impute", "drop", "refuse"

MOST_CATEGORIES = 50  # different texts of a column
FEW_CATEGORIES = 10  # more than this must not be most of the examples
RARE = 0.002  # share of the examples below which a category shares its place
DATE_PARTS = ("year", "month", "day", "weekday", "hour")
_ID = re.compile(r"(?:^|[_ .-])(?:id|uuid|guid|key|index|rowid|row)$|^id[_ .-]|^unnamed: 0|^level_\d$")
_DAY = np.timedelta64(1, "D")


class Encoding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a column becomes inputs."""

    kind: str
    fill: float | str | None = None  # what stands for a missing value; None if there were none in training
    categories: tuple[str, ...] = ()  # those with a place of their own
    others: bool = False  # whether there is a place for rare and unseen categories
    unit: str | msgspec.UnsetType = msgspec.UNSET  # that numbers may be written with; documents leave it out if unset

    def inputs(self, name: str) -> list[str]:
        """The names of the inputs of a column."""
        if self.kind == PARTS:
            named = [f"{name}.{part}" for part in DATE_PARTS]
        elif self.kind == CATEGORY:
            named = [f"{name}={each}" for each in self.categories] + [f"{name}=…"] * self.others
        else:
            named = [name]
        return named if self.fill is None else [*named, f"{name} missing"]

    @property
    def measured(self) -> list[bool]:
        """Whether each input is a quantity, which may be standardised, and not a 0 or 1 that says yes or no."""
        count = len(self.inputs(""))
        return [self.kind != CATEGORY] * (count - (self.fill is not None)) + [False] * (self.fill is not None)

    def is_whole(self) -> bool:
        """Whether its parts fit together."""
        filled = self.fill is None or isinstance(self.fill, str) == (self.kind == CATEGORY)
        return self.kind in (NUMBER, CATEGORY, DAYS, PARTS) and filled and len(self.inputs("")) > 0


class Wishes(NamedTuple):
    """What the user wants done with columns that are not simply numbers."""

    missing: str = IMPUTE
    dates: str = ""  # days or parts; if empty, dates are refused


class Learnt(NamedTuple):
    """How each column is encoded, and sentences about it."""

    encodings: tuple[Encoding, ...]
    notes: tuple[str, ...]

    @property
    def plain(self) -> bool:
        """Whether there is nothing to do: all columns are numbers, and none is missing."""
        return all(each == Encoding(NUMBER) for each in self.encodings)


def complete_rows(table: Table) -> NDArray[np.bool_]:
    """The examples in which nothing is missing, (examples,)."""
    complete = np.ones(len(table), bool)
    for column in table.columns:
        complete &= ~absent(column)
    return complete


def absent(column: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a column has nothing, (examples,)."""
    if column.dtype.kind == "O":
        return np.array([value is None for value in column.tolist()], bool)
    if column.dtype.kind == "M":
        return np.isnat(column)
    return np.isnan(column) if column.dtype.kind == "f" else np.zeros(len(column), bool)


def learn(raw: Raw, table: Table, names: Sequence[str], rows: Any, wishes: Wishes) -> Learnt:
    """Encodings of the columns, from the training examples alone. Raises DataError for one that cannot be used."""
    encodings, filled, spread, measured, notes = [], [], [], [], []
    for name, column in zip(names, table.columns, strict=True):
        missing = absent(column[rows])
        if missing.all():
            raise _empty(
                raw, [name for name, column in zip(names, table.columns, strict=True) if _is_empty(column[rows])]
            )
        if missing.any() and wishes.missing == REFUSE:
            raise _gap(raw, name, int(np.argmax(absent(column))), "fill it in, or choose --missing impute or drop")
        encodings.append(_encoding(raw, name, column, rows, missing, wishes))
        if missing.any():
            filled.append(f"{quoted(name)} ({int(missing.sum()):,})")
        if encodings[-1].kind == CATEGORY:
            spread.append(f"{quoted(name)} ({len(encodings[-1].categories) + encodings[-1].others})")
        if unit := encodings[-1].unit:
            text = str(column[rows][~missing][0])
            measured.append(f"{quoted(name)} ({quoted(text)} is {amount_in(text, unit, raw.spelling_of(name))})")
        learnt_as_number = column.dtype.kind == "O" and encodings[-1].kind == NUMBER
        if learnt_as_number and (code := code_in(column[rows][~missing].tolist())):
            notes.append(looks_like_code(raw.source, name, code))
    if filled:
        notes.append(
            f"{raw.source}: missing values of {_enumerated(filled)} are filled in with the median or the most frequent "
            "value, and an input marks them; --missing drop leaves such examples out"
        )
    if spread:
        notes.append(f"{raw.source}: text becomes inputs of 0 and 1, one for each value: {_enumerated(spread)}")
    if measured:
        notes.append(f"{raw.source}: numbers are read without their unit: {_enumerated(measured)}")
    if wishes.dates and not any(each.kind in (DAYS, PARTS) for each in encodings):
        notes.append(f"{raw.source}: --dates {wishes.dates} has no effect: no column has dates such as 2024-12-31")
    return Learnt(tuple(encodings), tuple(notes))


def _is_empty(column: NDArray[Any]) -> bool:
    return bool(absent(column).all())


def _empty(raw: Raw, names: Sequence[str]) -> DataError:
    which, them = ("column", "it") if len(names) == 1 else ("the columns", "them")
    return DataError(
        f"{raw.source}: expected values in {which} {listed(names)}, but all of them are missing; "
        f"leave {them} out with {flag('drop', *names)}"
    )


def _enumerated(parts: Sequence[str]) -> str:
    shown = ", ".join(parts[:5])
    return f"{shown} and {len(parts) - 5} more" if len(parts) > 5 else shown


def _encoding(
    raw: Raw, name: str, column: NDArray[Any], rows: Any, missing: NDArray[np.bool_], wishes: Wishes
) -> Encoding:
    present = column[rows][~missing]
    gaps = bool(missing.any())
    if column.dtype.kind == "M":
        if wishes.dates not in (DAYS, PARTS):
            example = int(np.argmin(absent(column)))
            date = column[example].astype("datetime64[s]").item().isoformat(" ").removesuffix(" 00:00:00")
            raise DataError(
                f"{raw.source}, {raw.place(example)}: expected a number in column {quoted(name)}, got the date {date}; "
                f"convert dates to numbers with --dates days or --dates parts, or leave it out: {flag('drop', name)}"
            )
        return Encoding(wishes.dates, float(np.median(_days(present))) if gaps else None)
    if column.dtype.kind == "O":
        return _category(raw, name, column, present.tolist(), gaps)
    return Encoding(NUMBER, float(np.median(present)) if gaps else None)


def _category(raw: Raw, name: str, column: NDArray[Any], present: list[str], gaps: bool) -> Encoding:
    counts, spelling = Counter(present), raw.spelling_of(name)
    numbers = {text: spelling.number(text) for text in counts}
    spelt = sum(counts[text] for text, number in numbers.items() if number is not None)
    if spelt and 2 * spelt >= len(present):
        texts = [text for text in (*counts, *column.tolist()) if text is not None]
        stray = next((text for text in texts if spelling.number(text) is None), None)
        if stray is not None:  # perhaps in another part
            raise not_a_number(raw, name, column.tolist().index(stray), stray)
        values = [spelling.number(text) or 0.0 for text in present]
        return Encoding(NUMBER, float(np.median(values)) if gaps else None)

    def refusal(came: str, expected: str, instead: str) -> DataError:
        place = raw.place(column.tolist().index(came))
        return DataError(
            f"{raw.source}, {place}: expected {expected} in column {quoted(name)}, got {quoted(came)}; {instead}, or "
            f"leave the column out with {flag('drop', name)}"
        )

    if unit := unit_of(counts, spelling, refusal):
        amounts = [amount_in(text, unit, spelling) or 0.0 for text in present]
        return Encoding(NUMBER, float(np.median(amounts)) if gaps else None, unit=unit)
    if all((COMMA if spelling == PLAIN else PLAIN).number(text) is not None for text in counts):
        raise not_a_number(raw, name, column.tolist().index(present[0]), present[0])
    if len(counts) > FEW_CATEGORIES and all(map(is_date_of_two_readings, counts)):
        raise refusal(present[0], "dates such as 2024-12-31", "write them so")
    if len(counts) > MOST_CATEGORIES or (len(counts) > FEW_CATEGORIES and 2 * len(counts) > len(present)):
        raise DataError(
            f"{raw.source}, {raw.place(column.tolist().index(present[0]))}: expected a number in column "
            f"{quoted(name)}, got {quoted(present[0])}, and its {len(counts):,} different values are too many to be "
            f"categories (at most {MOST_CATEGORIES}); leave it out with {flag('drop', name)}, or group its values"
        )
    often = sorted(text for text, count in counts.items() if count >= math.ceil(RARE * len(present)))
    most = min(counts, key=lambda text: (-counts[text], text))
    return Encoding(CATEGORY, most if gaps else None, tuple(often), len(often) < len(counts))


def not_a_number(raw: Raw, name: str, example: int, came: str, learning: bool = True) -> DataError:
    """The error for a text among numbers; once the model has learnt from the column, it cannot be left out."""
    if came == name:
        return DataError(
            f"{raw.source}, {raw.place(example)}: expected a number in column {quoted(name)}, got its name: remove the "
            "line, which has the names of the columns again"
        )
    otherwise = f", or leave the column out with {flag('drop', name)}" if learning else ""
    point = raw.spelling_of(name) == PLAIN
    number = (COMMA if point else PLAIN).number(came)
    if number is not None and math.isfinite(number):
        right = f"{number:.15g}" if point else f"{number:.15g}".replace(".", ",")
        return DataError(
            f"{raw.source}, {raw.place(example)}: expected a decimal {'point' if point else 'comma'} in column "
            f"{quoted(name)}, got {quoted(came)}; write it as {right}{otherwise}"
        )
    return DataError(
        f"{raw.source}, {raw.place(example)}: expected a number in column {quoted(name)}, got {quoted(came)}; "
        f"write it as a number, or as nothing if it is missing{otherwise}"
    )


def _gap(raw: Raw, name: str, example: int, instead: str) -> DataError:
    return DataError(
        f"{raw.source}, {raw.place(example)}: expected a value in column {quoted(name)}, got nothing; {instead}"
    )


def encode(raw: Raw, table: Table, names: Sequence[str], encodings: Sequence[Encoding]) -> NDArray[np.float64]:
    """The inputs, (examples, inputs). Raises DataError with the place of a value that was not to be expected."""
    parts = [
        _encoded(raw, column, name, encoding)
        for name, column, encoding in zip(names, table.columns, encodings, strict=True)
    ]
    return np.concatenate(parts, axis=1) if parts else np.empty((len(table), 0))


def plain_matrix(raw: Raw, table: Table) -> NDArray[Any]:
    """Columns of numbers as they are, (examples, columns). Raises DataError for a missing value or another one."""
    names = raw.names or unnamed(len(table.columns))
    columns = []
    for name, column in zip(names, table.columns, strict=True):
        missing = absent(column)
        if missing.any():
            raise _gap(raw, name, int(np.argmax(missing)), "fill it in: this column had no missing values in training")
        columns.append(column if column.dtype.kind in "biuf" else numbers_of(raw, column, name))
    return np.column_stack(columns) if columns else np.empty((len(table), 0))


def is_named_like_id(name: str) -> bool:
    """Whether a column's name says that it names examples."""
    return _ID.search(name.lower()) is not None


def _encoded(raw: Raw, column: NDArray[Any], name: str, encoding: Encoding) -> NDArray[np.float64]:
    """A column's inputs, (examples, inputs)."""
    missing = absent(column)
    if missing.any() and encoding.fill is None:
        raise _gap(raw, name, int(np.argmax(missing)), "fill it in: this column had no missing values in training")
    if encoding.kind == CATEGORY:
        inputs = _one_hot(column, encoding)
    elif encoding.kind == NUMBER:
        inputs = numbers_of(raw, column, name, encoding.fill, encoding.unit or "")[:, np.newaxis]
    else:
        days = numbers_of(raw, _moments(raw, column, name, missing), name, encoding.fill)
        inputs = days[:, np.newaxis] if encoding.kind == DAYS else _parts(days)
    return inputs if encoding.fill is None else np.concatenate([inputs, missing[:, np.newaxis]], axis=1, dtype=float)


def numbers_of(
    raw: Raw, column: NDArray[Any], name: str, fill: float | str | None = None, unit: str = ""
) -> NDArray[np.float64]:
    """A column of numbers, (examples,), perhaps with a unit, its gaps filled. Raises DataError for what is none."""
    if column.dtype.kind == "O":  # all may be missing; what is not has to be a number all the same
        spelling = raw.spelling_of(name)
        values = [None if text is None else amount_in(text, unit, spelling) for text in column.tolist()]
        stray = {text: index for index, text in reversed(list(enumerate(column.tolist()))) if values[index] is None}
        stray.pop(None, None)
        if stray:  # if there are others, it is not a yes or no that does not fit
            other = next((text for text in reversed(stray) if spelling.answer(text) is None), next(reversed(stray)))
            raise not_a_number(raw, name, stray[other], other, learning=False)
        column = np.array([np.nan if value is None else value for value in values], np.float64)
    elif column.dtype.kind == "M":
        raise DataError(
            f"{raw.source}: expected numbers in column {quoted(name)}, got dates; write them as in training"
        )
    numbers = column.astype(np.float64)
    if fill is not None:
        numbers[np.isnan(numbers)] = fill
    return numbers


def _moments(raw: Raw, column: NDArray[Any], name: str, missing: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Days since 1970 of a column of dates, NaN where missing, (examples,)."""
    moments = np.full(len(column), np.datetime64("NaT", "us"))
    if column.dtype.kind == "M":
        moments, missing = column.astype("datetime64[us]"), np.isnat(column)
    for example in () if column.dtype.kind == "M" else np.flatnonzero(~missing).tolist():
        value = column[example]
        moment = date_in(str(value))
        if moment is None:
            raise DataError(
                f"{raw.source}, {raw.place(example)}: expected a date such as 2024-12-31 in column {quoted(name)}, "
                f"got {quoted(value)}"
            )
        moments[example] = moment
    days = np.full(len(column), np.nan)
    days[~missing] = _days(moments[~missing])
    return days


def _days(moments: NDArray[Any]) -> NDArray[np.float64]:
    return (moments - np.datetime64(0, "us")) / _DAY


def _parts(days: NDArray[np.float64]) -> NDArray[np.float64]:
    """Year, month, day, weekday (Monday is 0) and hour, (examples, 5), of days since 1970."""
    whole = np.floor(days)
    dates = whole.astype(np.int64).astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    year, month = np.divmod(months.astype(np.int64), 12)
    day = (dates - months.astype("datetime64[D]")).astype(np.int64) + 1
    return np.column_stack([year + 1970, month + 1, day, (whole + 3) % 7, (days - whole) * 24]).astype(np.float64)


def _one_hot(column: NDArray[Any], encoding: Encoding) -> NDArray[np.float64]:
    place = {text: index for index, text in enumerate(encoding.categories)}
    other = len(place) if encoding.others else -1
    fill = encoding.fill
    which = np.array([place.get(str(fill if value is None else value), other) for value in column.tolist()], np.intp)
    inputs = np.zeros((len(column), len(place) + encoding.others))
    inputs[np.flatnonzero(which >= 0), which[which >= 0]] = 1
    return inputs
