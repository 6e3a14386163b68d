"""SIGINT and SIGTERM during a search: the round in hand is given up, and nothing that is done is lost."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Interrupted(BaseException):
    """Raised out of the round in hand. Not an Exception: nobody in between may swallow it."""


class Interrupts:
    """While entered, the first signal ends the action in hand and sets `came`; a second one ends the program.

    Outside of the main thread signals cannot be caught, and none are.
    """

    def __init__(self) -> None:
        self.came = False
        self._in_action = False
        self._previous: dict[int, Any] = {}

    def during(self, action: Callable[..., T], *arguments: Any) -> T | None:
        """What the action returns, or None if a signal came first."""
        try:
            self._in_action = True
            if self.came:
                return None
            return action(*arguments)
        except _Interrupted:
            return None
        except SystemError as error:  # C code that had just done its work when the signal came: Ray's wait is such
            match error.__cause__:
                case _Interrupted():
                    return None
                case KeyboardInterrupt() as second:
                    raise second from None
            raise
        finally:
            self._in_action = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came = True
        if self._in_action:
            raise _Interrupted
