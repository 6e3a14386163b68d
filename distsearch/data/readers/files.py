"""Readers of data files: CSV (in `csv_tables`), Parquet (in `tables`), NPZ and IDX. Each gives the same thing, `Raw`.

A format is told by the file's name; what has no known name must be IDX, which is told by its magic number.
Nothing is ever unpickled.
"""

import math
import os
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from distsearch import memory
from distsearch.data.raw import Columns, Raw, listed, reading, unpacked
from distsearch.data.readers.csv_tables import read_csv
from distsearch.data.readers.tables import read_parquet
from distsearch.errors import DataError

_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_PARTS = ("train", "t10k")  # begin the names of a folder's IDX files
ARRAY_COPIES = 2  # as it is, and as float32
_LARGEST_BYTE = np.float32(255)


def read(path: str, columns: Columns) -> Raw:
    """The examples of a file, or of a folder of IDX files. DataError if it cannot be read."""
    if os.path.isdir(path):
        return _read_idx_folder(path, columns)
    if not os.path.exists(path):
        raise DataError(f"expected a data file, but {path} does not exist; check its name and folder")
    if not os.path.isfile(path):
        raise DataError(f"expected a data file, but {path} is a pipe or a device; save the data in a file first")
    return _reader(path)(path, columns)


def files_read(path: str) -> list[str]:
    """The files that `read` reads for the examples of a file or folder. DataError if they are not there."""
    if os.path.isdir(path):
        images = [os.path.join(path, name) for name in _idx_images(path) if name]
    elif _reader(path) is _read_idx:
        images = [path]
    else:
        return [path]
    return [*images, *map(_labels_beside, images)]


def _reader(path: str) -> Callable[[str, Columns], Raw]:
    return _READERS.get(Path(path.lower().removesuffix(".gz")).suffix, _read_idx)


def _read_npz(path: str, columns: Columns) -> Raw:
    """Arrays X and y; or x_train and y_train, and perhaps x_test and y_test. Capitals do not matter."""
    with (
        # On damaged bytes zipfile and NumPy raise almost anything.
        reading(path, "an NPZ file with arrays of numbers or text", damage=(Exception,)),
        open(path, "rb") as file,
        np.lib.npyio.NpzFile(file, allow_pickle=False) as content,
    ):
        names = {name.lower(): name for name in content.files}
        part = "" if "x" in names else "_train"
        train = _npz_part(path, content, names, part, columns)
        test = _npz_part(path, content, names, "_test", columns) if part and "x_test" in names else None
    return replace(train, test=test)


def _npz_part(path: str, content: np.lib.npyio.NpzFile, names: Mapping[str, str], part: str, columns: Columns) -> Raw:
    arrays = []
    for name in (f"x{part}", f"y{part}") if columns.targets else (f"x{part}",):
        if name not in names:
            raise DataError(
                f"{path}: expected arrays X and y, or x_train, y_train, x_test and y_test, got {listed(list(content))}"
            )
        _require_memory(path, content, names[name])
        array = content[names[name]]
        if not isinstance(array, np.ndarray):  # NumPy answers bytes if the array's own magic is damaged
            raise DataError(f"{path}: expected {names[name]} to be an array, but it is damaged; write the file again")
        arrays.append(array)
    source = f"{path} (x_test)" if part == "_test" else path
    return Raw(source, arrays[0], arrays[1] if columns.targets else None)


def _require_memory(path: str, content: np.lib.npyio.NpzFile, name: str) -> None:
    """TooLargeError if an array is larger than memory, going by its size in the archive: NumPy reads no more of it."""
    members = content.zip.infolist() if content.zip else []
    size = max((member.file_size for member in members if member.filename in (name, f"{name}.npy")), default=0)
    memory.require(f"the array {name} of {path}", ARRAY_COPIES * size, "train on a part of it")


