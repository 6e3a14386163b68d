"""What every reader and generator returns, before any checks, and how files are opened for reading."""

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from distsearch import memory
from distsearch.data.unpacking import Unpacked
from distsearch.errors import DataError, TooLargeError, brief

_GZIP_MAGIC = b"\x1f\x8b"
_MOST_SHOWN = 20  # items of a list shown in messages
_LONGEST_WHOLE = 40  # characters; longer integers need not be exact, and may be too large for a float
_MISSING = frozenset(("", "?", "na", "n/a", "#n/a", "<na>", "nan", "null", "none"))
_TRUTHS = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class Raw:
    """Examples as their source holds them; `checks` and `targets` turn them into features and targets."""

    source: str  # its name in error messages
    features: NDArray[Any]  # (examples, features) or more dimensions; should be numbers, not yet checked
    targets: NDArray[Any] | None  # (examples,) or (examples, outputs), numbers or text; None if not requested
    names: tuple[str, ...] | None = None  # of the features, if the source names them
    target: str = ""  # name of the target column, if the source names it
    labels: bool = False  # whether the targets are classes whatever the loss
    place: Callable[[int], str] = "index {}".format  # where the user finds an example, given its index
    test: "Raw | None" = None  # the source's own test set
    weights: NDArray[Any] | None = None  # (examples,), how much each counts; not yet checked
    weight: str = ""  # name of the column of weights, if they come from one
    notes: tuple[str, ...] = ()  # sentences about how it was read


@dataclass(frozen=True)
class Selection:
    """What to read from a file; only `targets` matters if its columns have no names."""

    features: tuple[str, ...] | None = None  # None: every column but the target
    target: str = ""  # empty: the last column that is not a wanted feature
    targets: bool = True  # False: features only; the file may lack targets


def unnamed(count: int) -> tuple[str, ...]:
    """Names for this many columns of a source that does not name them."""
    return tuple(f"x{index}" for index in range(count))


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
    return text.strip().lower() in _MISSING


def quoted(value: object) -> str:
    """A value as error messages show it."""
    return brief(value.item() if isinstance(value, np.generic) else value)


def listed(values: Sequence[object]) -> str:
    """The first few values as error messages show them, and how many more there are."""
    shown = ", ".join(quoted(value) for value in values[:_MOST_SHOWN]) or "none"
    return f"{shown} and {len(values) - _MOST_SHOWN} more" if len(values) > _MOST_SHOWN else shown


@contextmanager
def decompressed(path: str) -> Iterator[IO[bytes]]:
    """Open a file, decompressing it if its magic number says gzip (browsers decompress but keep the .gz name).

    Raises DataError if it is larger than memory, or decompresses to more.
    """
    there = memory.available()
    with open(path, "rb") as file:
        if file.read(2) != _GZIP_MAGIC:
            file.seek(0)
            memory.require(f"{path}", os.fstat(file.fileno()).st_size, "split it, and train on a part of it")
            yield file
            return
        file.seek(0)
        refusal = DataError(f"{path} decompresses to more than the {memory.in_words(there)} of available memory")
        with Unpacked(file, there, refusal) as whole:
            yield cast(IO[bytes], whole)


@contextmanager
def reading(path: str, kind: str, damage: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turn the errors that reading or decompressing a file can raise, and those in `damage`, into DataError."""
    damaged: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error, *damage)
    try:
        yield
    except DataError:
        raise
    except TooLargeError as error:
        raise DataError(str(error)) from None
    except MemoryError:
        raise DataError(f"cannot read {path}: it needs more memory than is available") from None
    except damaged as error:
        if isinstance(error, OSError) and error.errno:
            raise DataError(f"cannot read {path}: {os.strerror(error.errno)}") from None
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"expected {path} to be {kind}, but it is something else or damaged: {reason}") from None
