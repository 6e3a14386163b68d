"""What happened to a run's workers: kept in its manifest, so that a report can tell."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec

MOST = 1000  # that are kept


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A moment at which workers came or went, or had their work done again by others."""

    round: int
    seconds: float  # of the search's time
    workers: int  # alive from then on; 0: only the search's own process
    retried: int  # shards sent a second time since the process began


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker has done of a run. What no worker has done was done in the search's own process."""

    host: str
    units: int  # of rounds: its answers that were used
    busy: float  # seconds that it has worked for them
    joined: float  # seconds of the search's time
    lost: float | None = None  # when it ended or was given up; None if it did not


T = TypeVar("T")


def latest(what: Sequence[T]) -> tuple[T, ...]:
    """The events, or the workers, that are kept."""
    return tuple(what[-MOST:])
