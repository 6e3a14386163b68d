"""Short rounds on the cores of one node: two workers beside one, and beside the driver that may do them itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from typing import NamedTuple

from figures import Figure
from pool import crewed
from timing import in_turns, seconds

from distsearch.config import from_flags
from distsearch.data import datasets
from distsearch.data.datasets import Dataset
from distsearch.machine import one_thread
from distsearch.randomness import Stream, noise
from distsearch.search.assembly import Assembly, assemble
from distsearch.search.rounds import Rounds
from distsearch.workers.base import Pool
from distsearch.workers.local import LocalPool

EXAMPLES, FEATURES, CLASSES = 10_000, 784, 10  # as wide as MNIST's
ROUNDS = 20  # that are timed together


class Case(NamedTuple):
    """What is searched with, and how many times as fast two workers shall be."""

    name: str
    flags: dict[str, object]
    limit: float


NODES = {"strategy": "node-perturbation"}
CASES = (
    Case("node-perturbation, 784-128-10", NODES | {"layers": [128]}, 1.6),
    Case("node-perturbation, 784-1024-10", NODES | {"layers": [1024]}, 1.75),
    Case("node-perturbation, 784-256-256-10", NODES | {"layers": [256, 256]}, 1.75),
    Case("evolution-strategy, 64-32-10", {"strategy": "evolution-strategy", "data": "digits", "layers": [32]}, 1.6),
    Case("hill-climb, 784-128-10", {"layers": [128], "batch": 1024}, 1.85),
)


def lane_scaling() -> Iterator[Figure]:
    """Rounds by two workers compared with one; and by whoever is chosen, compared with this process alone.

    Beside them, what the machine's second core adds for two processes that share nothing, each with rounds of its own.
    """
    from distsearch.workers.ray.cluster import connected

    for case in CASES:
        prepared = _prepared(case)
        with connected(2, prepared.objective.nbytes):
            alone, together = in_turns(partial(_by_workers, prepared, 1), partial(_by_workers, prepared, 2), turns=6)
            here, chosen = in_turns(partial(_here, prepared), partial(_by_workers, prepared, 2, True), turns=6)
        alone_here, beside = in_turns(partial(_here, prepared), partial(_beside_another, case, prepared), turns=4)
        yield Figure(
            f"{case.name}, two workers",
            f"{together * 1000:.2f} ms a round",
            f"{alone * 1000:.2f} ms, one worker",
            alone / together,
            case.limit,
            True,
        )
        yield Figure(
            f"{case.name}, driver or two workers",
            f"{chosen * 1000:.2f} ms a round",
            f"{here * 1000:.2f} ms, without workers",
            chosen / here,
            1.1,
            False,
        )
        yield Figure(
            f"{case.name}, two processes apart",
            f"{beside * 1000:.2f} ms a round, each",
            f"{alone_here * 1000:.2f} ms, one by itself",
            2 * alone_here / beside,
            None,
            True,
        )


def _prepared(case: Case) -> Assembly:
    data = None if "data" in case.flags else _wide_data()
    return assemble(from_flags({"data": "vertical", **case.flags}), data)


def _wide_data() -> Dataset:
    """Examples as wide as MNIST's, drawn at random: only their number counts."""
    features = noise(0, Stream.DATA, 0, 0, EXAMPLES, FEATURES)
    labels = (features[:, :CLASSES]).argmax(axis=1)
    return datasets.from_arrays(features, labels, numbers=False)


def _here(prepared: Assembly) -> float:
    return _seconds(prepared, LocalPool(prepared.strategy, prepared.objective))


def _beside_another(case: Case, prepared: Assembly) -> float:
    with _another(case):
        return _here(prepared)


@contextmanager
def _another(case: Case) -> Iterator[None]:
    """While entered, another process does rounds of the same kind."""
    context = get_context("spawn")
    begun, ended = context.Event(), context.Event()
    process = context.Process(target=_until, args=(case, begun, ended))
    process.start()
    try:
        if not begun.wait(60):
            raise RuntimeError("the other process has not begun after a minute")
        yield
    finally:
        ended.set()
        process.join()


def _until(case: Case, begun: Event, ended: Event) -> None:
    """Rounds until they are ended."""
    prepared = _prepared(case)
    rounds = Rounds(prepared.strategy, LocalPool(prepared.strategy, prepared.objective), 1_000_000)
    state = prepared.plan.first
    with one_thread():
        while not ended.is_set():
            state = rounds.run(state).after
            begun.set()


def _by_workers(prepared: Assembly, workers: int, driver_works: bool = False) -> float:
    with crewed(prepared, workers) as pool:
        pool.driver_works = driver_works
        return _seconds(prepared, pool)


def _seconds(prepared: Assembly, pool: Pool) -> float:
    """The seconds of a round, all in, once it is known who does it."""
    rounds = Rounds(prepared.strategy, pool, 1_000_000)

    def some() -> None:
        state = prepared.plan.first
        for _ in range(ROUNDS):
            state = rounds.run(state).after

    return seconds(some, runs=3, at_least=0) / ROUNDS
