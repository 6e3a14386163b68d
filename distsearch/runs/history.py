"""A run's history: one line of JSON per round, and in a file beside it every candidate's loss.

Non-finite numbers are written as texts, see `documents`.
Both files are only ever appended to. Each line ends with a checksum of itself, its losses and all lines before it, so
that a change anywhere is detected; and the losses let the strategy reach every later state again without evaluating a
single candidate.
"""

import math
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from distsearch.errors import RunError
from distsearch.runs import documents
from distsearch.runs.documents import UNREADABLE
from distsearch.runs.layout import HISTORY, LOSSES
from distsearch.strategies.base import State

_CHECK = b',"check":"%08x"}\n'
_CHECK_BYTES = len(_CHECK % 0)
_LOSS = np.dtype("<f8")
_NULL, _INFINITY = b":null", b':"inf"'  # format 1 wrote null for every non-finite number

Losses = NDArray[np.float64]


class Measured(NamedTuple):
    """Metrics measured after a round; None for those that were not."""

    accuracy: float | None = None
    test_accuracy: float | None = None
    train_loss: float | None = None
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    metrics: dict[str, float] | None = None


class RoundRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the history. Metrics appear only in the rounds in which they were measured."""

    round: int
    candidates: int  # number of losses so far: of candidates, or of a strategy's other units
    seconds: float  # since the search began
    center_loss: float
    best_loss: float
    accepted: bool
    sigma: float
    accuracy: float | None = None  # of the best weights; with minibatches, of the search's current weights
    test_accuracy: float | None = None
    train_loss: float | None = None  # with minibatches: on all training examples
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    metrics: dict[str, float] | None = None  # that were asked for, by their names; on test examples as test-…
    non_finite: int = 0  # candidates in the round whose loss is infinite or NaN
    passes: float = 0.0  # forward passes over all training examples so far, or calls of a function
    noisy: bool = False  # whether the same weights have had different losses by now
    best_violation: float = 0.0  # of the constraints, by the best weights; 0 if they hold, or if there are none

    @classmethod
    def of(
        cls,
        before: State,
        after: State,
        losses: Losses,
        measured: Measured,
        *,
        center_loss: float,
        candidates: int,
        passes: float,
        seconds: float,
        noisy: bool = False,
    ) -> "RoundRecord":
        """The record of a round that led from one state to another; the counts so far include this round."""
        return cls(
            before.round,
            candidates,
            seconds,
            center_loss,
            after.best.loss,
            after.best is not before.best,
            before.sigma,
            *measured,
            non_finite=_non_finite(losses),
            passes=passes,
            noisy=noisy,
            best_violation=after.best.violation or 0.0,
        )


@cache
def _small(count: int) -> Losses:
    """Numbers, (count,), so small that no sum of products with them overflows."""
    return np.full(count, 1e-9 / count)


def _non_finite(losses: Losses) -> int:
    if math.isfinite(losses.dot(_small(len(losses)))):  # no sum of finite ones is not; a third of what isfinite costs
        return 0
    return len(losses) - int(np.count_nonzero(np.isfinite(losses)))


class Position(NamedTuple):
    """A position in the history after some rounds: lengths of both files in bytes, and the last checksum."""

    line_bytes: int
    loss_bytes: int
    check: int


BEGINNING = Position(0, 0, 0)


class Entry(NamedTuple):
    """A round as read back: its record, its losses (candidates,), and the history's position after it."""

    record: RoundRecord
    losses: Losses
    end: Position


class HistoryWriter:
    """Appends rounds after a position; whatever came after it is truncated."""

    def __init__(self, folder: Path, start: Position) -> None:
        self._check = start.check
        self._held = [bytearray(), bytearray()]
        with ExitStack() as opened:
            paths = (folder / LOSSES, folder / HISTORY)
            self._files = [opened.enter_context(path.open("ab", buffering=0)) for path in paths]
            for file, length in zip(self._files, (start.loss_bytes, start.line_bytes), strict=True):
                file.truncate(length)
            self._opened = opened.pop_all()

    def append(self, record: RoundRecord, losses: Losses) -> None:
        """Buffer a round until the next `flush`."""
        raw = losses.tobytes() if sys.byteorder == "little" else losses.astype(_LOSS).tobytes()
        body = documents.encode(record)
        self._check = _checksum(self._check, raw, body)
        self._held[0] += raw
        self._held[1] += body[:-1] + _CHECK % self._check

    def flush(self) -> None:
        """Write what is buffered, losses first, so that no line is ever without them."""
        for file, held in zip(self._files, self._held, strict=True):
            while held:
                del held[: file.write(held)]

    def sync(self) -> None:
        """Flush, and wait until everything is on the disk."""
        self.flush()
        for file in self._files:
            os.fsync(file.fileno())

    def close(self) -> None:
        """Close the files; what is still buffered is lost."""
        self._opened.close()


def entries(folder: Path) -> Iterator[Entry]:
    """The rounds of a history in order. Raises RunError naming the first damaged line.

    A last line that was cut off while being written is left out, as are losses past the last line.
    """
    try:
        with (folder / HISTORY).open("rb") as lines, (folder / LOSSES).open("rb") as losses:
            yield from _entries(lines, losses)
    except OSError as error:
        raise RunError(f"cannot read {error.filename or folder}: {error.strerror}") from None
    except ValueError as error:
        raise RunError(f"the history of {folder} is damaged at {error}") from None


def position(folder: Path, rounds: int) -> Position:
    """A history's position after `rounds` rounds. Raises RunError if it is damaged or has fewer."""
    if not rounds:
        return BEGINNING
    last = next(islice(entries(folder), rounds - 1, None), None)
    if last is None:
        raise RunError(f"the history of {folder} is damaged: it ends before round {rounds}")
    return last.end


def _entries(lines: BinaryIO, losses: BinaryIO) -> Iterator[Entry]:
    size, end, candidates = os.fstat(losses.fileno()).st_size, BEGINNING, 0
    for number, line in enumerate(lines, start=1):
        if not line.endswith(b"\n"):
            return
        older = _NULL in line
        try:
            record = documents.decode(line.replace(_NULL, _INFINITY) if older else line, RoundRecord)
        except UNREADABLE as error:
            raise ValueError(f"line {number}: {error}") from None
        if not candidates <= record.candidates <= size // _LOSS.itemsize:
            raise ValueError(f"line {number}: expected its losses in {LOSSES}, which ends before them")
        raw = losses.read((record.candidates - candidates) * _LOSS.itemsize)
        check = _checksum(end.check, raw, line[:-_CHECK_BYTES] + b"}")
        if line[-_CHECK_BYTES:] != _CHECK % check:
            raise ValueError(f"line {number} or its losses in {LOSSES}: the checksum does not match")
        if older:
            record = msgspec.structs.replace(record, center_loss=float(np.frombuffer(raw, _LOSS)[0]))
        end, candidates = Position(end.line_bytes + len(line), end.loss_bytes + len(raw), check), record.candidates
        yield Entry(record, np.frombuffer(raw, _LOSS).astype(np.float64, copy=False), end)


def _checksum(before: int, losses: bytes, line: bytes) -> int:
    return crc32(line, crc32(losses, before))
