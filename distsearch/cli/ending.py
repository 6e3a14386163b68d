"""SIGINT and SIGTERM outside of a search. Imports next to nothing, so as to be ready before anything else is."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED_EXIT_CODE = 130


class Ending:
    """The handler for both: the first unwinds, the second exits at once.

    So does the first while there is nothing to unwind: as modules are imported, and after the command has ended.
    """

    def __init__(self) -> None:
        self.came = False
        self._unwinds = False
        self.clean_up: Callable[[], None] = lambda: None
        """What has to be done even when the program exits at once."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Unwind or exit."""
        if self._unwinds and not self.came:
            self.came = True
            raise KeyboardInterrupt
        self.clean_up()
        os._exit(INTERRUPTED_EXIT_CODE)

    def take_over(self) -> None:
        """Handle both signals from here on, except those that are ignored: as `nohup`, or a shell's background, is."""
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self)

    @contextmanager
    def unwinding(self) -> Iterator[None]:
        """While entered, there is something to unwind."""
        try:
            self._unwinds = True
            yield
        finally:
            self._unwinds = False
