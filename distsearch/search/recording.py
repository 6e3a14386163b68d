"""What keeps a search on disk, and in shared storage: observers of its rounds and saves."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from distsearch.runs import checkpoints
from distsearch.runs.directory import Result, Run
from distsearch.runs.events import Crew, Event
from distsearch.runs.history import RoundRecord
from distsearch.search.observers import Observer, Round
from distsearch.search.spent import Spent
from distsearch.storage import Publisher
from distsearch.strategies.base import State
from distsearch.workers.base import Pool

Named = Callable[[NDArray[np.float32]], dict[str, NDArray[np.float32]]]
"""The weights, (n,), as the tensors that are stored."""


class Recorder(Observer):
    """Writes a search into its run's directory, and announces each save, with the rounds that are saved.

    As a context manager it ends with a save, whatever has happened since the search started.
    """

    def __init__(self, run: Run, pool: Pool, named: Named, announce: Callable[[int], None]) -> None:
        self._run = run
        self._pool = pool
        self._named = named
        self._announce = announce
        self._state: State | None = None
        self._workers = 0  # alive
        self._retried = 0  # shards
        self._began: float | None = None  # when the search's time did, by time.monotonic; known after a round
        self._events: list[Event] = []  # since the last save
        self._cut: State | None = None  # if no round was finished

    def started(self, state: State) -> None:
        """Save the state: from here on, whatever happens, the search can be resumed."""
        self._state = state
        self._save()

    def round(self, done: Round) -> None:
        """Append the round to the history, and save if it is time to."""
        self._state = done.after
        self._run.record(done.record, done.losses)
        if self._began is None:
            self._began = time.monotonic() - done.record.seconds
        if done.workers != self._workers or self._pool.retried != self._retried:
            self._note(done.record, done.workers)
        if self._run.save_is_due:
            self._save()

    def _note(self, row: RoundRecord, workers: int) -> None:
        """Note what has become of the workers since the round before."""
        self._workers, self._retried = workers, self._pool.retried
        self._events.append(Event(round=row.round, seconds=row.seconds, workers=workers, retried=self._retried))

    def cut(self, state: State, spent: Spent) -> None:
        """Keep its best weights; what the search resumes from is the state before the round."""
        self._cut = state

    def ended(self, result: Result) -> None:
        """Save, and write how the search has ended."""
        self._save()
        self._state = None
        self._run.finish(result)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._save()

    def _save(self) -> None:
        if self._state is None:
            return
        best = (self._cut or self._state).best
        events, self._events = self._events, []
        shares = () if self._began is None else self._pool.shares(self._began)
        content = checkpoints.best_content(best, self._named(best.weights))
        self._run.save(self._state, content, Crew(self._pool.machines, events, shares))
        self._announce(self._state.round)


class Publishing(Observer):
    """Offers every save to the publisher."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def saved(self, rounds: int) -> None:
        """Offer it."""
        self._publisher.offer(rounds)
