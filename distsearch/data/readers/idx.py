"""The reader of IDX files, MNIST's format: a file of images with a file of labels beside it, or a folder of these.

IDX is recognised by its magic number.
"""

import math
import os
import re
import struct
from dataclasses import replace
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data.raw import Raw, Selection, decompressed, reading
from distsearch.errors import DataError
from distsearch.machine import memory

_TABLE = re.compile(r"\.(?:csv|tsv|txt|xlsx|jsonl?)(?:\.gz)?$", re.IGNORECASE)
_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_PARTS = ("train", "t10k")  # prefixes of the file names in a folder
_LARGEST_BYTE = np.float32(255)


def read(path: str, selection: Selection) -> Raw:
    """Read images and labels from a file of images, or from a folder. Bytes are divided by 255."""
    return _read_folder(path, selection) if os.path.isdir(path) else _read_file(path, selection)


def files_read(path: str) -> list[str]:
    """The files that `read` would read. Raises DataError if they do not exist."""
    images = [os.path.join(path, name) for name in _idx_images(path) if name] if os.path.isdir(path) else [path]
    return [*images, *map(_labels_beside, images)]


def _read_file(path: str, selection: Selection) -> Raw:
    """Read a file of images and the file of their labels beside it. Bytes are divided by 255."""
    images = _idx_array(path)
    if images.ndim == 1:
        raise DataError(f"{path}: expected images, got {len(images)} single values; give the images file instead")
    targets = None
    if selection.targets:
        beside = _labels_beside(path)
        targets = _idx_array(beside)
        if targets.shape != (len(images),):
            raise DataError(
                f"{beside}: expected {len(images)} labels, one per image of {path}, got {targets.shape}; "
                "take both files from the same place"
            )
    features = images.astype(np.float32) / _LARGEST_BYTE if images.dtype == np.uint8 else images
    return Raw(path, features, targets, labels=True)


def _read_folder(path: str, selection: Selection) -> Raw:
    """Read train-images… and train-labels…, and t10k-images… and t10k-labels… as the test set if they exist."""
    first, second = _idx_images(path)
    train = _read_file(os.path.join(path, first), selection)
    if second is None:
        return train
    test = _read_file(os.path.join(path, second), selection)
    return replace(train, test=test)


def _idx_images(path: str) -> tuple[str, str | None]:
    """The names of a folder's image files for training and for testing; the latter may be missing."""
    with reading(path, "a folder of IDX files"):
        files = sorted(os.listdir(path))  # if both exist, sorting puts the uncompressed file before its .gz
    train, test = (next((name for name in files if name.startswith(f"{part}-images")), None) for part in _PARTS)
    if train is None:
        parts = "; put tables that belong together into one file" if any(map(_TABLE.search, files)) else ""
        raise DataError(
            f"expected a data file, or a folder of IDX files, but {path} is a folder without train-images…{parts}"
        )
    return train, test


def _labels_beside(images: str) -> str:
    """The labels file for an images file, such as train-labels-idx1-ubyte for train-images-idx3-ubyte.gz."""
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
    with reading(path, "an IDX file"), decompressed(path) as file:
        shape, dtype = _idx_head(path, file)
        size = math.prod(shape) * dtype.itemsize
        memory.require(f"{path} of shape {shape}", size * (1 + 4 // dtype.itemsize), "train on a part of it")
        content = file.read(size + 1)
    if len(content) != size or not size:
        head = 4 + 4 * len(shape)
        came = f"{head + len(content)}{' or more' if len(content) > size else ''}"
        raise DataError(
            f"{path}: expected {head + size} bytes for shape {shape} in its header, got {came}; "
            "the file is damaged or truncated, download it again"
        )
    return np.frombuffer(content, dtype).reshape(shape)


def _idx_head(path: str, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and type from an IDX file's header. Raises DataError if it does not begin like an IDX file."""
    start = file.read(4)
    zeros, kind, dimensions = struct.unpack(">HBB", start) if len(start) == 4 else (0, 0, 0)
    sizes = file.read(4 * dimensions)
    if zeros or kind not in _IDX_TYPES or not 1 <= dimensions <= 32 or len(sizes) < 4 * dimensions:
        raise DataError(
            f"expected a .csv, .tsv, .xlsx, .parquet, .arrow, .jsonl, .npz or IDX file, but {path} has none of these "
            "suffixes, and does not begin like an IDX file; if it is a text table, add --reader csv"
        )
    return struct.unpack(f">{dimensions}I", sizes), np.dtype(_IDX_TYPES[kind])