def _read_idx(path: str, columns: Columns) -> Raw:
    """A file of images, and beside it the file of their labels. Bytes are divided by 255."""
    images = _idx_array(path)
    if images.ndim == 1:
        raise DataError(f"{path}: expected images, got {len(images)} single values; give the images file instead")
    targets = None
    if columns.targets:
        beside = _labels_beside(path)
        targets = _idx_array(beside)
        if targets.shape != (len(images),):
            raise DataError(
                f"{beside}: expected {len(images)} labels, one an image of {path}, got {targets.shape}; "
                "take both files from the same place"
            )
    features = images.astype(np.float32) / _LARGEST_BYTE if images.dtype == np.uint8 else images
    return Raw(path, features, targets, labels=True)


def _read_idx_folder(path: str, columns: Columns) -> Raw:
    """train-images… and train-labels…; t10k-images… and t10k-labels…, if they are there, are its test set."""
    first, second = _idx_images(path)
    train = _read_idx(os.path.join(path, first), columns)
    if second is None:
        return train
    test = _read_idx(os.path.join(path, second), columns)
    return replace(train, test=test)


def _idx_images(path: str) -> tuple[str, str | None]:
    """The names of a folder's files of images, to train and to test on; the latter need not be there."""
    with reading(path, "a folder of IDX files"):
        files = sorted(os.listdir(path))  # where both are there, sorting puts the unpacked file before its .gz
    train, test = (next((name for name in files if name.startswith(f"{part}-images")), None) for part in _PARTS)
    if train is None:
        raise DataError(f"expected a data file, or a folder of IDX files, but {path} is a folder without train-images…")
    return train, test


def _labels_beside(images: str) -> str:
    """The labels file of an images file, such as train-labels-idx1-ubyte of train-images-idx3-ubyte.gz."""
    folder, name = os.path.split(images)
    if "images" not in name:
        raise DataError(
            f"expected 'images' in the name of the IDX file {images}; "
            "rename it and its labels file like train-images-idx3-ubyte and train-labels-idx1-ubyte"
        )
    plain = re.sub(r"idx\d", "idx1", name.replace("images", "labels")).removesuffix(".gz")
    for candidate in (plain, f"{plain}.gz"):
        path = os.path.join(folder, candidate)
        if os.path.isfile(path):
            return path
    raise DataError(f"expected the labels of {images} beside it, but there is no {plain} (nor {plain}.gz)")


def _idx_array(path: str) -> NDArray[np.generic]:
    """The array of an IDX file: two zero bytes, type, number of dimensions, their sizes, values."""
    with reading(path, "an IDX file"), unpacked(path) as file:
        shape, dtype = _idx_head(path, file)
        size = math.prod(shape) * dtype.itemsize
        memory.require(f"{path} of the shape {shape}", size * (1 + 4 // dtype.itemsize), "train on a part of it")
        content = file.read(size + 1)
    if len(content) != size or not size:
        head = 4 + 4 * len(shape)
        came = f"{head + len(content)}{' or more' if len(content) > size else ''}"
        raise DataError(
            f"{path}: expected {head + size} bytes for the shape {shape} in its head, got {came}; "
            "the file is damaged or cut short, fetch it again"
        )
    return np.frombuffer(content, dtype).reshape(shape)


def _idx_head(path: str, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and the type of an IDX file's values, which come next. DataError if it does not begin as one does."""
    start = file.read(4)
    zeros, kind, dimensions = struct.unpack(">HBB", start) if len(start) == 4 else (0, 0, 0)
    sizes = file.read(4 * dimensions)
    if zeros or kind not in _IDX_TYPES or not 1 <= dimensions <= 32 or len(sizes) < 4 * dimensions:
        raise DataError(
            f"expected a .csv, .tsv, .parquet, .npz or IDX file, but {path} has none of these names, "
            "and does not begin as IDX does"
        )
    return struct.unpack(f">{dimensions}I", sizes), np.dtype(_IDX_TYPES[kind])


_READERS: dict[str, Callable[[str, Columns], Raw]] = {
    ".csv": read_csv,
    ".tsv": partial(read_csv, delimiter="\t"),
    ".parquet": read_parquet,
    ".npz": _read_npz,
}
