"""What every reader and generator returns, before any checks, and how files are opened for reading."""

import gzip
import os
import shlex
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from distsearch.data.spelling import COMMA, PLAIN, Spelling
from distsearch.data.unpacking import Unpacked
from distsearch.errors import DataError, TooLargeError, brief
from distsearch.machine import memory

_GZIP_MAGIC = b"\x1f\x8b"
_MOST_SHOWN = 20  # items of a list shown in messages


@dataclass(frozen=True)
class Table:
    """The feature columns of a table, (examples,) each, in one of three forms.

    Numbers, NaN where one is missing; text, in an array of objects with None where it is missing; or datetime64.
    """

    columns: tuple[NDArray[Any], ...]
    count: int  # examples

    def __len__(self) -> int:
        return self.count

    def at(self, rows: NDArray[np.intp] | slice) -> "Table":
        """Some of the examples."""
        some = tuple(column[rows] for column in self.columns)
        return Table(some, len(np.arange(self.count)[rows]))


@dataclass(frozen=True)
class Raw:
    """Examples as their source holds them; `checks`, `preparation` and `targets` turn them into numbers."""

    source: str  # its name in error messages
    features: NDArray[Any] | Table  # (examples, features) or more dimensions, not yet checked; or columns
    targets: NDArray[Any] | None  # (examples,) or (examples, outputs), numbers or text; None if not requested
    names: tuple[str, ...] | None = None  # of the features, if the source names them
    target: str = ""  # name of the target column, if the source names it; several are separated by commas
    labels: bool = False  # whether the targets are classes whatever the loss
    place: Callable[[int], str] = "index {}".format  # where the user finds an example, given its index
    test: "Raw | None" = None  # the source's own test set
    weights: NDArray[Any] | None = None  # (examples,), how much each counts; not yet checked
    weight: str = ""  # name of the column of weights, if they come from one
    notes: tuple[str, ...] = ()  # sentences about how it was read
    beside: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # other columns, (examples,), as they came
    spelling: Spelling = PLAIN  # how numbers are written in text
    commas: frozenset[str] = frozenset()  # columns in which they have a decimal comma, though others have a point

    def spelling_of(self, column: str) -> Spelling:
        """How numbers are written in a column."""
        return COMMA if column in self.commas else self.spelling

    def at(self, rows: NDArray[np.intp]) -> "Raw":
        """Some of the examples, each of which is still found at its place."""
        features = self.features.at(rows) if isinstance(self.features, Table) else self.features[rows]
        return replace(
            self,
            features=features,
            targets=None if self.targets is None else self.targets[rows],
            weights=None if self.weights is None else self.weights[rows],
            beside={name: column[rows] for name, column in self.beside.items()},
            place=lambda index: self.place(int(rows[index])),
        )


@dataclass(frozen=True)
class Selection:
    """What to read from a file; only `targets` matters if its columns have no names."""

    features: tuple[str, ...] | None = None  # None: every column but the target, those to drop and those beside
    target: str = ""  # empty: the last column that is not a wanted feature; several are separated by commas
    targets: bool = True  # False: features only; the file may lack targets
    drop: tuple[str, ...] = ()  # columns that are not read
    beside: tuple[str, ...] = ()  # columns that are not learnt from, but returned as they came
    besides: tuple[str, ...] = ()  # the same, where they are there
    everything: bool = False  # return every column beside the features
    decimal: str = ""  # the decimal mark of text that does not say, if it is known
    commas: frozenset[str] = frozenset()  # columns where it is a comma nevertheless
    texts: frozenset[str] = frozenset()  # feature columns whose cells are text even where they look like numbers
    channels: int | None = None  # of pictures, if it is known


def unnamed(count: int) -> tuple[str, ...]:
    """Names for this many columns of a source that does not name them."""
    return tuple(f"x{index}" for index in range(count))


def quoted(value: object) -> str:
    """A value as error messages show it."""
    return brief(value.item() if isinstance(value, np.generic) else value)


def listed(values: Sequence[object]) -> str:
    """The first few values as error messages show them, and how many more there are."""
    shown = ", ".join(quoted(value) for value in values[:_MOST_SHOWN]) or "none"
    return f"{shown} and {len(values) - _MOST_SHOWN} more" if len(values) > _MOST_SHOWN else shown


def flag(word: str, *columns: str) -> str:
    """A flag with names of columns, as a shell and the flag take them."""
    names = [f'"{name.replace(chr(34), chr(34) * 2)}"' if {",", '"'} & set(name) else name for name in columns]
    return f"--{word} {shlex.quote(','.join(names))}"


def looks_like_code(source: str, column: str, code: str) -> str:
    """A sentence on a column of numbers of which one is written like a code."""
    return (
        f"{source}: column {quoted(column)} is learnt as a number, but {quoted(code)} looks like a code: leave it out "
        f"with {flag('drop', column)}, or put a letter before each, so that it becomes categories"
    )


def training_features(count: int) -> str:
    """How error messages speak of the features that a network was trained on."""
    return "training feature" if count == 1 else f"{count} training features"


@contextmanager
def decompressed(path: str, *, whole: bool = True) -> Iterator[IO[bytes]]:
    """Open a file, decompressing it if its magic number says gzip (browsers decompress but keep the .gz name).

    Raises DataError if it is to be read as a whole and is larger than memory, or decompresses to more.
    """
    there = memory.available()
    with open(path, "rb") as file:
        if file.read(2) != _GZIP_MAGIC:
            file.seek(0)
            if whole:
                memory.require(f"{path}", os.fstat(file.fileno()).st_size, "split it, and train on a part of it")
            yield file
            return
        file.seek(0)
        if not whole:
            with gzip.GzipFile(fileobj=file, mode="rb") as stream:
                yield cast(IO[bytes], stream)
            return
        refusal = DataError(f"{path} decompresses to more than the {memory.in_words(there)} of available memory")
        with Unpacked(file, there, refusal) as content:
            yield cast(IO[bytes], content)


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
