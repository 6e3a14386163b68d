"""Rounds that take long: observers hear how far they are, and the user beforehand how long each will take."""

import logging
import time
from math import inf

from distsearch.search.observers import Observer, PartOfRound
from distsearch.text import duration

LOG = logging.getLogger(__name__)

QUIET_SECONDS = 1.0  # of a round, until observers hear of it
EVERY = 0.25  # seconds, between two times that they do
MEASURED_SECONDS = 2.0  # from which the length of a round is told
LONG = 300.0  # seconds: of shorter rounds nothing is said beforehand


class Underway:
    """Is told by the workers' pool how many units of a round are answered, see `Pool.heard`.

    `began` is when the search did, by time.monotonic. If its seconds are limited, nothing is said beforehand.
    """

    def __init__(self, observer: Observer, began: float, limited: bool) -> None:
        self._observer = observer
        self._search_began = began
        self._round_began = self._due = inf
        self._first: tuple[float, int] | None = None  # when the first units were answered, and how many
        self._says = not limited

    def __call__(self, answered: int, units: int) -> None:
        """Take note of how many units of a round are answered, of how many."""
        now = time.monotonic()
        if not answered:
            self._round_began, self._due, self._first = now, now + QUIET_SECONDS, None
            return
        if now >= self._due:
            self._due = now + EVERY
            left = self._left(now, answered, units)
            self._observer.within(PartOfRound(answered, units, left, now - self._search_began))
            if self._says and left is not None:
                self._say(now, left)
        self._first = self._first or (now, answered)

    def _left(self, now: float, answered: int, units: int) -> float | None:
        """Seconds until the round's end, as the units after the first go: with these, much is made for all."""
        if self._first is None or answered == self._first[1]:
            return None
        since, before = self._first
        return (now - since) * (units - answered) / (answered - before)

    def _say(self, now: float, left: float) -> None:
        """Say, once, how long a round takes, if that is long and can be told by now."""
        whole = now - self._round_began + left
        if self._first and now - self._first[0] >= MEASURED_SECONDS and whole >= LONG:
            self._says = False
            LOG.warning(
                f"a round takes about {duration(whole)}: smaller ones decide sooner, and a limit of seconds holds "
                "within them"
            )
