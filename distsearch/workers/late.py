"""A pool that begins in this process at once, and is joined by workers later, if these would pay.

Starting Ray takes seconds, and a call of it milliseconds: many searches are over sooner, and many rounds are shorter.
So the search begins here, its rounds are timed, and Ray is started beside it only when they are long enough and there
is time left for it. Whoever evaluates a round, the results are the same to the bit.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from statistics import median
from threading import Event, Lock, Thread
from typing import Any, NamedTuple

from distsearch.errors import DistsearchError
from distsearch.machine import cores
from distsearch.objectives.base import Objective
from distsearch.runs.events import Share
from distsearch.strategies.base import Answer, AnyStrategy
from distsearch.workers.base import Pool
from distsearch.workers.pieces import Pieces
from distsearch.workers.place import OPENING
from distsearch.workers.requests import EvaluateRound, Part, Request

LOG = logging.getLogger(__name__)

LOOK_SECONDS = 0.4  # between two decisions whether workers would pay
START_SECONDS = 8.0  # that must be left for it: to start Ray, and for the workers to make up for that
SHORTEST_ROUND = 0.002  # seconds: of shorter rounds workers save less than their messages take
LATEST = 5  # rounds that are looked at


class Horizon(NamedTuple):
    """The rounds and the seconds that are left of the search; infinite where there is no such limit."""

    rounds: float = inf
    seconds: float = inf


class LatePool(Pool):
    """Answers here until workers have come; `opened` starts them and returns their pool."""

    def __init__(
        self, strategy: AnyStrategy, objective: Objective, horizon: Horizon, opened: Callable[[], Pool]
    ) -> None:
        super().__init__(strategy, objective)
        self._horizon = horizon
        self._opened = opened
        self._began: float | None = None  # when the first round did
        self._round_began = inf  # the current one; infinite between rounds
        self._rounds = 0
        self._latest: deque[float] = deque(maxlen=LATEST)  # seconds of rounds here
        self._pieces = Pieces(strategy, objective)
        self._pool: Pool | None = None
        self._arrived: Pool | None = None  # set by the thread that opens it
        self._closed = Event()
        self._closing = Lock()

    @property
    def count(self) -> int:
        """Workers that are alive; 0 until they have come."""
        return self._pool.count if self._pool else 0

    @property
    def machines(self) -> tuple[dict[str, str], ...]:
        """The machines that the workers run on."""
        return self._pool.machines if self._pool else ()

    def shares(self, began: float) -> tuple[Share, ...]:
        """What each worker has done so far."""
        return self._pool.shares(began) if self._pool else ()

    @property
    def answered(self) -> Sequence[tuple[int, Answer]]:
        """Those from here, and the workers'."""
        return [*self._pieces.answered, *(self._pool.answered if self._pool else ())]

    def sweep(self, request: Request) -> list[Any]:
        """Answer a request, here or by the workers, or its beginning here and the rest by them."""
        if (pool := self._joined()) is not None:
            self._pieces.answered = []
            answered = pool.sweep(request)
            self.retried = pool.retried
            return answered
        if not isinstance(request, EvaluateRound):
            return [self.answered_here(request)]
        if self._began is None:
            self._began = time.monotonic()
            Thread(target=self._open_if_it_pays, name=OPENING, daemon=True).start()
        self._round_began = time.monotonic()
        answers = self._answered_until_joined(request)
        self._latest.append(time.monotonic() - self._round_began)
        self._round_began = inf
        self._rounds += 1
        return answers

    def close(self, wait: bool = True) -> None:
        """Release the workers; those that are still starting end by themselves as soon as they have started."""
        with self._closing:
            self._closed.set()
        if (pool := self._joined()) is not None:
            pool.close(wait)

    def _joined(self) -> Pool | None:
        """The workers' pool once they have come; from then on they are asked."""
        self._pool = self._arrived
        if self._pool is not None:
            self._pool.deadline, self._pool.awaits_one = self.deadline, self.awaits_one
            self._pool.heard = self.heard
        return self._pool

    def _answered_until_joined(self, request: Request) -> list[Any]:
        """Answers from here, a few tiles at a time, until workers have joined; from then on theirs."""
        answers: list[Any] = []
        for at, answer in self._pieces.answers(request, self.heard, self.deadline, self.awaits_one):
            answers.append(answer)
            if at < self._pieces.tiles and (pool := self._joined()) is not None:
                return answers + pool.sweep(Part(request, request.boundaries(self.strategy, self.objective)[at:]))
        return answers

    def _open_if_it_pays(self) -> None:
        """Start the workers once rounds are long enough for them, while there is time enough left."""
        while True:
            if self._closed.wait(LOOK_SECONDS):
                return
            if self._pays():
                break
        try:
            pool = self._opened()
        except DistsearchError as error:
            if not self._closed.is_set():
                LOG.warning(f"{error}: the search continues in this process")
            return
        with self._closing:
            if not self._closed.is_set():
                self._arrived = pool
                return
        pool.close()

    def _pays(self) -> bool:
        """Whether workers would make up for their start, going by the rounds so far.

        One tile cannot be shared, nor can one core.
        """
        now = time.monotonic()
        current = now - self._round_began  # −infinite between rounds
        latest = list(self._latest)
        usual = max(median(latest) if latest else 0.0, current)
        if usual < SHORTEST_ROUND or self._pieces.tiles < 2 or cores() < 2:
            return False
        left = min((self._horizon.rounds - self._rounds) * usual, self._horizon.seconds - (now - (self._began or now)))
        return left >= START_SECONDS
