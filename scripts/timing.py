"""Measures how long calls take."""

import time
from collections.abc import Callable

Watch = Callable[[], float]
"""Does something a number of times and returns the mean seconds per time."""


def watch(action: Callable[[], object], at_least: float = 0.02) -> Watch:
    """Times a call, as the mean of as many as take this many seconds."""
    action()
    began = time.perf_counter()
    action()
    calls = max(1, int(at_least / max(time.perf_counter() - began, 1e-7)))

    def timed() -> float:
        began = time.perf_counter()
        for _ in range(calls):
            action()
        return (time.perf_counter() - began) / calls

    return timed


def seconds(action: Callable[[], object], runs: int = 7, at_least: float = 0.05) -> float:
    """The seconds for one call: the lowest of several runs of at least this many seconds each."""
    timed = watch(action, at_least)
    return min(timed() for _ in range(runs))


def in_turns(*watches: Watch, turns: int = 25) -> list[float]:
    """The lowest time of each; they take turns, so that a machine that is slow for a while is slow for all."""
    said = [[each() for each in watches] for _ in range(turns)]
    return [min(column) for column in zip(*said, strict=True)]
