"""How numbers, truths, dates and missing values are spelt in text."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

MISSING = frozenset(("", "?", ".", "na", "n/a", "n.a.", "<na>", "nan", "-nan", "nat", "null", "none"))
_ERRORS = frozenset(("#n/a", "#na", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!"))  # of spreadsheets
SHORTEST_CODE = 3  # digits
_LONGEST_WHOLE = 40  # characters; longer integers need not be exact, and may be too large for a float
_TRUTHS = {"true": 1.0, "false": 0.0}
_ANSWERS = {**_TRUTHS, "yes": 1.0, "no": 0.0}

_GROUPED = re.compile(  # 1,234,567.8, or 12,34,567.8 as in India
    r"[+-]?(?:[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d?(?:,\d\d)+,\d{3})(?:\.\d+)?", re.ASCII
)
_SPACES = r"[ '\u2019\u00a0\u2009\u202f]"
_SPACED = re.compile(rf"[+-]?[1-9]\d{{0,2}}(?:{_SPACES}\d{{3}})+(?:[.,]\d+)?", re.ASCII)  # 1 234 567,8
_DOTTED = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?", re.ASCII)  # 1.234.567,8
_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?", re.ASCII)  # 1234567,8
_POINT = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?", re.ASCII)  # 1234567.8
_MINUS = "\u2212"
_POSSIBLE_MARK = re.compile(rf"[%(,]|{_SPACES}|\.\d{{3}}", re.ASCII)
_CURRENCY = "(?:[A-Z]{0,3}[$€£¥₹₺₽₩]|CHF|EUR|USD|GBP|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|HUF|CAD|AUD|BRL)"
_WITH_UNIT = re.compile(
    rf"(?P<sign>[+-]?)(?P<before>{_CURRENCY}?)\s*(?P<number>[+-]?[\d.](?:[\d.,]|{_SPACES}(?=\d))*)\s*"
    r"(?P<after>(?:[^\W\d_]|[$€£¥₹₺₽₩°])(?:[^\d,;()]{0,14}[^\s\d,;()])?)?",
)
_LONGEST_UNIT_NUMBER = 60  # characters; longer texts are no number with a unit
_TIME = r"(?P<time>[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?"
_YEAR_FIRST = re.compile(rf"(?P<year>\d{{4}})/(?P<month>\d\d?)/(?P<day>\d\d?){_TIME}", re.ASCII)
_DAY_FIRST = re.compile(rf"(?P<day>\d\d?)\.(?P<month>\d\d?)\.(?P<year>\d{{4}}){_TIME}", re.ASCII)
_NAMED_MONTH = re.compile(rf"(?P<day>\d\d?)[ -](?P<month>[A-Za-z]{{3,9}})[ -](?P<year>\d{{4}}){_TIME}", re.ASCII)
_SLASHED = re.compile(r"\d\d?[/-]\d\d?[/-](?:\d{4}|\d\d)(?!\d)", re.ASCII)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII)


def number_in(text: str) -> float | None:
    """The number that a text spells (an int if whole, so that long ones stay exact), or None."""
    if "_" in text or not text.isascii():  # Python would read 1_0 as 10, and digits of any script
        return None
    whole = len(text) < _LONGEST_WHOLE and text.strip().lstrip("+-").isdigit()
    try:
        return int(text) if whole else float(text)
    except ValueError:
        return None


def value_in(text: str) -> float | None:
    """The number that a text spells, with true as 1 and false as 0; None for anything else."""
    truth = _TRUTHS.get(text.strip().lower())
    return number_in(text) if truth is None else truth


def is_missing(text: str) -> bool:
    """Whether a text is one of the usual markers for a missing value in a table."""
    word = text.strip().lower()
    return word in MISSING or word in _ERRORS


@dataclass(frozen=True)
class Spelling:
    """The conventions of one source: whether a comma or a point comes before decimals."""

    decimal: str = "."

    def number(self, text: str) -> float | None:
        """The number that a cell spells, perhaps with a percent sign or thousands grouped; NaN if missing, or None."""
        text = text.strip()
        if is_missing(text):
            return math.nan
        if text.endswith("%"):
            share = self.number(text[:-1])
            return None if share is None or math.isnan(share) else share / 100
        if _is_bracketed(text):
            size = self.number(text[1:-1])
            return None if size is None or math.isnan(size) else -size
        text = text.replace(_MINUS, "-")
        if _SPACED.fullmatch(text):
            text = re.sub(_SPACES, "", text)
        if self.decimal == ",":
            if _DOTTED.fullmatch(text):
                text = text.replace(".", "")
            if _COMMA.fullmatch(text):
                text = text.replace(",", ".")
        elif _GROUPED.fullmatch(text):
            text = text.replace(",", "")
        return number_in(text)

    def marks(self, cells: Sequence[str]) -> dict[str, str]:
        """A cell that spells a number for each way of writing one that is worth a word: %, () and thousands."""
        found: dict[str, str] = {}
        if _POSSIBLE_MARK.search("\n".join(cells)):
            for cell in cells:
                if (mark := self._mark(cell)) and (mark not in found or not self.number(found[mark])):
                    found[mark] = cell.strip()
        return found

    def _mark(self, text: str) -> str:
        text = text.strip()
        if text.endswith("%"):
            return "%"
        if _is_bracketed(text):
            return "()"
        grouped = _DOTTED if self.decimal == "," else _GROUPED
        return "thousands" if _SPACED.fullmatch(text) or grouped.fullmatch(text) else ""

    def with_unit(self, text: str) -> tuple[float, str] | None:
        """The number that a cell spells beside a sign of currency or a unit, and that: `$5`, `1.234,5 €`, `12 kg`."""
        text = text.strip().replace(_MINUS, "-")
        negative = _is_bracketed(text)
        found = _WITH_UNIT.fullmatch(text[1:-1] if negative else text[:_LONGEST_UNIT_NUMBER])
        if found is None or len(text) > _LONGEST_UNIT_NUMBER:
            return None
        number = self.number(found["sign"] + found["number"])
        unit = " ".join(filter(None, (found["before"], found["after"])))
        if number is None or math.isnan(number) or not unit:
            return None
        return (-number if negative else number), unit

    def value(self, text: str) -> float | None:
        """As `number`, with true as 1 and false as 0."""
        truth = _TRUTHS.get(text.strip().lower())
        return self.number(text) if truth is None else truth

    def answer(self, text: str) -> float | None:
        """As `value`, with yes as 1 and no as 0 besides."""
        answer = _ANSWERS.get(text.strip().lower())
        return self.value(text) if answer is None else answer

    def target(self, text: str) -> float | None:
        """As `number`, with true as 1 and false as 0; None if it is missing."""
        found = self.value(text)
        return None if found is None or math.isnan(found) else found


PLAIN, COMMA = Spelling(), Spelling(",")


def is_currency(unit: str) -> bool:
    """Whether a unit is the sign or the code of a currency."""
    return re.fullmatch(_CURRENCY, unit) is not None


def decimal_in(cells: Iterable[str], separator: str, known: str = "") -> str:
    """The decimal mark of some cells of a table whose columns have such a separator.

    Decimals after points decide, then those after commas, then what is known of such tables. Where that is nothing, and
    all that have a comma may be thousands, it is one only in a table separated by semicolons, as spreadsheets write it
    where the comma is taken.
    """
    bare = [_bare(cell) for cell in cells]
    certain = _certain(bare)
    if "." in certain or (separator == "," and any(map(_POINT.fullmatch, bare))):
        return "."
    if "," in certain:
        return ","
    return known or ("," if separator == ";" and any(map(_COMMA.fullmatch, bare)) else ".")


def certain_decimals(cells: Iterable[str]) -> frozenset[str]:
    """The decimal marks that some of the cells can only have been written with, as 1,5 and 0.25 can."""
    return _certain(map(_bare, cells))


def may_be_thousands(cell: str) -> bool:
    """Whether a number such as 1.000 may be a thousand as well as one."""
    return _POINT.fullmatch(cell) is not None and _DOTTED.fullmatch(cell) is not None


def _certain(bare: Iterable[str]) -> frozenset[str]:
    """A point is one before other than three digits, and so is a comma, unless digits are grouped as in India."""
    found = set()
    for cell in bare:
        if "," in cell:
            if (_COMMA.fullmatch(cell) or _DOTTED.fullmatch(cell)) and not _GROUPED.fullmatch(cell):
                found.add(",")
            elif "." in cell and _GROUPED.fullmatch(cell):
                found.add(".")
        elif _POINT.fullmatch(cell) and not _DOTTED.fullmatch(cell):
            found.add(".")
    return frozenset(found)


def _is_bracketed(text: str) -> bool:
    """Whether a text is as accounts write a number below zero: (1,234.5)."""
    return text[:1] == "(" and text[-1:] == ")" and not set(f"()+-{_MINUS}").intersection(text[1:-1])


def _bare(cell: str) -> str:
    """A cell without what may stand beside its number, or as spaces between its thousands."""
    cell = cell.strip().rstrip("% ").strip("()")
    if _SPACED.fullmatch(cell):
        return re.sub(_SPACES, "", cell)
    if not cell or len(cell) > _LONGEST_UNIT_NUMBER or (cell[0] in "+-.0123456789" and cell[-1].isdigit()):
        return cell
    found = _WITH_UNIT.fullmatch(cell)
    return cell if found is None else found["sign"] + found["number"]


def date_in(text: str) -> datetime | None:
    """The date, and perhaps time of day, that a text spells, as UTC without a zone; or None.

    2024-12-31, 2024/12/31, 31.12.2024 and 31-Dec-2024 are dates; 12/11/2024 is not, as it may be two.
    """
    text = text.strip()
    if not _DATE.fullmatch(text):
        text = _iso(text)
    try:
        return without_zone(datetime.fromisoformat(text))
    except ValueError:
        return None


def without_zone(moment: datetime) -> datetime:
    """A moment as UTC, without a zone; what lies before the year 1 or after 9999 there, as it is in its own zone."""
    try:
        return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        return moment.replace(tzinfo=None)


def is_date_of_two_readings(text: str) -> bool:
    """Whether a text is a date such as 12/11/2024, whose month comes first in some countries, and its day in others."""
    return _SLASHED.match(text.strip()) is not None


def _iso(text: str) -> str:
    """A date that is written in another way as ISO 8601 has it; empty if it is none."""
    found = _YEAR_FIRST.fullmatch(text) or _DAY_FIRST.fullmatch(text) or _NAMED_MONTH.fullmatch(text)
    if found is None:
        return ""
    month = found["month"][:3].lower()
    if not month.isdigit():
        month = str(_MONTHS.index(month) + 1) if month in _MONTHS else "0"
    return f"{found['year']}-{month:0>2}-{found['day']:0>2}{found['time'] or ''}"


def interpreted(cells: NDArray[Any], spelling: Spelling = PLAIN) -> NDArray[Any]:
    """A column of text, (examples,) with None where missing, as numbers or dates if that is what all cells are.

    Codes such as 007 stay text, so that whoever learns from them as numbers can say so.
    """
    different = {cell for cell in cells.tolist() if cell is not None}
    words = {cell.strip().lower() for cell in different if not is_missing(cell)}
    numbers = {cell: (spelling.answer if words <= _ANSWERS.keys() else spelling.value)(cell) for cell in different}
    if None not in numbers.values() and not code_in([cell.strip() for cell in different]):
        return _mapped(cells, {**numbers, None: math.nan}, np.float64)
    present = {cell for cell, number in numbers.items() if number is None or not math.isnan(number)}
    dates = {cell: date_in(cell) for cell in present}
    if None not in dates.values():
        moments: dict[str | None, Any] = {**dict.fromkeys([*different, None]), **dates}
        return _mapped(cells, moments, "datetime64[us]")
    texts = {cell: cell.strip() if cell in present else None for cell in different}
    return _mapped(cells, {**texts, None: None}, object)


def without_missing(cells: NDArray[Any]) -> NDArray[Any]:
    """A column of text, (examples,), without spaces around it, and with None for the markers of missing values."""
    kept = np.empty(len(cells), object)
    kept[:] = [None if cell is None or is_missing(cell) else cell.strip() for cell in cells.tolist()]
    return kept


def _mapped(cells: NDArray[Any], meanings: Any, dtype: Any) -> NDArray[Any]:
    mapped = np.empty(len(cells), dtype)
    mapped[:] = [meanings[cell] for cell in cells.tolist()]
    return mapped


def code_in(cells: Sequence[str]) -> str:
    """A cell that begins with a zero, if all are digits, as many each, as in postcodes; else empty."""
    found = next((cell for cell in cells if cell[:1] == "0" and len(cell) >= SHORTEST_CODE and cell.isdigit()), "")
    if not found:
        return ""
    present = [cell for cell in cells if not is_missing(cell)]
    return found if all(len(cell) == len(found) and cell.isdigit() for cell in present) else ""


def floats(cells: "tuple[str, ...]", spelling: Spelling) -> NDArray[np.float64] | None:
    """Cells as numbers, (cells,), NaN where missing; None if one is something else, be it true or yes."""
    if spelling.decimal == ".":
        try:
            plain = np.fromiter(map(float, cells), np.float64, len(cells))
        except ValueError:
            pass
        else:
            written = "".join(cells)
            if written.isascii() and "_" not in written:  # Python would read 1_0 as 10, and digits of any script
                return plain
    numbers: dict[str, float] = {}
    for cell in set(cells):
        number = spelling.number(cell)
        if number is None:
            return None
        numbers[cell] = number
    return np.fromiter(map(numbers.__getitem__, cells), np.float64, len(cells))
