"""How long a call takes."""

import time
from collections.abc import Callable


def seconds(action: Callable[[], object], runs: int = 7, at_least: float = 0.05) -> float:
    """Of one call: the lowest mean over several runs of at least so many seconds each."""
    action()
    began = time.perf_counter()
    action()
    calls = max(1, int(at_least / max(time.perf_counter() - began, 1e-7)))
    lowest = float("inf")
    for _ in range(runs):
        began = time.perf_counter()
        for _ in range(calls):
            action()
        lowest = min(lowest, (time.perf_counter() - began) / calls)
    return lowest
