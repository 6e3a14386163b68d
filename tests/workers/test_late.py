"""A search begins in its own process; workers join it in mid-run, if they will pay, to the same bits."""

import logging
import os
import subprocess
import sys
import threading
import time
from math import inf
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from problems import create, network_objective
from processes import awaited
from searches import contents, search

from distsearch.errors import WorkersError
from distsearch.objectives.function import FunctionObjective
from distsearch.strategies.base import losses_of
from distsearch.workers import late
from distsearch.workers.late import Horizon, LatePool
from distsearch.workers.local import LocalPool
from distsearch.workers.place import OPENING


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(late, "LOOK_SECONDS", 0.01)


NEVER = Horizon()


class Joining(LocalPool):
    """A pool that says how often it was asked, and for what."""

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
    """A late pool over a function that takes so many seconds, and what comes to join it."""

    def __init__(self, seconds: float, horizon: Horizon = NEVER, population: int = 200) -> None:
        self.seconds = seconds
        objective = FunctionObjective(self.loss, 3)
        objective.tiling = objective.tiling._replace(candidates=10)
        self.strategy = create("hill-climb", {"population": population}, objective)
        self.state = self.strategy.init(np.zeros(3, np.float32), 0)
        self.joining = Joining(self.strategy, objective)
        self.may_open, self.asked = Event(), Event()
        self.pool = LatePool(self.strategy, objective, horizon, self.open)
        self.expected = losses_of(LocalPool(self.strategy, FunctionObjective(sphere, 3)).evaluate(self.state)).tobytes()

    def loss(self, weights):
        if self.seconds:
            time.sleep(self.seconds)
        return sphere(weights)

    def open(self):
        self.asked.set()
        assert self.may_open.wait(60)
        return self.joining

    def round(self) -> None:
        assert losses_of(self.pool.evaluate(self.state)).tobytes() == self.expected


def sphere(weights) -> float:
    return float(np.square(weights - 1).sum())


def test_rounds_are_here_until_workers_have_come_and_there_afterwards():
    case = Case(0.0001)
    while not case.asked.is_set():
        case.round()
    case.round()
    assert (case.pool.count, case.joining.ranges) == (0, [])
    case.may_open.set()
    awaited(lambda: case.pool._arrived is not None)
    case.round()
    assert (case.pool.count, case.joining.ranges) == (2, [(0, 200)])
    case.pool.close()
    assert case.joining.closed


def test_workers_that_come_in_mid_round_take_over_the_rest_of_it():
    case = Case(0.01)
    case.may_open.set()
    case.round()
    ((begin, end),) = case.joining.ranges
    assert 0 < begin < end == 200
    assert begin % 10 == 0


@pytest.mark.parametrize(
    ("seconds", "horizon"),
    [(0.0, NEVER), (0.0001, Horizon(rounds=3)), (0.0001, Horizon(seconds=5))],
    ids=["short rounds", "few rounds", "few seconds"],
)
def test_nobody_is_asked_where_it_would_not_pay(seconds, horizon):
    case = Case(seconds, horizon, population=200 if seconds else 5)
    for _ in range(20):
        case.round()
    assert not case.asked.is_set()
    case.pool.close()
    awaited(lambda: not any(thread.name == OPENING for thread in threading.enumerate()))


def test_nobody_is_asked_to_share_what_cannot_be_divided():
    case = Case(0.001)
    case.pool.objective.tiling = case.pool.objective.tiling._replace(candidates=200)
    for _ in range(3):
        case.round()
    assert not case.asked.is_set()
    case.pool.close()


def test_workers_that_cannot_start_are_no_reason_to_stop(said):
    case = Case(0.0001)

    def fail():
        raise WorkersError("Ray did not start")

    case.pool._opened = fail
    until = time.monotonic() + 60
    while not said and time.monotonic() < until:
        case.round()
    case.round()
    assert said == ["Ray did not start: the search continues in this process"]
    assert logging.getLogger("distsearch.workers.late").level == logging.NOTSET


def test_workers_that_come_too_late_are_sent_away():
    case = Case(0.0001)
    while not case.asked.is_set():
        case.round()
    case.pool.close()
    case.may_open.set()
    awaited(lambda: case.joining.closed)
    assert case.pool.count == 0


def test_measuring_and_noise_are_here_until_then():
    objective = network_objective("digits", (8,))
    strategy = create("evolution-strategy", {"rank": 0, "population": 33}, objective)
    state = strategy.init(objective.network.start("he", 0), 0)
    with LatePool(strategy, objective, Horizon(inf, inf), pytest.fail) as pool:
        assert pool.measure(state.center) == LocalPool(strategy, objective).measure(state.center)
        coefficients = np.linspace(-1, 1, 16, dtype=np.float32)
        expected = strategy.weighted_noise(state, coefficients)
        assert pool.weighted_noise(state, coefficients).tobytes() == expected.tobytes()


@pytest.mark.slow
def test_ray_s_workers_join_a_search_to_the_same_bytes(tmp_path, ray_with_three_cpus):
    flags = {"data": "digits", "layers": [64, 32], "population": 400, "rounds": 150}
    workers = []
    path = search(tmp_path, lambda row, state, count: workers.append(count), **{**flags, "workers": None})[0].path
    assert workers[0] == 0
    assert workers[-1] > 0
    assert contents(path) == contents(search(tmp_path, **flags)[0].path)


@pytest.mark.slow
def test_a_session_of_many_searches_starts_ray_at_most_once_and_ends_it_with_itself(tmp_path):
    program = (
        "import numpy as np, distsearch; from distsearch.workers import late\n"
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
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    starts, *family = map(int, done.stdout.split())
    assert starts == 1
    assert len(family) > 2
    awaited(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family))
