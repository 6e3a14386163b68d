"""What a test of the cluster expects, and how it waits for that."""

import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 180.0  # seconds for anything that must happen


class UnexpectedError(Exception):
    """What was expected and did not come."""


def expect(held: bool, what: str) -> None:
    """Raise UnexpectedError unless it holds."""
    if not held:
        raise UnexpectedError(f"expected that {what}")


def awaited(what: str, condition: Callable[[], T]) -> T:
    """What the condition says as soon as it is true. UnexpectedError if that takes too long."""
    until = time.monotonic() + PATIENCE
    while not (outcome := condition()):
        expect(time.monotonic() < until, f"{what} would come about within {PATIENCE:g} s")
        time.sleep(0.2)
    return outcome


def called(command: list[str]) -> str:
    """What a command prints on both outputs. UnexpectedError if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    expect(done.returncode == 0, f"{' '.join(command)} ends well, but it ended with {done.returncode}: {done.stdout}")
    return done.stdout
