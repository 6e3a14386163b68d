"""The way a round takes: here if it is short, through the lanes or, without memory for them, through Ray."""

import os
import time

import numpy as np
import pytest
from pools import computed_here, opened
from problems import create, network_objective
from waiting import awaited

from distsearch.machine import description, one_thread
from distsearch.objectives.function import FunctionObjective
from distsearch.strategies.base import losses_of
from distsearch.workers.areas import NoMemoryError
from distsearch.workers.dispatch.shortcuts import FIRST_RECHECK, LATEST, Shortcut
from distsearch.workers.lane import Board
from distsearch.workers.ray.crew import Crew

pytestmark = pytest.mark.slow


class Short(Shortcut):
    """A shortcut on a virtual clock: a sweep takes 1 ms here, and 3 ms until the workers have answered."""

    __slots__ = ()

    def done(self, seconds):
        assert seconds >= 0
        super().done(0.001)

    def answered(self, seconds, worked):
        assert seconds >= 0
        assert worked > 0
        super().answered(0.003, 0.001)


def test_the_driver_does_very_short_rounds_itself_with_the_same_bits_while_workers_join(
    ray_with_three_cpus, said, monkeypatch
):
    from distsearch.workers.ray import pool as ray_pool

    monkeypatch.setattr(ray_pool, "Shortcut", Short)
    strategy, objective = create("hill-climb", {"population": 4}), network_objective()
    state = strategy.init(objective.network.start("he", 0), 0)
    expected = computed_here(strategy, objective, state)
    with opened("ray-3", strategy, objective) as workers, one_thread():

        def third_has_come() -> bool:
            assert losses_of(workers.evaluate(state)).tobytes() == expected
            return workers.count == 3

        awaited("a third worker", third_has_come)
        shares, sweeps = [], LATEST + FIRST_RECHECK  # before they are tried again
        for _ in range(sweeps):
            before = workers.worked
            assert losses_of(workers.evaluate(state)).tobytes() == expected
            shares.append(workers.worked > before)
        before = workers.worked
        workers.measure(state.center)
        assert workers.worked > before  # work of another kind is new to them too
        assert workers.count == 3
    assert shares == [True] * LATEST + [False] * (sweeps - LATEST)  # for this many workers it was new
    assert said.count("rounds are short: searching in this process (same result)") == 1


@pytest.mark.parametrize("why", ["a function of the user's own", "a worker that is not like the driver"])
def test_even_short_rounds_go_to_the_workers_where_the_driver_must_not_compute(ray_with_three_cpus, why):
    foreign = why.startswith("a function")
    strategy = create("hill-climb", {"population": 4})
    objective = FunctionObjective(lambda weights: float((weights**2).sum()), 21) if foreign else network_objective()
    state = strategy.init(np.ones(21, np.float32), 0)
    with opened("ray-1", strategy, objective) as workers, one_thread():
        if not foreign:
            workers._kinds.add({**description(), "processor": "another", "host": "there", "node": "1"})
        for _ in range(30):
            before = workers.worked
            workers.evaluate(state)
            assert workers.worked > before


NO_MEMORY = "no shared memory (No space left on device): workers are reached through Ray instead (same result)"


def test_without_memory_in_the_driver_workers_are_reached_through_ray(ray_with_three_cpus, said, monkeypatch):
    strategy, objective = create("hill-climb", {"population": 64}), network_objective("digits", (16,))
    state = strategy.init(objective.network.start("he", 0), 0)
    expected = computed_here(strategy, objective, state)
    posts, post = [], Board.post

    def fail_later(board, *parcel):
        posts.append(parcel)
        if len(posts) == 3:
            raise NoMemoryError("No space left on device")
        return post(board, *parcel)

    monkeypatch.setattr(Board, "post", fail_later)
    with opened("ray-2", strategy, objective) as workers, one_thread():
        workers.driver_works = False
        for _ in range(8):
            assert losses_of(workers.evaluate(state)).tobytes() == expected
    assert len(posts) == 3
    assert said.count(NO_MEMORY) == 1


def test_a_worker_whose_lane_is_closed_while_it_works_answers_through_ray(
    ray_with_three_cpus, said, tmp_path, monkeypatch
):
    """One worker's memory fails while the other works: that has an answer to send, and nobody to send it to."""

    def unlike(weights):
        def come(name):
            for _ in range(6000):
                if (tmp_path / name).exists():
                    return
                time.sleep(0.01)
            raise TimeoutError(name)

        def full(*_):
            raise OSError("No space left on device")

        try:
            os.mkdir(tmp_path / "fails")  # whoever is first
            come("works")
            os.posix_fallocate = full
        except FileExistsError:
            if not (tmp_path / "works").exists():
                (tmp_path / "works").touch()
                come("closed")
        return float((weights**2).sum())

    def closing(crew, reason):
        close(crew, reason)
        (tmp_path / "closed").touch()

    close = Crew._do_without_lanes
    monkeypatch.setattr(Crew, "_do_without_lanes", closing)

    strategy = create("hill-climb", {"population": 64})
    state = strategy.init(np.ones(10, np.float32), 0)
    objective = FunctionObjective(lambda weights: float((weights**2).sum()), 10)
    expected = computed_here(strategy, objective, state)
    with opened("ray-2", strategy, FunctionObjective(unlike, 10)) as workers:
        for _ in range(4):
            assert losses_of(workers.evaluate(state)).tobytes() == expected
    assert said.count(NO_MEMORY) == 1


def test_without_memory_in_a_worker_all_workers_are_reached_through_ray(ray_with_three_cpus, said):
    def greedy(weights):
        def full(*_):
            raise OSError("No space left on device")

        os.posix_fallocate = full  # in the worker, which then has no memory for its first answer
        return float((weights**2).sum())

    strategy = create("hill-climb", {"population": 64})
    state = strategy.init(np.ones(10, np.float32), 0)
    objective = FunctionObjective(lambda weights: float((weights**2).sum()), 10)
    expected = computed_here(strategy, objective, state)
    with opened("ray-2", strategy, FunctionObjective(greedy, 10)) as workers:
        for _ in range(8):
            assert losses_of(workers.evaluate(state)).tobytes() == expected
    assert said.count(NO_MEMORY) == 1
