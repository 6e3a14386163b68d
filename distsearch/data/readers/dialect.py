"""Recognises how a text table is written: its encoding, separator, comments and decimal mark."""

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from typing import IO

from distsearch.data.raw import decompressed, listed
from distsearch.data.spelling import COMMA, PLAIN, Spelling, certain_decimals, decimal_in, may_be_thousands
from distsearch.errors import DataError

LONGEST_LINE = 32_000_000  # characters; parsing a line takes many times as much memory
SAMPLE_LINES = 200
SAMPLE_CHARACTERS = 1_000_000
BLOCK = 1 << 20  # bytes

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
_STRONG = (";", "\t", "|")  # seldom part of a cell
_ENCODINGS = {"utf-16": "UTF-16", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "cp1252": "Windows-1252"}
_DECLARED = re.compile(r"sep=(.)", re.IGNORECASE)  # a first line that spreadsheets write and heed
_STRANGE = re.compile("[\udc80-\udcff]")  # bytes that are not UTF-8, where the others are decoded
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f]")


@dataclass(frozen=True)
class Dialect:
    """How a text table is written."""

    separator: str
    encoding: str = "utf-8-sig"
    commented: bool = False  # whether lines that begin with # are comments
    skipped: int = 0  # lines before the table
    header: str = ""  # the last comment above the table, if it holds the names of the columns
    spelling: Spelling = PLAIN
    commas: frozenset[int] = frozenset()  # columns with a decimal comma, though others have a point
    points: frozenset[int] = frozenset()  # columns that certainly have a point
    doubtful: str = ""  # a number whose point, taken for a decimal one, may group its thousands

    def spelling_of(self, column: int) -> Spelling:
        """How numbers are written in a column."""
        return COMMA if column in self.commas else self.spelling

    def with_commas(self, names: Sequence[str], commas: Collection[str]) -> "Dialect":
        """The dialect where columns of these names have a decimal comma too, unless they certainly have a point."""
        if self.spelling == COMMA:
            return self
        more = {index for index, name in enumerate(names) if name in commas} - self.points
        return replace(self, commas=self.commas | more)

    def sentence(self, path: str, usual: str, names: Sequence[str], marked: Iterable[str] = ()) -> str:
        """How the table is written, where that differs from plain UTF-8 and its usual separator; else empty.

        `marked` says what numbers that are written with more than digits are read as.
        """
        said = []
        if self.separator != usual:
            said.append(f"columns are separated by {_SEPARATORS.get(self.separator, repr(self.separator))}")
        if self.spelling.decimal == ",":
            said.append("the decimal mark is a comma")
        if self.commas:
            named = listed([name for index, name in enumerate(names) if index in self.commas])
            said.append(f"the decimal mark is a comma in {named}, and a point elsewhere")
        if self.doubtful:
            thousands = self.doubtful.replace(".", "")
            said.append(f"{self.doubtful!r} is {float(self.doubtful):g} (write {thousands} if that is meant)")
        said.extend(marked)
        if self.encoding in _ENCODINGS:
            said.append(f"the text is {_ENCODINGS[self.encoding]}")
        if self.header:
            said.append("its last comment holds the column names")
        elif self.commented:
            said.append("lines that begin with # are comments")
        return f"{path} was read as follows: {', '.join(said)}" if said else ""


def dialect_of(path: str, usual: str, decimal: str = "", *, whole: bool = True) -> Dialect:
    """The dialect of a file whose suffix suggests a separator. Raises DataError if it is not text.

    decimal: the decimal mark where the file does not say, if it is known.
    """
    encoding = _encoding(path, whole)
    with opened(path, encoding, whole=whole) as lines:
        sample = list(_sampled(lines))
    declared = _DECLARED.fullmatch(sample[0].strip()) if sample else None
    skipped = int(declared is not None)
    commented = _has_comments(sample[skipped:])
    table = [line for line in sample[skipped:] if line.strip() and not (commented and line.startswith("#"))]
    separator = declared[1] if declared else _separator(table, usual)
    cells = list(readable(filter(None, rows_of(table, separator))))
    header = _header_above(sample[skipped:], cells, separator) if commented else ""
    spelling = Spelling(decimal_in((cell for row in cells for cell in row), separator, decimal))
    certain = [certain_decimals(filter(None, column)) for column in zip_longest(*cells)]
    commas = frozenset(index for index, marks in enumerate(certain) if marks == {","} and spelling != COMMA)
    points = frozenset(index for index, marks in enumerate(certain) if "." in marks)
    doubtful = _doubtful(cells, certain) if separator == ";" and spelling == PLAIN else ""
    return Dialect(separator, encoding, commented, skipped, header, spelling, commas, points, doubtful)


def _doubtful(rows: Sequence[Sequence[str]], certain: Sequence[Collection[str]]) -> str:
    """A cell such as 1.000 in a column where no other says what its point is for; else empty."""
    found = ((row[at].strip() for row in rows if at < len(row)) for at, marks in enumerate(certain) if not marks)
    return next((cell for column in found for cell in column if may_be_thousands(cell)), "")


