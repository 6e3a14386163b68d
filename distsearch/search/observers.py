"""Observers hear of a search's start, rounds, saves and end."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from distsearch.config import RunConfig
from distsearch.runs.directory import Manifest, Result
from distsearch.runs.history import RoundRecord
from distsearch.search.spent import Spent
from distsearch.settings import Settings
from distsearch.strategies.base import State


@dataclass(frozen=True, slots=True)
class Opened:
    """A search that is about to begin, or to continue."""

    config: RunConfig
    settings: Settings  # the strategy's own
    manifest: Callable[[], Manifest]
    named: Callable[[NDArray[np.float32]], dict[str, NDArray[np.float32]]]  # the weights, (n,), as tensors
    done: Sequence[RoundRecord]  # the rounds before, if it continues
    path: Path | None  # the run's directory, if it is kept
    of_function: bool  # whether a function of the user's is searched, not a network


class Round(Struct, frozen=True):
    """A round that is done."""

    record: RoundRecord
    losses: NDArray[np.float64]  # (units,)
    after: State  # what the strategy has made of them
    workers: int  # that are alive; 0: this process itself


class PartOfRound(Struct, frozen=True):
    """How far a round is that takes long."""

    answered: int  # units
    units: int
    left: float | None  # seconds until its end, as it goes; None while that is not known
    seconds: float  # of the search so far

    @property
    def share(self) -> float:
        """The share that is answered, from 0 to 1."""
        return self.answered / self.units


class Observer:
    """Hears of a search; a subclass overrides what it wants to hear. Whatever it raises ends the search, saved."""

    def opened(self, search: Opened) -> None:
        """The workers are there, and the search is about to start."""

    def started(self, state: State) -> None:
        """The search begins from this state."""

    def within(self, part: PartOfRound) -> None:
        """A long round is under way; heard a few times a second."""

    def round(self, done: Round) -> bool | None:
        """A round is done; True to end the search."""
        return None

    def saved(self, rounds: int) -> None:
        """The first `rounds` rounds are on disk."""

    def cut(self, state: State, spent: Spent) -> None:
        """The first round was given up; the state's best is the best of what was evaluated in it, at this cost."""

    def ended(self, result: Result) -> None:
        """A limit has been reached, or the user has interrupted the search."""

    def closed(self, error: BaseException | None) -> None:
        """The last it hears, whatever has happened: all is saved, and `error` is what broke off the search, if any."""


class Observers(Observer):
    """Several observers as one, told in their order."""

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self._observers = list(observers)

    def __iter__(self) -> Iterator[Observer]:
        return iter(self._observers)

    def add(self, observer: Observer) -> None:
        """Tell another one too, after the others."""
        self._observers.append(observer)

    def opened(self, search: Opened) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.opened(search)

    def started(self, state: State) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.started(state)

    def within(self, part: PartOfRound) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.within(part)

    def round(self, done: Round) -> bool:
        """Tell all; True if any of them wants the search to end."""
        ends = False
        for observer in self._observers:
            if observer.round(done):
                ends = True
        return ends

    def saved(self, rounds: int) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.saved(rounds)

    def cut(self, state: State, spent: Spent) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.cut(state, spent)

    def ended(self, result: Result) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.ended(result)

    def closed(self, error: BaseException | None) -> None:
        """Tell all, even if one of them raises."""
        with ExitStack() as stack:
            for observer in reversed(self._observers):
                stack.callback(observer.closed, error)


@contextmanager
def listening(observer: Observer, search: Opened) -> Iterator[None]:
    """Tell an observer that the search is opened and, when the block ends, that it is closed."""
    try:
        observer.opened(search)
        yield
    except BaseException as error:
        observer.closed(error)
        raise
    observer.closed(None)


class History(Observer):
    """Keeps the record of every round, after those that were done before, the latest state and what was spent."""

    def __init__(self, done: Iterable[RoundRecord] = ()) -> None:
        self.records = list(done)
        self.state: State | None = None
        self._on_part: Spent | None = None  # of the first round, if it was given up

    @property
    def spent(self) -> Spent:
        """What the search has cost so far."""
        return self._on_part or Spent.of(self.records)

    def started(self, state: State) -> None:
        """Keep it."""
        self.state = state

    def round(self, done: Round) -> None:
        """Keep it."""
        self.records.append(done.record)
        self.state = done.after

    def cut(self, state: State, spent: Spent) -> None:
        """Keep both."""
        self.state, self._on_part = state, spent


class Gauging(Observer):
    """Shows every round in a cluster's gauges."""

    def __init__(self, gauges: Any) -> None:
        self._gauges = gauges

    def round(self, done: Round) -> None:
        """Show it."""
        self._gauges.show(done.record)
