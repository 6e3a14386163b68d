"""Work on long vectors, a range of their numbers at a time: each fits the cache, and several threads share them.

Each number is computed by itself, so neither the ranges nor the threads touch the result.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from distsearch.machine import cores

RANGE = 1 << 16  # numbers; with 256 KB as float32, a few arrays of its length fit the cache
SHARED = 4 * RANGE  # numbers from which on threads pay
MOST_THREADS = 4  # which keep memory busy


def in_ranges(count: int, work: Callable[[slice], None]) -> None:
    """Call `work` with ranges that make up `count` numbers; on several threads if there are many."""
    ranges = [slice(lo, min(lo + RANGE, count)) for lo in range(0, count, RANGE)]
    if count < SHARED or not (helpers := _helpers()):
        for some in ranges:
            work(some)
        return
    waiting = iter(ranges)  # shared by the threads: taking the next one holds the interpreter's lock

    def take() -> None:
        for some in waiting:
            work(some)

    others = [helpers.submit(take) for _ in range(_threads() - 1)]
    take()
    for other in others:
        other.result()


def _threads() -> int:
    return min(MOST_THREADS, cores())


@cache
def _helpers() -> ThreadPoolExecutor | None:
    """The threads beside the caller's own; None if there is only one core."""
    return ThreadPoolExecutor(_threads() - 1, "distsearch-ranges") if _threads() > 1 else None
