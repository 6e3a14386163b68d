"""Observers hear of a search's start, rounds, saves and end."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.runs.directory import Result
from distsearch.runs.history import RoundRecord
from distsearch.strategies.base import State


@dataclass(frozen=True, slots=True)
class Round:
    """A round that is done."""

    record: RoundRecord
    losses: NDArray[np.float64]  # (units,)
    after: State  # what the strategy has made of them
    workers: int  # that are alive; 0: this process itself


class Observer:
    """Hears of a search; a subclass overrides what it wants to hear. Whatever it raises ends the search, saved."""

    def started(self, state: State) -> None:
        """The search begins from this state."""

    def round(self, done: Round) -> bool | None:
        """A round is done; True to end the search."""
        return None

    def saved(self, rounds: int) -> None:
        """The first `rounds` rounds are on disk."""

    def cut(self, state: State) -> None:
        """The time was over before one round was; the state's best is the best of what was evaluated in it."""

    def ended(self, result: Result) -> None:
        """A limit has been reached, or the user has interrupted the search."""


class Observers(Observer):
    """Several observers as one, told in their order."""

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self._observers = list(observers)

    def add(self, observer: Observer) -> None:
        """Tell another one too, after the others."""
        self._observers.append(observer)

    def started(self, state: State) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.started(state)

    def round(self, done: Round) -> bool:
        """Tell all; True if any of them wants the search to end."""
        wishes = [observer.round(done) for observer in self._observers]
        return any(wishes)

    def saved(self, rounds: int) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.saved(rounds)

    def cut(self, state: State) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.cut(state)

    def ended(self, result: Result) -> None:
        """Tell all."""
        for observer in self._observers:
            observer.ended(result)


class History(Observer):
    """Keeps the record of every round, after those that were done before, and the latest state."""

    def __init__(self, done: Iterable[RoundRecord] = ()) -> None:
        self.records = list(done)
        self.state: State | None = None

    def started(self, state: State) -> None:
        """Keep it."""
        self.state = state

    def round(self, done: Round) -> None:
        """Keep it."""
        self.records.append(done.record)
        self.state = done.after


class Gauging(Observer):
    """Shows every round in a cluster's gauges."""

    def __init__(self, gauges: Any) -> None:
        self._gauges = gauges

    def round(self, done: Round) -> None:
        """Show it."""
        self._gauges.show(done.record)
