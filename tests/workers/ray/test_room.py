"""Room for workers: cores, GPUs, and a Ray that starts or can be joined."""

import re
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from pools import joined, opened
from problems import create, network_objective
from programs import ran
from waiting import PATIENCE, awaited

from distsearch.config import from_flags
from distsearch.errors import WorkersError
from distsearch.objectives.function import FunctionObjective
from distsearch.search.assembly import assemble_function
from distsearch.workers.late import LatePool
from distsearch.workers.local import LocalPool

pytestmark = pytest.mark.slow


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
    done = ran(cwd=Path(__file__).parents[2], program=program)
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
    assert done.stderr.count("Ray has not started in time, as this machine is busy: starting it again") == 2


def test_a_ray_that_starts_at_the_second_try_is_used(tmp_path):
    program = (
        "import ray\n"
        "from distsearch.workers.ray import cluster\n"
        "starts, init = [], cluster._init\n"
        "def slow(**options):\n"
        "    starts.append(options['_temp_dir'])\n"
        "    if len(starts) == 1: raise Exception('The current node timed out during startup')\n"
        "    init(**options)\n"
        "cluster._init = slow\n"
        "cluster.connect(1, 0)\n"
        "print(len(set(starts)), ray.cluster_resources()['CPU'])\n"
    )
    done = ran(cwd=tmp_path, program=program)
    assert done.stdout.split() == ["2", "1.0"]


def test_a_start_that_nobody_waits_for_any_more_is_not_tried_again(tmp_path):
    program = (
        "from distsearch.workers.ray import cluster\n"
        "starts = []\n"
        "def slow(**options):\n"
        "    starts.append(1)\n"
        "    cluster.disconnect(wait=False)\n"
        "    raise Exception('The current node timed out during startup')\n"
        "cluster._init = slow\n"
        "try: cluster.connect(1, 0)\n"
        "except Exception: print(len(starts))\n"
    )
    assert ran(cwd=tmp_path, program=program).stdout == "1\n"


@pytest.mark.parametrize("address", ["127.0.0.1:1", "http://127.0.0.1:1", "nonsense"])
def test_a_cluster_that_cannot_be_joined_is_reported_at_once(monkeypatch, address):
    from distsearch.workers.ray.cluster import connect

    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(
        WorkersError, match=f"a Ray cluster at RAY_ADDRESS={address}, but it cannot be joined"
    ) as caught:
        connect(None, 0)
    assert "unset RAY_ADDRESS to search on this machine alone" in str(caught.value)


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
