"""Two Ray workers: beside one, their idle time, and what it costs when one is killed."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from math import inf
from threading import Timer

import numpy as np
from figures import Figure
from numpy.typing import NDArray
from timing import seconds

from distsearch import session
from distsearch.config import from_flags
from distsearch.rounds import Rounds
from distsearch.workers.base import Workers


def ray_scaling() -> Iterator[Figure]:
    """Two Ray workers against one."""
    from distsearch.workers.ray_pool import RayPool

    prepared = session.prepare(from_flags({"data": "digits", "layers": [64, 32], "population": 1024}))
    state = prepared.strategy.init(prepared.start, 0)
    lowest = {}
    for workers in (1, 2):
        with RayPool(prepared.strategy, prepared.objective, workers, lambda sentence: None) as pool:
            wait_for_all(pool, workers, lambda: pool.evaluate(state))
            lowest[workers] = seconds(lambda: pool.evaluate(state), runs=15, at_least=0)
    yield Figure(
        "two Ray workers, a round",
        f"{lowest[2] * 1000:.0f} ms",
        f"{lowest[1] * 1000:.0f} ms, one worker",
        lowest[1] / lowest[2],
        1.8,
        True,
    )


def idleness() -> Iterator[Figure]:
    """What two Ray workers wait in rounds of low-rank noise: for the driver's part, for Ray, and for each other."""
    from distsearch.workers.ray_pool import RayPool

    flags = {"data": "digits", "layers": [512], "strategy": "evolution-strategy", "rank": 1, "population": 512}
    prepared = session.prepare(from_flags(flags))
    state = prepared.strategy.init(prepared.start, 0)
    with RayPool(prepared.strategy, prepared.objective, 2, lambda sentence: None) as pool:
        wait_for_all(pool, 2, lambda: pool.evaluate(state))
        trip = round_trip(state.center)
        rounds, lowest, whole = Rounds(prepared.strategy, pool, 1_000_000), inf, 0.0
        for _ in range(15):
            before, began = pool.worked, time.perf_counter()
            state = rounds.run(state).after
            passed = time.perf_counter() - began
            waited = passed - (pool.worked - before) / 2
            if waited < lowest:
                lowest, whole = waited, passed
    yield Figure(
        f"two Ray workers idle, of a round of {whole * 1000:.0f} ms",
        f"{lowest * 1000:.2f} ms, {lowest / whole:.1%}",
        f"{trip * 1000:.2f} ms, Ray: weights down, two answers",
        lowest / trip,
        1.0,
        False,
    )


def round_trip(weights: NDArray[np.float32]) -> float:
    """Seconds that Ray itself takes to send weights to two actors and to hear from both."""
    import ray

    class Echo:
        def hear(self, array: object) -> None:
            pass

    actors = [ray.remote(Echo).options(num_cpus=0).remote() for _ in range(2)]

    def trip() -> None:
        reference = ray.put(weights)
        ray.get([actor.hear.remote(reference) for actor in actors])

    lowest = seconds(trip, at_least=0.2)
    for actor in actors:
        ray.kill(actor)
    return lowest


def wait_for_all(pool: Workers, workers: int, work: Callable[[], object]) -> None:
    while pool.count < workers:
        work()


def recovery() -> Iterator[Figure]:
    """What a killed worker costs: kill -9 in mid-round, with a round of half a second."""
    import ray

    from distsearch.workers.ray_pool import RayPool

    prepared = session.prepare(from_flags({"data": "digits", "layers": [64, 32], "population": 2048}))
    state = prepared.strategy.init(prepared.start, 0)
    with RayPool(prepared.strategy, prepared.objective, 2, lambda sentence: None) as pool:
        wait_for_all(pool, 2, lambda: pool.evaluate(state))
        usual = seconds(lambda: pool.evaluate(state), runs=5, at_least=0)
        worker = next(iter(pool._workers.values()))
        number = ray.get(worker.__ray_call__.remote(lambda self: os.getpid()))
        Timer(usual / 2, os.kill, (number, signal.SIGKILL)).start()
        began = time.perf_counter()
        pool.evaluate(state)
        lost = time.perf_counter() - began - usual
    yield Figure("killed worker: its round takes longer by", f"{lost:.2f} s", f"{usual:.2f} s, a round", lost, 2, False)
