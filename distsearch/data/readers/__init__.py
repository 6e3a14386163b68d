"""Readers of data files, one format per module: each maps a path and a `Selection` to examples, `Raw`.

The file's suffix gives the format; a file without a known suffix must be IDX, which has a magic number. A folder holds
IDX files, or pictures by class.
Nothing is ever unpickled.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from distsearch.data.raw import Raw, Selection
from distsearch.data.readers import csv_tables, idx, npz, parquet, pictures
from distsearch.errors import DataError
from distsearch.registry import Registry

Reader = Callable[[str, Selection], Raw]

READERS: Registry[Reader] = Registry(
    "reader",
    "readers",
    {
        "csv": csv_tables.read,
        "tsv": partial(csv_tables.read, delimiter="\t"),
        "parquet": parquet.read,
        "npz": npz.read,
        "idx": idx.read,
        "png": pictures.read,
    },
    callable,
    "a function of a path and a distsearch.data.raw.Selection",
)

OF_FOLDERS = ("idx", "png")
"""Our own readers that read folders."""


def read(path: str, selection: Selection, reader: str = "") -> Raw:
    """Read the examples of a file or folder with the named reader or, if empty, the one for the file's name.

    Raises DataError if it cannot be read, SettingError if there is no such reader.
    """
    name = reader or name_for(path)
    if not os.path.exists(path):
        raise DataError(f"expected a data file, but {path} does not exist; check its name and folder")
    if name in READERS.own and not (os.path.isfile(path) or (name in OF_FOLDERS and os.path.isdir(path))):
        what = "a folder" if os.path.isdir(path) else "a pipe or a device"
        raise DataError(f"expected a data file, but {path} is {what}; save the data in a file first")
    return READERS.find(name)(path, selection)


def name_for(path: str) -> str:
    """The name of the reader for a file of this name, or for a folder."""
    if os.path.isdir(path):
        return "png" if pictures.are_in(path) else "idx"
    suffix = Path(path.lower().removesuffix(".gz")).suffix.removeprefix(".")
    return suffix if suffix and suffix in READERS else "idx"


def files_read(path: str, reader: str = "") -> list[str]:
    """The files that `read` would read for a file or folder. Raises DataError if they do not exist."""
    match reader or name_for(path):
        case "idx":
            return idx.files_read(path)
        case "png":
            return pictures.files_read(path)
    return [path]
