"""The reader of folders of pictures, PNG or JPEG: a folder for each class, perhaps within `train` and `test`.

    flowers/train/rose/1.png    flowers/train/tulip/1.png    flowers/test/rose/2.png

Pictures are grey if all of training are, else red, green and blue; a channel's largest value becomes 1. Pillow decodes
them.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from distsearch.data.raw import Raw, Selection, listed, reading
from distsearch.errors import DataError
from distsearch.errors.importing import importing
from distsearch.machine import memory

SUFFIXES = (".png", ".jpg", ".jpeg")
GREY = ("1", "L", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's modes of one channel, all but the first two of 16 bits
_LARGEST_BYTE, _LARGEST_OF_TWO = np.float32(255), np.float32(65535)


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
    if not test.is_dir():
        return part
    return replace(
        part, test=_read_part(test, replace(selection, channels=cast(NDArray[Any], part.features).shape[-1]))
    )


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
    features = _decoded([picture for picture, _ in files], selection.channels)
    targets = np.array([name for _, name in files]) if selection.targets else None
    return Raw(
        str(folder), features, targets, labels=True, place=lambda index: files[index][0].relative_to(folder).as_posix()
    )


def _decoded(files: Sequence[Path], known: int | None) -> NDArray[np.float32]:
    """The pictures, (examples, height, width, channels), between 0 and 1; of as many channels as is known or suits all.

    Raises DataError if sizes differ.
    """
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
    (width, height), channels = next(iter(sizes)), known or (1 if modes == {True} else 3)
    memory.require(f"{len(files):,} pictures", 8 * len(files) * width * height * channels, "train on a part of them")
    decoded = np.empty((len(files), height, width, channels), np.float32)
    for file, out in zip(files, decoded, strict=True):
        with reading(str(file), "a picture", damage=(Exception,)), Image.open(file) as picture:
            out[:] = _pixels(picture, channels)
    return decoded


def _pixels(picture: Any, channels: int) -> NDArray[np.float32]:
    """A picture, (height, width, channels), or (height, width, 1) for all channels alike, between 0 and 1."""
    if picture.mode.startswith("I;16"):  # which Pillow would convert by cutting off what is above 255
        return np.asarray(picture).astype(np.float32)[..., np.newaxis] / _LARGEST_OF_TWO
    values = np.asarray(picture.convert("L" if channels == 1 else "RGB"))
    return values.reshape(*values.shape[:2], channels).astype(np.float32) / _LARGEST_BYTE
