"""Two Ray workers: beside one, their idle time, and what it costs when one is killed."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from statistics import median
from threading import Timer
from typing import TYPE_CHECKING, Any

import numpy as np
from figures import Figure
from numpy.typing import NDArray
from timing import in_turns, seconds

from distsearch.config import from_flags
from distsearch.search.assembly import Assembly, assemble
from distsearch.search.rounds import Rounds
from distsearch.strategies.base import Answer
from distsearch.workers.base import Pool
from distsearch.workers.processes import descendants
from distsearch.workers.requests import EvaluateRound, Request

if TYPE_CHECKING:  # takes half a second to import
    from distsearch.workers.ray.pool import RayPool


def ray_scaling() -> Iterator[Figure]:
    """Two Ray workers compared with one, in turns."""
    from distsearch.workers.ray.cluster import connected

    prepared = assemble(
        from_flags({"data": "digits", "layers": [64, 32], "strategy": "hill-climb", "population": 1024})
    )
    state = prepared.plan.first

    def round_of(workers: int) -> float:
        with crewed(prepared, workers) as pool:
            return seconds(lambda: pool.evaluate(state), runs=5, at_least=0)

    with connected(2, prepared.objective.nbytes):
        alone, together = in_turns(partial(round_of, 1), partial(round_of, 2), turns=8)
    yield Figure(
        "two Ray workers, a round",
        f"{together * 1000:.0f} ms",
        f"{alone * 1000:.0f} ms, one worker",
        alone / together,
        1.8,
        True,
    )


def idleness() -> Iterator[Figure]:
    """How long two Ray workers wait in rounds of low-rank noise: while the driver decides, and in total."""
    flags = {"data": "digits", "layers": [512], "strategy": "evolution-strategy", "rank": 1, "population": 512}
    prepared = assemble(from_flags(flags))
    state = prepared.plan.first
    with crewed(prepared, 2) as pool:
        trip = round_trip(state.center)
        rounds = Rounds(prepared.strategy, timed := Evaluating(pool), 1_000_000)
        deciding, idle, whole = [], [], []
        for _ in range(20):
            before, evaluating, began = pool.worked, timed.seconds, time.perf_counter()
            state = rounds.run(state).after
            whole.append(time.perf_counter() - began)
            deciding.append(whole[-1] - (timed.seconds - evaluating))
            idle.append(whole[-1] - (pool.worked - before) / 2)
    decided, waited, usual = (median(each[5:]) for each in (deciding, idle, whole))
    yield Figure(
        f"driver decides, after a round of {usual * 1000:.0f} ms",
        f"{decided * 1000:.2f} ms; in all workers idle {waited / usual:.1%}",
        f"{trip * 1000:.2f} ms, Ray: weights down, two answers",
        decided / trip,
        1.0,
        False,
    )


class Evaluating(Pool):
    """A pool, and the seconds that evaluating candidates took it."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool.strategy, pool.objective)
        self._pool = pool
        self.seconds = 0.0

    @property
    def count(self) -> int:
        """The pool's."""
        return self._pool.count

    @property
    def answered(self) -> Sequence[tuple[int, Answer]]:
        """The pool's."""
        return self._pool.answered

    def sweep(self, request: Request) -> list[Any]:
        """The pool's, timed."""
        began = time.perf_counter()
        answers = self._pool.sweep(request)
        self.seconds += (time.perf_counter() - began) * isinstance(request, EvaluateRound)
        return answers


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


@contextmanager
def crewed(prepared: Assembly, workers: int) -> Iterator["RayPool"]:
    """A pool of Ray workers, all of which have come."""
    from distsearch.workers.ray.pool import RayPool

    with RayPool(prepared.strategy, prepared.objective, workers) as pool:
        while pool.count < workers:
            pool.evaluate(prepared.plan.first)
        yield pool


def worker_processes() -> list[int]:
    """The numbers of the processes of this one's Ray workers."""
    names = dict[int, bytes]()
    for pid in descendants([os.getpid()]):
        with suppress(OSError):  # it has just ended
            names[pid] = Path(f"/proc/{pid}/cmdline").read_bytes()
    return [pid for pid, name in names.items() if name.startswith(b"ray::RayWorker")]


def recovery() -> Iterator[Figure]:
    """What a killed worker costs: kill -9 in mid-round, with a round of half a second."""
    prepared = assemble(
        from_flags({"data": "digits", "layers": [64, 32], "strategy": "hill-climb", "population": 2048})
    )
    state = prepared.plan.first
    with crewed(prepared, 2) as pool:
        usual = seconds(lambda: pool.evaluate(state), runs=5, at_least=0)
        Timer(usual / 2, os.kill, (worker_processes()[0], signal.SIGKILL)).start()
        began = time.perf_counter()
        pool.evaluate(state)
        lost = time.perf_counter() - began - usual
    yield Figure("killed worker: its round takes longer by", f"{lost:.2f} s", f"{usual:.2f} s, a round", lost, 2, False)
