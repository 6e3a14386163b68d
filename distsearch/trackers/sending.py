"""The thread that talks to a tracking service: in batches, thinned where rounds are very short, again if it fails."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

from distsearch.trackers.memory import Known, remember

LOG = logging.getLogger(__name__)

EVERY_SECONDS = 1.0  # a batch is sent
MOST_ROWS = 200  # of a batch: of faster rounds, evenly as many
MOST_WAITING = 20_000  # rows, while a service is away
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
    """Sends rows to a service, in order; those that it has from before the search was resumed are left out."""

    def __init__(self, service: Service, description: Callable[[], Any], run: Path | None, known: Known | None) -> None:
        self._service = service
        self._description = description
        self._run = run
        self._known = known
        self._waiting: list[Any] = []
        self._changed = threading.Condition()
        self._end: tuple[str, Mapping[str, float], Mapping[str, bytes]] | None = None
        self._begun = self._ended = False
        self._trouble = ""
        self._warned = False
        self._thread = threading.Thread(target=self._work, name=f"distsearch-{service.name}", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def add(self, row: Any) -> None:
        """Queue the row of a round."""
        with self._changed:
            self._waiting.append(row)
            if len(self._waiting) > MOST_WAITING:
                self._waiting = thinned(self._waiting, MOST_WAITING // 2)

    def warn_once(self) -> None:
        """Say so if the service fails."""
        if self._trouble and not self._warned:
            self._warned = True
            LOG.warning(f"{self._service.name}: {self._trouble}: the search continues, and it is tried again")

    def close(self, how: str, figures: Mapping[str, float], files: Mapping[str, bytes], patience: float) -> None:
        """Send all that waits, and the end; after so many seconds, give up and say what is missing."""
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
                end, rows, self._waiting = self._end, self._waiting, []
            due = time.monotonic() + EVERY_SECONDS
            left = self._sent(rows)
            if left:
                with self._changed:
                    self._waiting = [*left, *self._waiting]
            if end is not None:
                self._finish(*end, complete=not left)
                return

    def _sent(self, rows: list[Any]) -> list[Any]:
        """Send rows; returns those that could not be sent."""
        try:
            has = self._begin()
            if new := [row for row in rows if row.round >= has]:
                self._service.log(thinned(new, MOST_ROWS))
                self._remember(new[-1].round + 1)
        except Exception as error:  # noqa: BLE001  (any client's own errors, and those of the network)
            self._trouble = reason_of(error)
            return rows
        self._trouble = ""
        return []

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

    def _finish(self, how: str, figures: Mapping[str, float], files: Mapping[str, bytes], complete: bool) -> None:
        if not complete:
            return
        try:
            self._service.finish(how, figures, files)
        except Exception as error:  # noqa: BLE001  (as above)
            self._trouble = reason_of(error)
        else:
            self._ended = True


def thinned(rows: list[Any], most: int) -> list[Any]:
    """At most so many of the rows, evenly, the last among them."""
    step = -(-len(rows) // most)
    return rows[::-1][::step][::-1] if step > 1 else rows


def reason_of(error: Exception) -> str:
    """An error of a client as one line that is not too long."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}…"
