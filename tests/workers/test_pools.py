"""What every pool of workers must provide: the same bits, whoever computes them."""

import os
import platform
import re
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock, Thread

import numpy as np
import pytest
from problems import create, network_objective, sphere, told
from programs import ran
from waiting import PATIENCE, awaited

from distsearch.config import from_flags
from distsearch.errors import ObjectiveError, WorkersError
from distsearch.machine import description, one_thread
from distsearch.objectives.function import FunctionObjective
from distsearch.objectives.network import NetworkObjective
from distsearch.runs.checkpoints import flatten
from distsearch.search.assembly import assemble_function
from distsearch.strategies import STRATEGIES
from distsearch.strategies.base import losses_of
from distsearch.workers.areas import NoMemoryError
from distsearch.workers.dispatch.shortcuts import FIRST_RECHECK, LATEST, Shortcut
from distsearch.workers.lane import Board
from distsearch.workers.late import LatePool
from distsearch.workers.local import LocalPool
from distsearch.workers.ray.kinds import ALIKE, MachineKinds

pytestmark = pytest.mark.slow

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


@pytest.fixture(params=POOLS)
def pool(request) -> str:
    if request.param != "local":
        request.getfixturevalue("ray_with_three_cpus")
    return request.param


@pytest.mark.parametrize("name", STRATEGIES.own)
def test_a_round_gives_the_bits_of_a_single_process(pool, name):
    objective = network_objective("digits", (16,), batch=700)
    strategy = create(name, {}, objective)
    state = strategy.init(objective.network.start("he", 0), 0)
    with one_thread():
        alone = LocalPool(strategy, objective)
        losses = losses_of(alone.evaluate(state))
        expected = told(strategy, state, alone.evaluate(state))
        measured = alone.measure(state.center)
    with opened(pool, strategy, objective) as workers, one_thread():
        for _ in range(2):
            answers = workers.evaluate(state)
            assert losses_of(answers).tobytes() == losses.tobytes()
            assert flat(told(strategy, state, answers)) == flat(expected)
        assert workers.measure(state.center) == measured


def flat(state) -> dict[str, object]:
    tensors, scalars = flatten(state)
    return {name: tensor.tobytes() for name, tensor in tensors.items()} | scalars


def test_noise_sums_have_the_same_bits_whoever_computes_them(pool):
    objective = network_objective("digits", (16,))
    strategy = create("evolution-strategy", {"population": 200, "rank": 0}, objective)
    state = strategy.init(objective.network.start("he", 0), 0)
    coefficients = np.linspace(-1, 2, 100, dtype=np.float32)
    with one_thread():
        expected = strategy.weighted_noise(state, coefficients)
        assert expected == pytest.approx(coefficients @ strategy.noise(state, 0, 100), rel=1e-3, abs=1e-3)
    with opened(pool, strategy, objective) as workers, one_thread():
        sums = []
        for sums_here in (False, True):
            workers.driver_works = sums_here
            sums += [workers.weighted_noise(state, coefficients).tobytes() for _ in range(10)]
    assert set(sums) == {expected.tobytes()}


def test_the_work_is_shared_and_the_number_of_workers_reported(pool):
    strategy = create("hill-climb", {"population": 64})
    objective = network_objective("digits", (16,))
    with opened(pool, strategy, objective) as workers:
        state = strategy.init(objective.network.start("he", 0), 0)
        wanted = 0 if pool == "local" else int(pool[-1])
        joined(workers, wanted, state)
        answers = workers.evaluate(state)
        assert workers.count == wanted
    assert len(answers) >= max(1, wanted)


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


@HERE_OR_SHARED
def test_large_and_small_states_reach_the_workers(pool):
    strategy = create("hill-climb", {"population": 5})
    objective = FunctionObjective(lambda weights: float(((weights - 1) ** 2).sum()), 200_000)
    with opened(pool, strategy, objective) as workers:
        state = strategy.init(np.ones(200_000, np.float32), 0)
        losses = np.concatenate([answer.losses for answer in workers.evaluate(state)])
    assert losses[0] == 0
    assert (losses[1:] > 0).all()


def computed_here(strategy, objective, state) -> bytes:
    """The losses of a round without workers, on one thread as theirs are."""
    with one_thread():
        return losses_of(LocalPool(strategy, objective).evaluate(state)).tobytes()


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


def test_a_function_that_workers_cannot_unpickle_ends_the_search_at_once(ray_with_three_cpus):
    from distsearch.workers.ray.pool import RayPool

    strategy = create("hill-climb", {})
    with pytest.raises(WorkersError, match="a worker could not start: .*No module named 'problems'"):
        RayPool(strategy, FunctionObjective(sphere, 3), 1)


def test_workers_beyond_the_free_cores_of_a_running_ray_wait(ray_with_three_cpus, said):
    strategy = create("hill-climb", {"population": 50})
    objective = network_objective()
    state = strategy.init(objective.network.start("he", 0), 0)
    with opened("ray-4", strategy, objective) as workers:
        workers.driver_works = False
        for _ in range(50):
            workers.evaluate(state)
            assert 1 <= workers.count <= 3
    assert "the Ray cluster has room for 3 of 4 workers: the others start when it has more" in said


def test_more_workers_than_this_machine_has_cores_are_refused():
    program = (
        "from distsearch.workers.ray.pool import RayPool; from problems import create, sphere_objective;"
        "RayPool(create('hill-climb', {}), sphere_objective(), 1000)"
    )
    done = ran(cwd=Path(__file__).parents[1], program=program)
    assert re.search(r"workers.count: expected at most \d+, the cores of this machine, got 1000", done.stderr)


