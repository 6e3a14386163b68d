"""SIGINT and SIGTERM during a search: the current round is abandoned, and no completed work is lost."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

from distsearch.errors import hold

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Interrupted(BaseException):
    """Raised from within the current action. Not an Exception, so that no handler in between can swallow it."""


class Interrupts:
    """While entered, the first signal is recorded and ends the current action; later ones go to the previous handlers.

    Between actions nothing is broken off. Outside of the main thread signals cannot be caught, and none are.
    """

    def __init__(self) -> None:
        self.came: int | None = None  # the number of the first signal
        self.result: Any = None  # what was found until it came, in the form that a caller from Python gets
        self._in_action = False
        self._previous: dict[int, Any] = {}

    def during(self, action: Callable[..., T], *arguments: Any) -> T | None:
        """What the action returns, or None if a signal came first."""
        try:
            self._in_action = True
            return None if self.came else action(*arguments)
        except _Interrupted:
            return None
        except SystemError as error:  # C code that had just done its work when the signal came: Ray's wait is such
            match error.__cause__:
                case _Interrupted():
                    return None
                case KeyboardInterrupt() as cause:
                    raise cause from None
            raise
        finally:
            self._in_action = False

    def begin(self, action: Callable[..., T], *arguments: Any) -> T:
        """What the action returns. KeyboardInterrupt if a signal came, because nothing can continue without it."""
        returned: list[T] = []
        self.during(lambda: returned.append(action(*arguments)))
        if not returned:
            raise KeyboardInterrupt
        return returned[0]

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            handlers = {number: signal.getsignal(number) for number in _SIGNALS}
            # One that was not set from Python could not be set again, and what is ignored stays ignored.
            kept = (None, signal.SIG_IGN)
            self._previous = {number: handler for number, handler in handlers.items() if handler not in kept}
            for number in self._previous:
                signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_go()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.came:
            self._let_go()
            signal.raise_signal(number)
            return
        self.came = number
        if self._in_action:
            raise _Interrupted

    def _let_go(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)


@contextmanager
def passed_on() -> Iterator[Interrupts]:
    """Interrupts whose signal goes, at the end, to whoever would have had it at once: for code that others call.

    What is raised then, such as KeyboardInterrupt, holds the result.
    """
    interrupts = Interrupts()
    try:
        with interrupts:
            yield interrupts
    finally:
        if interrupts.came:
            try:
                signal.raise_signal(interrupts.came)
            except BaseException as error:
                hold(error, interrupts.result)
                raise
