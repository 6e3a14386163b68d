"""The thread that talks to a tracking service: in batches, thinned where rounds are very short, again if it fails."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from distsearch.runs.history import RoundRecord
from distsearch.trackers.memory import Known, remember

T = TypeVar("T")

LOG = logging.getLogger(__name__)

EVERY_SECONDS = 1.0  # a batch is sent
FIRST_ROWS = 1000  # that are all sent
MOST_ROWS = 50  # of a batch after that: of faster rounds, evenly as many
MOST_WAITING = 20_000  # rounds, while a service is away
LONGEST_REASON = 200  # characters


class Service(Protocol):
    """What the thread asks of a tracker; anything may be raised, and is tried again."""

    name: ClassVar[str]
    place: str

    def begin(self, search: Any, identity: str | None) -> str:
        """Begin a run, or go on with one; its identity."""
        ...

    def log(self, rows: Sequence[Any]) -> None:
        """Add rounds."""
        ...

    def finish(self, how: str, figures: Mapping[str, float], files: Mapping[str, bytes]) -> None:
        """End the run."""
        ...


class Sender:
    """Sends rounds to a service, in order; those that it has from before the search was resumed are left out."""

    def __init__(
        self,
        service: Service,
        description: Callable[[], Any],
        row: Callable[[RoundRecord], Any],
        run: Path | None,
        known: Known | None,
    ) -> None:
        self._service = service
        self._description = description
        self._row = row
        self._run = run
        self._known = known
        self._waiting: list[RoundRecord] = []
        self._changed = threading.Condition()
        self._end: tuple[str, Mapping[str, float], Mapping[str, bytes]] | None = None
        self._begun = self._ended = False
        self._count = 0  # of rows sent
        self._trouble = ""
        self._warned = False
        self._thread = threading.Thread(target=self._work, name=f"distsearch-{service.name}", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def add(self, record: RoundRecord) -> None:
        """Queue a round."""
        with self._changed:
            self._waiting.append(record)
            if len(self._waiting) > MOST_WAITING:
                self._waiting = thinned(self._waiting, MOST_WAITING // 2)

    def warn_once(self) -> None:
        """Say so if the service fails."""
        if self._trouble and not self._warned:
            self._warned = True
            LOG.warning(f"{self._service.name}: {self._trouble}: the search continues, and sending is retried")

    def close(self, how: str, figures: Mapping[str, float], files: Mapping[str, bytes], patience: float) -> None:
        """Send all that waits, and the end; after that many seconds, give up and say what is missing."""
        with self._changed:
            self._end = how, figures, files
            self._changed.notify()
        self._thread.join(patience)
        if self._ended:
            return
        rounds = self._known.rounds if self._known else 0
        where = f"; the run in {self._run} has them" if self._run else ""
        reason = self._trouble or f"no answer within {patience:g} seconds"
        LOG.warning(f"{self._service.name}: {reason}: it lacks the end of this run, rounds from {rounds} on{where}")

    def _work(self) -> None:
        due = 0.0
        while True:
            with self._changed:
                if self._end is None:
                    self._changed.wait(max(0.0, due - time.monotonic()))
                end, records, self._waiting = self._end, self._waiting, []
            due = time.monotonic() + EVERY_SECONDS
            try:
                self._send(records)
                if end is not None:
                    self._service.finish(*end)
                    self._ended = True
            except Exception as error:  # noqa: BLE001  (any client's own errors, and those of the network)
                self._trouble = reason_of(error)
                with self._changed:
                    self._waiting = [*records, *self._waiting]
            else:
                self._trouble = ""
            if end is not None:
                return

    def _send(self, records: list[RoundRecord]) -> None:
        """Send rounds, of which the service may have some."""
        has = self._begin()
        if new := [record for record in records if record.round >= has]:
            some = thinned(new, max(MOST_ROWS, FIRST_ROWS - self._count))
            self._service.log([self._row(record) for record in some])
            self._count += len(some)
            self._remember(new[-1].round + 1)

    def _begin(self) -> int:
        """Begin, if that has not been done, and return how many rounds the service has."""
        if self._begun and self._known is not None:
            return self._known.rounds
        identity = self._service.begin(self._description(), self._known.identity if self._known else None)
        if self._known is None or self._known.identity != identity:
            self._known = Known(self._service.place, identity, 0)
            self._remember(0)
        self._begun = True
        return self._known.rounds

    def _remember(self, rounds: int) -> None:
        if self._known is None:
            raise AssertionError("nothing is sent before a run has begun")
        self._known = Known(self._known.place, self._known.identity, rounds)
        remember(self._run, self._service.name, self._known)


def thinned(rows: list[T], most: int) -> list[T]:
    """At most that many of the rows, evenly, the last among them."""
    step = -(-len(rows) // most)
    return rows[::-1][::step][::-1] if step > 1 else rows


def reason_of(error: Exception) -> str:
    """An error of a client as one line that is not too long."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}…"
