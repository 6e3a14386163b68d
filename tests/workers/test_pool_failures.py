"""What the user is told when the objective fails, or cannot be sent to workers."""

import re
from threading import Lock

import numpy as np
import pytest
from pools import HERE_OR_SHARED, opened
from problems import create, network_objective, sphere

from distsearch.errors import ObjectiveError, WorkersError
from distsearch.objectives.function import FunctionObjective
from distsearch.objectives.network import NetworkObjective

pytestmark = pytest.mark.slow


def test_an_exception_in_the_objective_is_reported_and_not_retried(pool, tmp_path):
    calls = tmp_path / "calls"

    def broken(weights):
        with calls.open("a") as file:
            file.write(f"{weights.tobytes().hex()}\n")
        raise KeyError("no such thing")

    strategy = create("hill-climb", {"population": 2})
    with opened(pool, strategy, FunctionObjective(broken, 4)) as workers:
        state = strategy.init(np.zeros(4, np.float32), 0)
        with pytest.raises(ObjectiveError, match="the objective raised KeyError: 'no such thing'") as caught:
            workers.evaluate(state)
    candidates = calls.read_text().split()
    assert len(candidates) == len(set(candidates)) >= 1
    assert re.search(rf"such thing' \({re.escape(__file__)}, line \d+\)$", str(caught.value))
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("error", [SystemExit("no licence"), KeyboardInterrupt()])
def test_a_function_that_ends_its_process_is_reported_like_one_that_fails(ray_with_three_cpus, error):
    def ending(weights):
        raise error

    strategy = create("hill-climb", {"population": 2})
    sentence = rf"the objective raised {type(error).__name__}(: no licence)? \({re.escape(__file__)}, line \d+\)$"
    raised = pytest.raises(ObjectiveError, match=sentence)
    with opened("ray-1", strategy, FunctionObjective(ending, 4)) as workers, raised:
        workers.evaluate(strategy.init(np.zeros(4, np.float32), 0))


@HERE_OR_SHARED
def test_an_exception_that_cannot_be_pickled_is_reported_too(pool):
    class UnpicklableError(Exception):
        def __init__(self, first, second):
            super().__init__(f"{first} and {second}")

    def broken(weights):
        raise UnpicklableError("one", "two")

    strategy = create("hill-climb", {"population": 2})
    raised = pytest.raises(ObjectiveError, match="the objective raised UnpicklableError: one and two")
    with opened(pool, strategy, FunctionObjective(broken, 4)) as workers, raised:
        workers.evaluate(strategy.init(np.zeros(4, np.float32), 0))


@HERE_OR_SHARED
def test_an_internal_error_is_not_blamed_on_the_user(pool):
    class Faulty(NetworkObjective):
        def losses(self, candidates, round_number):
            raise ZeroDivisionError("ours")

    objective = network_objective()
    objective.__class__ = Faulty
    strategy = create("hill-climb", {"population": 2})
    with opened(pool, strategy, objective) as workers, pytest.raises(ZeroDivisionError, match="^ours$") as caught:
        workers.evaluate(strategy.init(objective.network.start("he", 0), 0))
    assert pool == "local" or "in losses" in str(caught.value.__cause__)  # including the worker's traceback


def test_a_function_that_cannot_be_pickled_is_refused_with_the_variable_s_name(ray_with_three_cpus):
    lock = Lock()

    def locking(weights):
        with lock:
            return float(weights.sum())

    strategy = create("hill-climb", {"population": 2})
    with pytest.raises(ObjectiveError) as caught, opened("ray-1", strategy, FunctionObjective(locking, 4)):
        pass
    assert re.fullmatch(
        "the variable lock of locking, which is <unlocked _thread.lock object at .*>, cannot be sent to workers: "
        "create it inside the function, or search in this process with --workers 0",
        str(caught.value),
    )
    assert isinstance(caught.value.__cause__, TypeError)


def test_a_function_that_workers_cannot_unpickle_ends_the_search_at_once(ray_with_three_cpus):
    from distsearch.workers.ray.pool import RayPool

    strategy = create("hill-climb", {})
    with pytest.raises(WorkersError, match="a worker could not start: .*No module named 'problems'"):
        RayPool(strategy, FunctionObjective(sphere, 3), 1)