@contextmanager
def opened(path: str, encoding: str, *, whole: bool = True) -> Iterator[Iterator[str]]:
    """The lines of a text file, with their ends. Raises DataError for one that does not end."""
    with decompressed(path, whole=whole) as file, io.TextIOWrapper(file, encoding=encoding, newline="") as text:
        yield _lines(path, text)


def rows_of(lines: Iterable[str], separator: str, *, strict: bool = False) -> Iterator[list[str]]:
    """The rows of cells of lines as csv reads them; if strict, csv.Error for text after a closing quote."""
    return csv.reader(lines, delimiter=separator, skipinitialspace=separator != "\t", strict=strict)


def _lines(path: str, text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise DataError(f"expected {path} to be a text table, but it has an endless line")
        yield line


def readable(rows: Iterable[list[str]]) -> Iterator[list[str]]:
    """The rows before one that csv refuses, which whoever reads the table can name by its line."""
    with suppress(csv.Error):
        yield from rows


def _sampled(lines: Iterator[str]) -> Iterator[str]:
    size = 0
    for line in islice(lines, SAMPLE_LINES):
        yield line
        size += len(line)
        if size > SAMPLE_CHARACTERS:
            return


def _encoding(path: str, whole: bool) -> str:
    """UTF-8, or UTF-16 by its byte order mark or its zeros, or else Windows-1252; the whole file is looked at."""
    with decompressed(path, whole=whole) as file:
        head = file.read(BLOCK)
        for mark, name in _MARKS:
            if head.startswith(mark):
                return name
        zeros = [head[place:4096:2].count(0) / max(1, len(head[place:4096:2])) for place in (0, 1)]
        if max(zeros) > 0.4 and min(zeros) < 0.1:
            return "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
        if 0 in head:
            raise DataError(f"expected {path} to be a text table, but it contains zero bytes")
        if _decodes(head, file, "utf-8"):
            return "utf-8-sig"
    with decompressed(path, whole=whole) as file:
        control = _CONTROL.search(head.decode("latin-1"))
        if control or _is_nearly_utf8(path, whole) or not _decodes(b"", file, "cp1252"):
            raise DataError(f"{path}{_undecodable(path, whole)}; save it as UTF-8")
    return "cp1252"


def _decodes(head: bytes, file: IO[bytes], encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        decoder.decode(head)
        while block := file.read(BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _is_nearly_utf8(path: str, whole: bool) -> bool:
    """Whether there are more characters beyond ASCII in UTF-8 than bytes that are none."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    beyond = strange = 0
    with decompressed(path, whole=whole) as file:
        while block := file.read(BLOCK):
            text = decoder.decode(block)
            beyond += len(text) - len(text.encode("ascii", "ignore"))
            strange += len(_STRANGE.findall(text))
    return beyond > 2 * strange


def _undecodable(path: str, whole: bool) -> str:
    with decompressed(path, whole=whole) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return f", line {number}: expected text in UTF-8, got the byte 0x{line[error.start]:02x}"
    return ": expected text in UTF-8"


def _has_comments(sample: Sequence[str]) -> bool:
    """Whether the file begins with comments: # and more than the name of a first column."""
    first = next((line for line in sample if line.strip()), "")
    return first.startswith("#") and not re.match(r"#\s*[,;\t|\"]", first)


def _header_above(sample: Sequence[str], cells: Sequence[Sequence[str]], separator: str) -> str:
    """The last comment above the table if it has a name for each column, and the table begins with a number."""
    last = ""
    for line in sample:
        if line.strip() and not line.startswith("#"):
            break
        last = line if line.strip() else last
    names = next(rows_of([last.lstrip("# ")], separator), [])
    begins = bool(cells) and any(Spelling().value(cell) is not None for cell in cells[0])
    fits = len(names) == len(cells[0]) > 1 if cells else False
    return last.lstrip("# ") if begins and fits and not any(Spelling().value(name) for name in names) else ""


def _separator(table: Sequence[str], usual: str) -> str:
    """The separator by which most rows have as many cells as the first; the usual one if none is better."""
    usually = _fit(table, usual)
    for separator in _STRONG:
        if separator != usual and _fit(table, separator) >= 0.9:
            first = next(filter(None, rows_of(table, separator)))
            if usually < 0.9 or all(Spelling(",").number(cell) is not None for cell in first):
                return separator
    if usually >= 0.5:
        return usual
    return next((each for each in (*_STRONG, ",", " ") if _fit(table, each) >= 0.5), usual)


def _fit(table: Sequence[str], separator: str) -> float:
    """The share of rows with as many cells as the first, if that has two or more."""
    lines = (line.strip(" ") for line in table) if separator == " " else table
    try:
        rows = [row for row in rows_of(lines, separator) if row]
    except csv.Error:
        return 0.0
    if not rows or len(rows[0]) < 2:
        return 0.0
    rows[0] = fitted(rows[0], rows[min(1, len(rows) - 1)])
    return sum(len(row) == len(rows[0]) for row in rows) / len(rows)


def fitted(header: list[str], below: Sequence[str]) -> list[str]:
    """The cells of a header, as many as the row below it has, where only one of the two lines ends with a separator."""
    if len(below) == len(header) + 1 and not below[-1].strip():
        return [*header, ""]
    return header[:-1] if len(below) == len(header) - 1 and not header[-1].strip() else header
