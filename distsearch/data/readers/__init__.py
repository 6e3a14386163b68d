"""Readers of data files, one format per module: each maps a path and a `Selection` to examples, `Raw`.

The file's suffix gives the format; a file without a known suffix must be IDX, which has a magic number. A folder holds
parts of a Parquet table, IDX files, or pictures by class. `-` is standard input. Nothing is ever unpickled.
"""

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from distsearch.data.raw import Raw, Selection
from distsearch.data.readers import (
    arrow_tables,
    contents,
    csv_tables,
    excel,
    idx,
    json_lines,
    npz,
    pictures,
    standard_input,
)
from distsearch.errors import DataError
from distsearch.machine import memory
from distsearch.registry import Registry

LOG = logging.getLogger(__name__)
LONG_TO_READ = 2e8  # bytes; a text table takes about a minute for each 1e9

Reader = Callable[[str, Selection], Raw]

READERS: Registry[Reader] = Registry(
    "reader",
    "readers",
    {
        "csv": csv_tables.read,
        "tsv": partial(csv_tables.read, delimiter="\t"),
        "xlsx": excel.read,
        "parquet": arrow_tables.read,
        "arrow": arrow_tables.read,
        "jsonl": json_lines.read,
        "npz": npz.read,
        "idx": idx.read,
        "png": pictures.read,
    },
    callable,
    "a function of a path and a distsearch.data.raw.Selection",
)

OF_FOLDERS = ("idx", "png", "parquet")
"""Our own readers that read folders."""

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_SUFFIXES = {"txt": "csv", "data": "csv", "tab": "tsv", "feather": "arrow", "ndjson": "jsonl", "json": "jsonl"}
_CHUNKED: dict[str, Callable[[str, Selection, int], Iterator[Raw]]] = {
    "csv": csv_tables.chunks,
    "tsv": partial(csv_tables.chunks, delimiter="\t"),
    "parquet": arrow_tables.chunks,
    "arrow": arrow_tables.chunks,
    "jsonl": json_lines.chunks,
}


def read(path: str, selection: Selection, reader: str = "") -> Raw:
    """Read the examples of a file or folder with the named reader or, if empty, the one for the file's name.

    Raises DataError if it cannot be read, SettingError if there is no such reader.
    """
    name, place = _located(path, reader)
    size = os.path.getsize(place)
    if size > LONG_TO_READ:
        LOG.info(f"reading {memory.in_words(size)} of {standard_input.SPOKEN if place != path else path}")
    with _named(path, place):
        return _spoken(READERS.find(name)(place, selection), path, place)


def chunks(path: str, selection: Selection, rows: int, reader: str = "") -> Iterator[Raw]:
    """The examples in runs of so many where the format allows it; else all of them at once. Raises as `read` does."""
    name, place = _located(path, reader)
    with _named(path, place):
        parts = _CHUNKED[name](place, selection, rows) if name in _CHUNKED else [READERS.find(name)(place, selection)]
        for raw in parts:
            yield _spoken(raw, path, place)


def _spoken(raw: Raw, path: str, place: str) -> Raw:
    """What was read, with standard input called by its name, and not by where it is kept."""
    if place == path:
        return raw
    notes = tuple(note.replace(place, standard_input.SPOKEN) for note in raw.notes)
    return replace(raw, source=standard_input.SPOKEN, notes=notes)


@contextmanager
def _named(path: str, place: str) -> Iterator[None]:
    """Call standard input by its name in errors, and not by where it is kept."""
    try:
        yield
    except DataError as error:
        error.args = (str(error).replace(place, standard_input.SPOKEN) if place != path else str(error),)
        raise


def _located(path: str, reader: str) -> tuple[str, str]:
    """The reader for a path, and the path that it reads. Raises DataError if there is nothing to be read."""
    if path == standard_input.NAME:
        return reader or standard_input.reader(), standard_input.spooled()
    name = reader or name_for(path)
    if not os.path.exists(path):
        instead = "download it first" if _URL.match(path) else "check its name and folder"
        raise DataError(f"expected a data file, but {path} does not exist; {instead}")
    if name in READERS.own and not (os.path.isfile(path) or (name in OF_FOLDERS and os.path.isdir(path))):
        what = "a folder" if os.path.isdir(path) else "a pipe or a device"
        raise DataError(f"expected a data file, but {path} is {what}; save the data in a file first")
    if name in READERS.own and os.path.isfile(path):
        contents.check(path, name)
    return name, path


def name_for(path: str) -> str:
    """The name of the reader for a file of this name, or for a folder."""
    if os.path.isdir(path):
        if pictures.are_in(path):
            return "png"
        return "parquet" if arrow_tables.holds_parts(path) else "idx"
    suffix = Path(path.lower().removesuffix(".gz")).suffix.removeprefix(".")
    suffix = _SUFFIXES.get(suffix, suffix)
    return suffix if suffix and suffix in READERS else "idx"


def files_read(path: str, reader: str = "") -> list[str]:
    """The files that `read` would read for a file or folder. Raises DataError if they do not exist."""
    match reader or name_for(path):
        case "idx":
            return idx.files_read(path)
        case "png":
            return pictures.files_read(path)
        case "parquet":
            return arrow_tables.files_read(path)
    return [path]
