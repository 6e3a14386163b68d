"""Who has done what: the units and the seconds of each worker, and when it came and went."""

import time
from dataclasses import dataclass

from distsearch.runs.events import Share


@dataclass
class _Done:
    host: str
    joined: float  # by time.monotonic, as `lost`
    lost: float | None = None
    units: int = 0
    seconds: float = 0.0


class Tally:
    """Counts what workers, by their numbers, have done."""

    def __init__(self) -> None:
        self._workers: dict[int, _Done] = {}

    def joined(self, worker: int, host: str) -> None:
        """A worker has come."""
        self._workers[worker] = _Done(host, time.monotonic())

    def answered(self, worker: int, units: int, seconds: float) -> None:
        """An answer of the worker is used: the units of a round that it holds, and the seconds that it took."""
        done = self._workers[worker]
        done.units += units
        done.seconds += seconds

    def lost(self, worker: int) -> None:
        """A worker has ended or is given up, if it had come."""
        if worker in self._workers:
            self._workers[worker].lost = time.monotonic()

    def shares(self, began: float) -> tuple[Share, ...]:
        """What each has done, times being those of a search that began then."""
        return tuple(
            Share(
                host=done.host,
                units=done.units,
                busy=done.seconds,
                joined=max(0.0, done.joined - began),
                lost=None if done.lost is None else max(0.0, done.lost - began),
            )
            for done in self._workers.values()
        )
