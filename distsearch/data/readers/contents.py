"""Recognises a file by its first bytes where its name is wrong, or where none of our readers reads it."""

import re
from typing import NamedTuple

from distsearch.data.raw import reading
from distsearch.errors import DataError

_HEAD = 512  # bytes


class _Content(NamedTuple):
    begins: re.Pattern[bytes]
    what: str
    instead: str
    readers: tuple[str, ...] = ()  # those that read it


def _content(begins: bytes, what: str, instead: str, *readers: str) -> _Content:
    return _Content(re.compile(begins), what, instead, readers)


_UNPACK = "unpack it first, or compress it with gzip"
_CONTENTS = (
    _content(rb"PK\x03\x04", "a ZIP archive, as Excel files are", "rename it to .xlsx, or unpack it", "xlsx", "npz"),
    _content(rb"PAR1", "a Parquet file", "rename it to .parquet", "parquet"),
    _content(rb"ARROW1", "an Arrow file", "rename it to .arrow", "arrow"),
    _content(rb"BZh\d", "compressed by bzip2", _UNPACK),
    _content(rb"\xfd7zXZ\x00", "compressed by xz", _UNPACK),
    _content(rb"\x28\xb5\x2f\xfd", "compressed by Zstandard", _UNPACK),
    _content(rb"\xd0\xcf\x11\xe0", "an Excel file of the old format (.xls)", "save it as .xlsx"),
    _content(rb"\x93NUMPY", "a single NumPy array", "save features and targets: numpy.savez(path, X=…, y=…)"),
    _content(rb"\x89HDF\r\n", "an HDF5 file", "save the table as Parquet or CSV"),
    _content(rb"SQLite format 3\x00", "an SQLite database", "save the table as CSV"),
    _content(rb"version https://git-lfs", "a pointer of Git LFS, not the data", "type git lfs pull"),
    _content(rb"(?i)\s*<(!doctype html|html|\?xml)", "a web page or XML", "download or save the table itself"),
    _content(rb'\s*(\[\s*)?\{\s*["}]', "JSON", "rename it to .jsonl, or add --reader jsonl", "jsonl"),
)


_EXPECTED = {
    "csv": "a text table",
    "tsv": "a text table",
    "xlsx": "an Excel file (.xlsx)",
    "parquet": "a Parquet file",
    "arrow": "an Arrow file",
    "jsonl": "a file of JSON objects",
    "npz": "an NPZ file",
    "idx": "a table, or an IDX file",
}


def check(path: str, reader: str) -> None:
    """Raise DataError if a file begins like something that the named reader does not read."""
    with reading(path, "readable"), open(path, "rb") as file:
        head = file.read(_HEAD).removeprefix(b"\xef\xbb\xbf")
    for content in _CONTENTS:
        if reader not in content.readers and content.begins.match(head):
            expected = _EXPECTED.get(reader, "readable")
            raise DataError(f"expected {path} to be {expected}, but it is {content.what}: {content.instead}")
