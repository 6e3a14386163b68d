"""What happened to a run's workers: kept in its manifest, so that a report can tell."""

from collections.abc import Sequence

import msgspec

MOST = 1000  # events that are kept


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A moment at which workers came or went, or had their work done again by others."""

    round: int
    seconds: float  # of the search's time
    workers: int  # alive from then on; 0: only the search's own process
    retried: int  # shards sent a second time since the process began


def latest(events: Sequence[Event]) -> tuple[Event, ...]:
    """The events that are kept."""
    return tuple(events[-MOST:])
