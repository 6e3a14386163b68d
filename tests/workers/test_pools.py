"""What every pool of workers must do: the same bits, whoever computes them."""

from contextlib import contextmanager

import numpy as np
import pytest
from problems import create, network_objective, sphere, sphere_objective

from distsearch.errors import ObjectiveError, SettingError, WorkersError
from distsearch.machine import one_thread
from distsearch.problem.objective import FunctionObjective
from distsearch.strategies import STRATEGIES
from distsearch.workers.local import LocalWorkers

POOLS = ["local", "ray-1", "ray-2", "ray-3"]


@contextmanager
def opened(pool: str, strategy, objective, tell=lambda sentence: None):
    if pool == "local":
        with LocalWorkers(strategy, objective) as workers, one_thread():
            yield workers
        return
    from distsearch.workers.ray_pool import RayPool

    with RayPool(strategy, objective, int(pool[-1]), tell) as workers:
        yield workers


@pytest.fixture(params=POOLS)
def pool(request) -> str:
    if request.param != "local":
        request.getfixturevalue("ray_with_three_cpus")
    return request.param


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_answers_are_those_of_one_process_to_the_bit(pool, name):
    strategy = create(name, {"population": 50})
    objective = network_objective("digits", (64, 32))
    state = strategy.init(objective.network.start("he", 0), 0)
    with one_thread():
        expected = strategy.work(state, objective, 0, 50).losses
    with opened(pool, strategy, objective) as workers:
        answers = workers.evaluate(state)
        again = workers.evaluate(state)
    assert np.concatenate([answer.losses for answer in answers]).tobytes() == expected.tobytes()
    assert np.concatenate([answer.losses for answer in again]).tobytes() == expected.tobytes()


def test_the_work_is_shared_and_the_count_is_told(pool):
    strategy = create("hill-climb", {"population": 64})
    objective = network_objective("digits", (16,))
    with opened(pool, strategy, objective) as workers:
        state = strategy.init(objective.network.start("he", 0), 0)
        wanted = 0 if pool == "local" else int(pool[-1])
        rounds = 0
        while workers.count < wanted and rounds < 10_000:  # the search begins with the first worker that is ready
            workers.evaluate(state)
            rounds += 1
        answers = workers.evaluate(state)
        assert workers.count == wanted
    assert len(answers) >= max(1, wanted)


def test_what_the_objective_raises_is_told_and_not_tried_again(pool, tmp_path):
    calls = tmp_path / "calls"

    def broken(weights):
        with calls.open("a") as file:
            file.write("x")
        raise KeyError("no such thing")

    strategy = create("hill-climb", {"population": 2})
    with opened(pool, strategy, FunctionObjective(broken, 4)) as workers:
        state = strategy.init(np.zeros(4, np.float32), 0)
        with pytest.raises(ObjectiveError, match="the objective raised KeyError: 'no such thing'") as caught:
            workers.evaluate(state)
    assert calls.read_text() == "x"
    assert "\n" not in str(caught.value)


def test_a_large_state_goes_down_as_well_as_a_small_one(pool):
    strategy = create("hill-climb", {"population": 5})
    objective = FunctionObjective(lambda weights: float(((weights - 1) ** 2).sum()), 200_000)
    with opened(pool, strategy, objective) as workers:
        state = strategy.init(np.ones(200_000, np.float32), 0)
        losses = np.concatenate([answer.losses for answer in workers.evaluate(state)])
    assert losses[0] == 0
    assert (losses[1:] > 0).all()


def test_a_function_that_workers_cannot_load_ends_the_search_at_once(ray_with_three_cpus):
    from distsearch.workers.ray_pool import RayPool

    strategy = create("hill-climb", {})
    with pytest.raises(WorkersError, match="a worker could not start: .*No module named 'problems'"):
        RayPool(strategy, FunctionObjective(sphere, 3), 1, lambda sentence: None)


def test_more_workers_than_there_are_cores_are_refused(ray_with_three_cpus):
    from distsearch.workers.ray_pool import RayPool

    strategy = create("hill-climb", {})
    with pytest.raises(SettingError, match="workers.count: expected at most 3, .* got 4"):
        RayPool(strategy, sphere_objective(), 4, lambda sentence: None)
