"""What every reader and generator gives, before any check, and how files are opened for reading."""

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
_MOST_SHOWN = 20  # of a list of names
_LONGEST_WHOLE = 40  # characters; longer ones need not be exact, and may be too large for a float
_MISSING = frozenset(("", "?", "na", "n/a", "#n/a", "<na>", "nan", "null", "none"))
_TRUTHS = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class Raw:
    """Examples as their source holds them; `checks` makes features and targets of them."""

    source: str  # how errors name it
    features: NDArray[Any]  # (examples, features), or with more dimensions; supposed to be numbers
    targets: NDArray[Any] | None  # (examples,) or (examples, outputs), numbers or text; None if not asked for
    names: tuple[str, ...] | None = None  # of the features, if the source names them
    target: str = ""  # name of the target column, if the source names it
    labels: bool = False  # the targets are classes whatever the loss
    place: Callable[[int], str] = "index {}".format  # where the user finds an example
    test: "Raw | None" = None  # the source's own test set
    notes: tuple[str, ...] = ()  # sentences on how it was read


@dataclass(frozen=True)
class Selection:
    """What is wanted of a file; only `targets` matters where columns have no names."""

    features: tuple[str, ...] | None = None  # None: every column but the target
    target: str = ""  # empty: the last column that is not a wanted feature
    targets: bool = True  # False: features alone; the file may be without targets


def unnamed(count: int) -> tuple[str, ...]:
    """What so many columns are called whose source has no names for them."""
    return tuple(f"x{index}" for index in range(count))


def number_in(text: str) -> float | None:
    """The number that a text writes (whole ones as int, so that long ones stay exact), or None."""
    if "_" in text or not text.isascii():  # Python reads 1_0 as 10, and the digits of every script
        return None
    whole = len(text) < _LONGEST_WHOLE and text.strip().lstrip("+-").isdigit()
    try:
        return int(text) if whole else float(text)
    except ValueError:
        return None


def value_in(text: str) -> float | None:
    """The number that a text writes, or that of true and false, 1 and 0; None if it is another word."""
    truth = _TRUTHS.get(text.strip().lower())
    return number_in(text) if truth is None else truth


def is_missing(text: str) -> bool:
    """Whether a text is one of those that stand for what is missing in a table."""
    return text.strip().lower() in _MISSING


def quoted(value: object) -> str:
    """A value as errors show it."""
    return brief(value.item() if isinstance(value, np.generic) else value)


def listed(values: Sequence[object]) -> str:
    """The first of some values as errors show them, and how many more there are."""
    shown = ", ".join(quoted(value) for value in values[:_MOST_SHOWN]) or "none"
    return f"{shown} and {len(values) - _MOST_SHOWN} more" if len(values) > _MOST_SHOWN else shown


@contextmanager
def unpacked(path: str) -> Iterator[IO[bytes]]:
    """The open file, unpacked if it is gzip by its magic (browsers unpack and keep the name).

    DataError if it is larger than memory, or unpacks to more.
    """
    there = memory.available()
    with open(path, "rb") as file:
        if file.read(2) != _GZIP_MAGIC:
            file.seek(0)
            memory.require(f"{path}", os.fstat(file.fileno()).st_size, "split it, and train on a part of it")
            yield file
            return
        file.seek(0)
        refusal = DataError(f"{path} unpacks to more than the {memory.in_words(there)} of memory that there are")
        with Unpacked(file, there, refusal) as whole:
            yield cast(IO[bytes], whole)


@contextmanager
def reading(path: str, kind: str, damage: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Make a DataError of what reading and unpacking a file may raise, and of `damage`."""
    damaged: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error, *damage)
    try:
        yield
    except DataError:
        raise
    except TooLargeError as error:
        raise DataError(str(error)) from None
    except MemoryError:
        raise DataError(f"cannot read {path}: it needs more memory than there is") from None
    except damaged as error:
        if isinstance(error, OSError) and error.errno:
            raise DataError(f"cannot read {path}: {os.strerror(error.errno)}") from None
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"expected {path} to be {kind}, but it is not, or it is damaged: {reason}") from None
