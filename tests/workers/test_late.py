"""A search begins in its own process; workers join it later if they pay, with the same bits."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from math import inf
from pathlib import Path
from threading import Event
from typing import Self

import numpy as np
import pytest
from problems import create, network_objective
from programs import ran
from searches import contents, search
from waiting import PATIENCE, awaited

from distsearch.errors import WorkersError
from distsearch.objectives.function import FunctionObjective
from distsearch.strategies.base import losses_of
from distsearch.workers import late, pieces
from distsearch.workers.late import START_SECONDS, Horizon, LatePool
from distsearch.workers.local import LocalPool
from distsearch.workers.place import OPENING


class Clock:
    """Stands in for `time` in the late pool: only a test's work advances it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.looks = 0  # for the thread that asks whether workers would pay

    def monotonic(self) -> float:
        self.looks += threading.current_thread().name == OPENING
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(late, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(late, "time", clock)
    monkeypatch.setattr(pieces, "time", clock)
    return clock


NEVER = Horizon()


class Joining(LocalPool):
    """A pool that records how often it was asked, and for what."""

    count = 2

    def __init__(self, strategy, objective) -> None:
        super().__init__(strategy, objective)
        self.ranges: list[tuple[int, int]] = []
        self.closed = False

    def sweep(self, request):
        self.ranges.append((request.begin, request.end(self.strategy, self.objective)))
        return super().sweep(request)

    def close(self, wait=True):
        self.closed = True


class Case:
    """A late pool over a function called 200 times per round, each taking this many seconds; and what joins it."""

    def __init__(self, clock: Clock, seconds: float, horizon: Horizon = NEVER) -> None:
        self.clock, self.seconds = clock, seconds
        self.calls = 0
        self.waits_at = inf  # the call that waits until the workers have joined
        objective = FunctionObjective(self.loss, 3)
        objective.tiling = objective.tiling._replace(candidates=10)
        self.strategy = create("hill-climb", {"population": 200}, objective)
        self.state = self.strategy.init(np.zeros(3, np.float32), 0)
        self.joining = Joining(self.strategy, objective)
        self.may_open, self.asked = Event(), Event()
        self.pool = LatePool(self.strategy, objective, horizon, self.open)
        self.expected = losses_of(LocalPool(self.strategy, FunctionObjective(sphere, 3)).evaluate(self.state)).tobytes()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.close()
        self.may_open.set()
        awaited("the opening thread to end", lambda: not any(each.name == OPENING for each in threading.enumerate()))

    def loss(self, weights):
        self.clock.now += self.seconds
        self.calls += 1
        if self.calls == self.waits_at:
            awaited("the workers", lambda: self.pool._arrived is not None)
        return sphere(weights)

    def open(self):
        self.asked.set()
        assert self.may_open.wait(PATIENCE)
        return self.joining

    def round(self) -> None:
        assert losses_of(self.pool.evaluate(self.state)).tobytes() == self.expected

    def rounds_until(self, what: str, condition: Callable[[], object]) -> None:
        def met() -> object:
            self.round()
            return condition()

        awaited(what, met)

    def rounds_for_many_looks(self) -> None:
        """Rounds while it often checks whether workers would pay, or until they are requested."""
        self.round()
        looks = self.clock.looks
        self.rounds_until("many looks", lambda: self.clock.looks > looks + 10 or self.asked.is_set())


def sphere(weights) -> float:
    return float(np.square(weights - 1).sum())


@pytest.fixture
def started(clock) -> Iterator[Callable[..., Case]]:
    """Makes cases that end with the test."""
    with ExitStack() as stack:
        yield lambda *settings: stack.enter_context(Case(clock, *settings))


def test_rounds_run_locally_until_workers_have_joined_and_then_on_them(started):
    case = started(0.0001)
    case.rounds_until("workers are asked for", case.asked.is_set)
    case.round()
    assert (case.pool.count, case.joining.ranges) == (0, [])
    case.may_open.set()
    awaited("the workers", lambda: case.pool._arrived is not None)
    case.round()
    assert (case.pool.count, case.joining.ranges) == (2, [(0, 200)])
    case.pool.close()
    assert case.joining.closed


def test_workers_that_join_during_a_round_take_over_the_rest_of_it(started):
    case = started(0.01)
    case.may_open.set()
    case.waits_at = 95
    case.round()
    assert case.joining.ranges == [(110, 200)]  # after the piece in which they joined


@pytest.mark.parametrize(
    ("seconds", "horizon"),
    [(0.000005, NEVER), (0.0001, Horizon(rounds=3)), (0.01, Horizon(seconds=START_SECONDS))],
    ids=["short rounds", "few rounds", "few seconds"],
)
def test_workers_are_not_requested_where_they_would_not_pay(started, seconds, horizon):
    case = started(seconds, horizon)
    case.rounds_for_many_looks()
    assert not case.asked.is_set()


def test_workers_are_not_requested_for_indivisible_work(started):
    case = started(0.001)
    case.pool.objective.tiling = case.pool.objective.tiling._replace(candidates=200)
    case.rounds_for_many_looks()
    assert not case.asked.is_set()


def test_a_search_continues_if_workers_cannot_start(started, said):
    case = started(0.0001)

    def fail():
        raise WorkersError("Ray did not start")

    case.pool._opened = fail
    case.rounds_until("it says so", lambda: said)
    case.round()
    assert said == ["Ray did not start: the search continues in this process"]
    assert logging.getLogger("distsearch.workers.late").level == logging.NOTSET


def test_workers_that_come_too_late_are_released(started):
    case = started(0.0001)
    case.rounds_until("workers are asked for", case.asked.is_set)
    case.pool.close()
    case.may_open.set()
    awaited("the workers to be sent away", lambda: case.joining.closed)
    assert case.pool.count == 0


def test_measuring_and_noise_stay_local_until_workers_join():
    objective = network_objective("digits", (8,))
    strategy = create("evolution-strategy", {"rank": 0, "population": 33}, objective)
    state = strategy.init(objective.network.start("he", 0), 0)
    with LatePool(strategy, objective, Horizon(inf, inf), pytest.fail) as pool:
        assert pool.measure(state.center) == LocalPool(strategy, objective).measure(state.center)
        coefficients = np.linspace(-1, 1, 16, dtype=np.float32)
        expected = strategy.weighted_noise(state, coefficients)
        assert pool.weighted_noise(state, coefficients).tobytes() == expected.tobytes()


@pytest.mark.slow
def test_ray_workers_join_a_search_with_the_same_bytes(tmp_path, ray_with_three_cpus, monkeypatch):
    monkeypatch.setattr(late, "SHORTEST_ROUND", 0.0)  # the clock stands still: workers always pay
    monkeypatch.setattr(late, "START_SECONDS", 0.0)
    flags = {"data": "digits", "layers": [64, 32], "population": 400, "rounds": 20}
    workers = []

    def watch(row, state, count):
        workers.append(count)
        if row.round == 4:
            awaited("the workers", lambda: not any(thread.name == OPENING for thread in threading.enumerate()))

    path = search(tmp_path, watch, **{**flags, "workers": None})[0].path
    assert workers[0] == 0
    assert all(workers[6:])
    assert contents(path) == contents(search(tmp_path, **flags)[0].path)


@pytest.mark.slow
def test_a_session_of_many_searches_starts_ray_at_most_once_and_ends_it(tmp_path):
    program = (
        f"import sys; sys.path.append({str(Path(__file__).parents[1])!r})\n"
        "import numpy as np, distsearch\n"
        "from distsearch.workers.ray import cluster\n"
        "from processes import descendants; import os\n"
        "starts, start = [], cluster.start\n"
        "cluster.start = lambda *given: (starts.append(given), start(*given))\n"
        "f = lambda w: float(((w - 1) ** 2).sum())\n"
        "alone = distsearch.minimize(f, np.zeros(4), rounds=20)\n"
        "for workers in (1, 2, None):\n"
        "    found = distsearch.minimize(f, np.zeros(4), rounds=20, workers=workers)\n"
        "    assert found.weights.tobytes() == alone.weights.tobytes()\n"
        "print(len(starts), *(each.pid for each in descendants(os.getpid())))"
    )
    done = ran(cwd=tmp_path, program=program)
    assert done.returncode == 0, done.stderr
    starts, *family = map(int, done.stdout.split())
    assert starts == 1
    assert len(family) > 2
    awaited("its processes to end", lambda: not any(Path(f"/proc/{pid}").exists() for pid in family))
