"""Waiting in tests: always for a named condition, and never for ever.

No test asserts how long something takes, since that depends on what else the machine does. What has to happen is
awaited, what must not happen is ruled out by something that comes after it, and decisions about time are tested on a
virtual clock. The bounds here only keep a fault from hanging the tests: whatever works is done long before.
"""

import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 240.0
"""Seconds after which a single wait gives up; pytest-timeout bounds the whole test."""

LONGEST_LIFE = 480.0
"""Seconds after which a program whose output a test follows line by line is killed."""


def awaited(what: str, condition: Callable[[], T]) -> T:
    """The condition's value as soon as it is true. AssertionError naming `what` if it never is."""
    until = time.monotonic() + PATIENCE
    while not (outcome := condition()):
        assert time.monotonic() < until, f"waited {PATIENCE:g} s in vain for {what}"
        time.sleep(0.02)
    return outcome


def lines_until(words: str, stream: Iterable[str]) -> Iterator[str]:
    """The lines of a program that is `running`, up to the first one with these words. AssertionError if it ends."""
    for line in stream:
        yield line
        if words in line:
            return
    raise AssertionError(f"the program ended, or was ended, before it said {words!r}")


@contextmanager
def running(command: list[Any], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """A program that is killed at the end of the block, or when it hangs, unless it has ended by itself."""
    with subprocess.Popen(command, **options) as process:
        watchdog = Timer(LONGEST_LIFE, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()
