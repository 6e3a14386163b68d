"""Expectations of a cluster test, and waiting for them."""

import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 180.0  # seconds for anything that must happen


class UnexpectedError(Exception):
    """Something expected did not happen."""


def expect(held: bool, what: str) -> None:
    """Raise UnexpectedError unless it holds."""
    if not held:
        raise UnexpectedError(f"expected that {what}")


def awaited(what: str, condition: Callable[[], T]) -> T:
    """Wait until a condition returns something true; what it returned. Raises UnexpectedError if it takes too long."""
    until = time.monotonic() + PATIENCE
    while not (outcome := condition()):
        expect(time.monotonic() < until, f"{what} would come about within {PATIENCE:g} s")
        time.sleep(0.2)
    return outcome


def called(command: list[str]) -> str:
    """Run a command; its output on both streams. Raises UnexpectedError if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    expect(done.returncode == 0, f"{' '.join(command)} ends well, but it ended with {done.returncode}: {done.stdout}")
    return done.stdout