def test_a_search_on_a_cluster_without_a_free_core_waits_as_long_as_it_takes(ray_with_three_cpus, monkeypatch, said):
    from distsearch.workers.ray import pool as ray_pool

    monkeypatch.setattr(ray_pool, "QUIET_START", 0.2)
    strategy, objective = create("hill-climb", {}), network_objective()
    state = strategy.init(objective.network.start("he", 0), 0)
    looks: list[float] = []
    counts: list[int] = []

    def noted() -> float:
        looks.append(free_cpus())
        return looks[-1]

    def wait_in_line() -> None:
        with ray_pool.RayPool(strategy, objective, None) as workers:
            counts.append(workers.count)

    free_cpus = ray_pool.free_cpus
    line = Thread(target=wait_in_line, daemon=True)
    with opened("ray-3", strategy, objective) as others:
        joined(others, 3, state)
        monkeypatch.setattr(ray_pool, "free_cpus", noted)
        line.start()
        # Each look but the first comes later than a search would wait on its own.
        awaited("five looks for a free core", lambda: len(looks) >= 5 or counts)
        assert (counts, set(looks)) == ([], {0.0})
    line.join(PATIENCE)
    assert not line.is_alive()
    assert counts[0] >= 1
    assert said.count("the Ray cluster's CPUs (3) are all taken: the search begins when one is free") == 1


def test_a_ray_that_does_not_start_in_time_is_reported_in_a_sentence(tmp_path):
    """As on a machine that is too busy: Ray raises a bare Exception."""
    program = (
        "from distsearch.workers.ray import cluster\n"
        "def late(**options): raise Exception('The current node timed out during startup')\n"
        "cluster._init = late\n"
        "cluster.connect(1, 0)\n"
    )
    done = ran(cwd=tmp_path, program=program)
    sentence = "Ray did not start: The current node timed out during startup; --workers 0 searches without it"
    assert f"WorkersError: {sentence}" in done.stderr


@pytest.mark.parametrize("address", ["127.0.0.1:1", "http://127.0.0.1:1", "nonsense"])
def test_a_cluster_that_cannot_be_joined_is_reported_at_once(monkeypatch, address):
    from distsearch.workers.ray.cluster import connect

    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(
        WorkersError, match=f"a Ray cluster at RAY_ADDRESS={address}, but it cannot be joined"
    ) as caught:
        connect(None, 0)
    assert "unset RAY_ADDRESS to search on this machine alone" in str(caught.value)


@HERE_OR_SHARED
def test_the_workers_machines_are_reported_once_per_kind(pool):
    strategy = create("hill-climb", {})
    with opened(pool, strategy, network_objective()) as workers:
        machines = workers.machines
    if pool == "local":
        assert machines == ()
        return
    here = description()
    (machine,) = machines
    assert {name: machine[name] for name in ALIKE} == {name: here[name] for name in ALIKE}
    assert machine["host"] == platform.node()


def test_another_gpu_is_another_kind_of_machine():
    driver = {"processor": "A", "blas": "openblas 1 X", "numpy": "2.4", "device": "one", "host": "here", "node": "0"}
    kinds = MachineKinds(driver)
    assert kinds.add({**driver, "host": "there"}) == ""
    told = kinds.add({**driver, "device": "two"})
    assert "has A with openblas 1 X, two and NumPy 2.4, the driver on here A with openblas 1 X, one and" in told
    assert not kinds.alike
    assert kinds.seen[0]["device"] == "one"


class OnGpu(FunctionObjective):
    """As if a GPU computed it."""

    device = "a GPU"


def squares(weights):
    return float((weights**2).sum())


def test_workers_of_a_gpu_that_ray_does_not_know_of_are_refused(ray_with_three_cpus):
    strategy = create("hill-climb", {"population": 4})
    with pytest.raises(WorkersError, match="^expected a GPU for the workers, but Ray knows of none: --workers 0"):
        opened("ray-1", strategy, OnGpu(squares, 3)).__enter__()


@pytest.mark.parametrize(
    ("workers", "gpus", "share"), [(None, 2, 1), (1, 1, 1), (4, 1, 0.25), (3, 2, 0.5), (7, 1, 0.1428), (2, 4, 1)]
)
def test_workers_share_the_gpus_so_that_all_of_them_fit(workers, gpus, share):
    from distsearch.workers.ray.cluster import share_of_gpu

    assert share_of_gpu(workers, gpus) == share
    assert workers is None or gpus * int(1 / share) >= workers


def test_a_search_on_a_gpu_stays_in_this_process_unless_told_otherwise(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assembly = assemble_function(from_flags({"rounds": 1}), squares, np.ones(3, np.float32))
    assert isinstance(replace(assembly, objective=OnGpu(squares, 3)).pool(), LocalPool)
    with assembly.pool() as pool:
        assert isinstance(pool, LatePool)


def test_a_worker_that_differs_from_the_driver_is_reported_once():
    driver = {"processor": "A", "blas": "openblas 1 X", "numpy": "2.4", "host": "here", "node": "0"}
    kinds = MachineKinds(driver)
    assert kinds.add({**driver, "host": "there"}) == ""
    told = kinds.add({**driver, "processor": "B", "host": "elsewhere", "node": "1"})
    assert "a worker on elsewhere has B with openblas 1 X and NumPy 2.4, the driver on here A with" in told
    assert kinds.add({**driver, "processor": "B"}) == kinds.add({**driver, "numpy": "2.5"}) == ""
    assert [(each["processor"], each["numpy"], each["host"]) for each in kinds.seen] == [
        ("A", "2.4", "there"),
        ("B", "2.4", "elsewhere"),
        ("A", "2.5", "here"),
    ]
