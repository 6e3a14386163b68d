"""Rounds that take long: observers hear how far they are, and the user beforehand how long each will take."""

import logging
import time
from math import inf

from distsearch.search.observers import Observer, PartOfRound
from distsearch.text import duration

LOG = logging.getLogger(__name__)

QUIET_SECONDS = 1.0  # of a round, until observers hear of it
EVERY = 0.25  # seconds, between two times that they do
MEASURED_SECONDS = 2.0  # of a round, from which its length is told
LONG = 300.0  # seconds: of shorter rounds nothing is said beforehand


class Underway:
    """Is told by the workers' pool how many units of a round are answered, see `Pool.heard`.

    `began` is when the search did, by time.monotonic. If its seconds are limited, nothing is said beforehand.
    """

    def __init__(self, observer: Observer, began: float, limited: bool) -> None:
        self._observer = observer
        self._search_began = began
        self._round_began = self._due = inf
        self._says = not limited

    def __call__(self, answered: int, units: int) -> None:
        """So many units of a round are answered, of so many."""
        now = time.monotonic()
        if not answered:
            self._round_began, self._due = now, now + QUIET_SECONDS
        elif now >= self._due:
            self._due = now + EVERY
            taken = now - self._round_began
            left = taken * (units / answered - 1)
            self._observer.within(PartOfRound(answered, units, left, now - self._search_began))
            if self._says and taken >= MEASURED_SECONDS and taken + left >= LONG:
                self._says = False
                LOG.warning(
                    f"a round takes about {duration(taken + left)}: smaller ones decide sooner, and a limit of seconds "
                    "holds within them"
                )
