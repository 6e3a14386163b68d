"""Callbacks of Python users: functions of each round's record, or objects with methods of an observer."""

from collections.abc import Callable, Iterable
from inspect import iscoroutinefunction, isgeneratorfunction
from typing import Any

import numpy as np

from distsearch.api.progress import Progress, is_interactive
from distsearch.errors import SettingError, brief
from distsearch.runs.directory import Result
from distsearch.runs.history import RoundRecord
from distsearch.search.observers import Observer, Opened, PartOfRound, Round
from distsearch.search.spent import Spent
from distsearch.strategies.base import State

HEARD = ("opened", "started", "within", "round", "saved", "cut", "ended", "closed")


def observers_of(callbacks: Any) -> list[Observer]:
    """The observers that callbacks stand for: several, one, or None.

    Raises SettingError if one is neither callable nor an observer.
    """
    if callbacks is None:
        return []
    given = callbacks if isinstance(callbacks, Iterable) and not isinstance(callbacks, str) else [callbacks]
    return [_observer(callback) for callback in given]


def with_progress(observers: list[Observer]) -> list[Observer]:
    """The observers and, in an interactive session, one that shows progress, if there is none among them."""
    if not is_interactive() or any(isinstance(observer, Progress) for observer in observers):
        return observers
    return [*observers, Progress()]


def never_run(function: Any) -> str:
    """Why to call a function does not run it; empty if it does."""
    if iscoroutinefunction(function):
        return "is async: nobody would await it"
    return "yields: nobody would run its lines" if isgeneratorfunction(function) else ""


def _observer(callback: Any) -> Observer:
    if isinstance(callback, Observer):
        return callback
    if any(callable(getattr(callback, name, None)) for name in HEARD):
        if isinstance(callback, type):
            name = callback.__name__
            raise SettingError(f"callbacks: expected an object, got the class {name}: make one with {name}(…)")
        return _OfObject(callback)
    if why := never_run(callback):
        raise SettingError(f"callbacks: expected functions of a round's record, got {brief(callback)}, which {why}")
    if callable(callback):
        return _OfFunction(callback)
    raise SettingError(
        f"callbacks: expected functions of a round's record, or objects with any of {', '.join(HEARD)}, "
        f"got {brief(callback)}"
    )


class _OfFunction(Observer):
    """A function of the round's record, which returns True to end the search."""

    def __init__(self, function: Callable[[RoundRecord], Any]) -> None:
        self._function = function

    def round(self, done: Round) -> bool:
        """Call it."""
        return _ends(self._function(done.record))


class _OfObject(Observer):
    """An object with any of an observer's methods."""

    def __init__(self, heard_by: Any) -> None:
        self._heard_by = heard_by

    def opened(self, search: Opened) -> None:
        """Pass it on."""
        self._tell("opened", search)

    def started(self, state: State) -> None:
        """Pass it on."""
        self._tell("started", state)

    def within(self, part: PartOfRound) -> None:
        """Pass it on."""
        self._tell("within", part)

    def round(self, done: Round) -> bool:
        """Pass it on."""
        return _ends(self._tell("round", done))

    def saved(self, rounds: int) -> None:
        """Pass it on."""
        self._tell("saved", rounds)

    def cut(self, state: State, spent: Spent) -> None:
        """Pass it on."""
        self._tell("cut", state, spent)

    def ended(self, result: Result) -> None:
        """Pass it on."""
        self._tell("ended", result)

    def closed(self, error: BaseException | None) -> None:
        """Pass it on."""
        self._tell("closed", error)

    def _tell(self, name: str, *arguments: Any) -> Any:
        method = getattr(self._heard_by, name, None)
        return method(*arguments) if callable(method) else None


def _ends(answer: Any) -> bool:
    """Whether a callback wants the search to end: it answers True, or NumPy's, which its comparisons give."""
    return isinstance(answer, bool | np.bool_) and bool(answer)
