"""What happened to a run's workers: kept in its manifest, so that a report can tell."""

from collections.abc import Sequence
from typing import Any, NamedTuple

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


class Crew(NamedTuple):
    """What is told of a process's workers when a run is saved."""

    machines: Sequence[dict[str, str]] = ()  # of each kind
    events: Sequence[Event] = ()  # since it was saved last
    shares: Sequence[Share] = ()

    def after(
        self, machines: Sequence[dict[str, str]], events: Sequence[Event], shares: Sequence[Share]
    ) -> dict[str, Any]:
        """The manifest's fields, from those before; `shares` are of earlier processes' workers."""
        new = [each for each in self.machines if each not in machines]
        return {
            "workers": (*machines, *new),
            "events": (*events, *self.events)[-MOST:],
            "shares": (*shares, *self.shares)[-MOST:],
        }


NOBODY = Crew()
