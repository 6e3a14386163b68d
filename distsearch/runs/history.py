"""What happened in a run, round by round: a line of JSON each, and beside it every candidate's loss.

A number that is infinite or not a number is a text in it, see `documents`.
Both files are only ever appended to. Each line ends with a checksum of itself, its losses and all lines before it, so
that a change anywhere shows; and from the losses the strategy comes to every later state again without trying a single
candidate.
"""

import math
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
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
_NULL, _INFINITY = b":null", b':"inf"'  # the former is what format 1 wrote for every number that is not finite

Losses = NDArray[np.float64]


class Measured(NamedTuple):
    """What was measured after a round; None what was not."""

    accuracy: float | None = None
    test_accuracy: float | None = None
    train_loss: float | None = None


class RoundRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the history. What is measured stands only in the rounds in which it was."""

    round: int
    candidates: int  # losses so far: of candidates, or of the units that a strategy has in their place
    seconds: float  # since the search began
    center_loss: float
    best_loss: float
    accepted: bool
    sigma: float
    accuracy: float | None = None  # of the best weights; with minibatches, of those the search stands for
    test_accuracy: float | None = None
    train_loss: float | None = None  # with minibatches: on all training examples
    non_finite: int = 0  # candidates of the round whose loss is infinite or not a number
    passes: float = 0.0  # forward passes over all training examples so far, or calls of a function

    @classmethod
    def of(
        cls,
        before: State,
        after: State,
        losses: Losses,
        measured: Measured,
        *,
        candidates: int,
        passes: float,
        seconds: float,
    ) -> "RoundRecord":
        """The record of a round that led from one state to another, which what is counted so far includes."""
        return cls(
            before.round,
            candidates,
            seconds,
            float(losses[0]),
            after.best.loss,
            after.best is not before.best,
            before.sigma,
            *measured,
            non_finite=_non_finite(losses),
            passes=passes,
        )


def _non_finite(losses: Losses) -> int:
    if math.isfinite(losses.dot(losses)):  # one that is not would show; this costs a third of a sum
        return 0
    return len(losses) - int(np.count_nonzero(np.isfinite(losses)))


class Position(NamedTuple):
    """Where the history stands after some rounds: lengths of both files in bytes, and the last checksum."""

    line_bytes: int
    loss_bytes: int
    check: int


BEGINNING = Position(0, 0, 0)


class Entry(NamedTuple):
    """A round that was read: its record, its losses (candidates,), and where the history stands after it."""

    record: RoundRecord
    losses: Losses
    end: Position


class HistoryWriter:
    """Appends rounds after a position; whatever stood behind it is cut off."""

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
        """Hold a round back until the next `flush`."""
        raw = losses.tobytes() if sys.byteorder == "little" else losses.astype(_LOSS).tobytes()
        body = documents.encode(record)
        self._check = _checksum(self._check, raw, body)
        self._held[0] += raw
        self._held[1] += body[:-1] + _CHECK % self._check

    def flush(self) -> None:
        """Write what is held back, the losses first: no line is without them."""
        for file, held in zip(self._files, self._held, strict=True):
            while held:
                del held[: file.write(held)]

    def sync(self) -> None:
        """Flush, and wait until it is on the disk."""
        self.flush()
        for file in self._files:
            os.fsync(file.fileno())

    def close(self) -> None:
        """Close the files; what is held back is lost."""
        self._opened.close()


def entries(folder: Path) -> Iterator[Entry]:
    """The rounds of a history in their order. RunError names the first line that is damaged.

    A last line that was cut off while it was written is left out, and so are losses behind the last line.
    """
    try:
        with (folder / HISTORY).open("rb") as lines, (folder / LOSSES).open("rb") as losses:
            yield from _entries(lines, losses)
    except OSError as error:
        raise RunError(f"cannot read {error.filename or folder}: {error.strerror}") from None
    except ValueError as error:
        raise RunError(f"the history of {folder} is damaged at {error}") from None


def position(folder: Path, rounds: int) -> Position:
    """Where a history stands after so many rounds. RunError if it is damaged or has fewer."""
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
            raise ValueError(f"line {number}: expected its losses in {LOSSES}, which ends before")
        raw = losses.read((record.candidates - candidates) * _LOSS.itemsize)
        check = _checksum(end.check, raw, line[:-_CHECK_BYTES] + b"}")
        if line[-_CHECK_BYTES:] != _CHECK % check:
            raise ValueError(f"line {number} or its losses in {LOSSES}: the checksum does not fit")
        if older:
            record = msgspec.structs.replace(record, center_loss=float(np.frombuffer(raw, _LOSS)[0]))
        end, candidates = Position(end.line_bytes + len(line), end.loss_bytes + len(raw), check), record.candidates
        yield Entry(record, np.frombuffer(raw, _LOSS).astype(np.float64, copy=False), end)


def _checksum(before: int, losses: bytes, line: bytes) -> int:
    return crc32(line, crc32(losses, before))
