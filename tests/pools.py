"""Pools of workers as tests open them: none, and some on the Ray that the tests share."""

from contextlib import contextmanager

import pytest
from waiting import awaited

from distsearch.machine import one_thread
from distsearch.strategies.base import losses_of
from distsearch.workers.local import LocalPool

POOLS = ["local", "ray-1", "ray-2", "ray-3"]
HERE_OR_SHARED = pytest.mark.parametrize("pool", ["local", "ray-2"], indirect=True)
"""For what the number of workers does not change: to start one takes more than a second of a core."""


@contextmanager
def opened(pool: str, strategy, objective):
    if pool == "local":
        with LocalPool(strategy, objective) as workers, one_thread():
            yield workers
        return
    from distsearch.workers.ray.pool import RayPool

    with RayPool(strategy, objective, int(pool[-1])) as workers:
        yield workers


def joined(workers, count: int, state) -> None:
    """Search until this many workers have joined: it begins with the first that is ready."""
    awaited(f"{count} workers", lambda: workers.count == count or not workers.evaluate(state))


def computed_here(strategy, objective, state) -> bytes:
    """The losses of a round without workers, on one thread as theirs are."""
    with one_thread():
        return losses_of(LocalPool(strategy, objective).evaluate(state)).tobytes()
