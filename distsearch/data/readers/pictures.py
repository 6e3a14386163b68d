"""The reader of folders of pictures, PNG or JPEG: a folder for each class, perhaps within `train` and `test`.

    flowers/train/rose/1.png    flowers/train/tulip/1.png    flowers/test/rose/2.png

Pictures are grey if all are, else red, green and blue; their bytes are divided by 255. Pillow decodes them.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data.raw import Raw, Selection, listed, reading
from distsearch.errors import DataError
from distsearch.errors.importing import importing
from distsearch.machine import memory

SUFFIXES = (".png", ".jpg", ".jpeg")
GREY = ("1", "L", "I", "I;16", "F")  # Pillow's modes of one channel
_LARGEST_BYTE = np.float32(255)


def are_in(path: str) -> bool:
    """Whether a folder holds pictures, or folders of them."""
    return os.path.isdir(path) and any(_pictures(folder) for folder in _folders(path))


def files_read(path: str) -> list[str]:
    """The files that `read` would read."""
    return [str(picture) for folder in _folders(path) for picture in _pictures(folder)]


def read(path: str, selection: Selection) -> Raw:
    """Read a folder of pictures; of those within `train` and `test`, the latter are the test set."""
    train, test = Path(path, "train"), Path(path, "test")
    if not train.is_dir():
        return _read_part(Path(path), selection)
    part = _read_part(train, selection)
    return replace(part, test=_read_part(test, selection)) if test.is_dir() else part


def _folders(path: str) -> list[Path]:
    """The folder, those in it and, as it may have a train and a test part, those in these; in order."""
    with reading(path, "a folder of pictures"):
        below = [each for each in sorted(Path(path).iterdir()) if each.is_dir()]
        return [Path(path), *(each for one in below for each in (one, *sorted(one.iterdir())) if each.is_dir())]


def _pictures(folder: Path) -> list[Path]:
    with reading(str(folder), "a folder of pictures"):
        return sorted(each for each in folder.iterdir() if each.suffix.lower() in SUFFIXES and each.is_file())


def _read_part(folder: Path, selection: Selection) -> Raw:
    """The pictures of the folders within a folder, by class; without targets, also those that lie in it directly."""
    classes = [each for each in sorted(folder.iterdir()) if each.is_dir() and _pictures(each)]
    files = [(picture, each.name) for each in classes for picture in _pictures(each)]
    if not selection.targets:
        files += [(picture, "") for picture in _pictures(folder)]
    if not files:
        raise DataError(
            f"{folder}: expected a folder for each class, with its pictures in it (PNG or JPEG), got none; "
            "see `distsearch run --help` for other formats"
        )
    features = _decoded([picture for picture, _ in files])
    targets = np.array([name for _, name in files]) if selection.targets else None
    return Raw(
        str(folder), features, targets, labels=True, place=lambda index: files[index][0].relative_to(folder).as_posix()
    )


def _decoded(files: Sequence[Path]) -> NDArray[np.float32]:
    """The pictures, (examples, height, width, channels), between 0 and 1. Raises DataError if sizes differ."""
    with importing("PIL", f"reading {files[0]} needs", package="Pillow", extra="images", error=DataError):
        from PIL import Image
    sizes: dict[tuple[int, int], Path] = {}
    modes: set[bool] = set()
    for file in files:
        with reading(str(file), "a picture", damage=(Exception,)), Image.open(file) as picture:
            sizes.setdefault(picture.size, file)
            modes.add(picture.mode in GREY)
    if len(sizes) > 1:
        found = [f"{width} × {height} ({file.name})" for (width, height), file in sizes.items()]
        raise DataError(f"{files[0].parent.parent}: expected pictures of one size, got {listed(found)}; resize them")
    (width, height), channels = next(iter(sizes)), 1 if modes == {True} else 3
    memory.require(f"{len(files):,} pictures", 8 * len(files) * width * height * channels, "train on a part of them")
    decoded = np.empty((len(files), height, width, channels), np.float32)
    for file, out in zip(files, decoded, strict=True):
        with reading(str(file), "a picture", damage=(Exception,)), Image.open(file) as picture:
            out[:] = _pixels(np.asarray(picture.convert("L" if channels == 1 else "RGB")), channels)
    return decoded


def _pixels(bytes_: NDArray[Any], channels: int) -> NDArray[np.float32]:
    return bytes_.reshape(*bytes_.shape[:2], channels).astype(np.float32) / _LARGEST_BYTE
