"""Real faults in a real Ray: the search continues, and its bytes are those of an undisturbed twin."""

import os
import re
import signal
from pathlib import Path

import pytest
from processes import alive, descendants, ray_workers
from waiting import awaited

from .searching import NODE, cluster, driver, raylet, undisturbed

pytestmark = pytest.mark.slow


def test_a_search_survives_many_workers_killed_during_rounds(tmp_path):
    killed = 0
    with driver(tmp_path / "run", "2") as search:
        while killed < 10:
            search.next_round()
            for worker in search.workers()[: 1 + killed % 2]:  # sometimes one, sometimes both
                os.kill(worker.pid, signal.SIGKILL)
                killed += 1
        before = set(os.listdir(search.folder))
        search.rounds_until("a new worker has worked", lambda _: set(os.listdir(search.folder)) - before)
        rounds, digest = search.finish()
    assert len(before) >= killed
    lost = re.findall(r"(a|\d+) workers? \w+ lost \(", " ".join(search.said))
    assert 0 < sum(1 if count == "a" else int(count) for count in lost) <= killed, search.said
    assert (rounds, digest) == undisturbed(tmp_path, rounds)


def test_a_hung_worker_is_overtaken_and_replaced(tmp_path):
    with driver(tmp_path / "run", "2") as search:
        search.rounds_until("both workers have worked", lambda _: len(search.workers()) == 2)
        hung, other = search.workers()
        os.kill(hung.pid, signal.SIGSTOP)
        for _ in range(5):
            search.next_round()
        others = {hung.pid, other.pid}
        search.rounds_until("a third worker has worked", lambda _: {each.pid for each in search.workers()} - others)
        rounds, digest = search.finish()
    assert not alive([hung])
    assert any("a worker was lost (it " in sentence for sentence in search.said)
    assert (rounds, digest) == undisturbed(tmp_path, rounds)


BLIND = {"health_check_failure_threshold": 1_000}
"""Ray's setting that a node is lost only after this many failed checks in a row, seconds apart."""


@pytest.mark.parametrize("fault", ["its raylet is killed", "all of it is killed", "all of it hangs"])
def test_a_lost_node_does_not_stall_the_search_before_ray_notices(tmp_path, fault):
    with cluster(_system_config=BLIND) as nodes:
        doomed = nodes.add_node(**NODE)
        with driver(tmp_path / "run", "all", address=nodes.address) as search:
            workers = awaited("the worker there", lambda: ray_workers(raylet(doomed)))
            search.rounds_until("it has worked", lambda count: count == 2 and search.has_heard_of(workers[0]))
            os.kill(raylet(doomed), signal.SIGSTOP if fault == "all of it hangs" else signal.SIGKILL)
            for worker in workers if fault != "its raylet is killed" else ():
                os.kill(worker.pid, signal.SIGSTOP if fault == "all of it hangs" else signal.SIGKILL)
            search.rounds_until("it is given up", lambda count: count == 1)
            looks = len(search.looks)
            search.rounds_until("the cluster was looked at again", lambda _: len(search.looks) > looks + 1)
            assert search.looks[-1] == 2, "Ray has noticed"
            rounds, digest = search.finish()
        for worker in alive(workers):  # orphans
            os.kill(worker.pid, signal.SIGKILL)
    assert (rounds, digest) == undisturbed(tmp_path, rounds)


def test_a_node_that_joins_during_a_run_is_used(tmp_path):
    with cluster() as nodes, driver(tmp_path / "run", "all", address=nodes.address) as search:
        assert [search.next_round()[1] for _ in range(3)] == [1, 1, 1]
        joined = nodes.add_node(**NODE)
        search.rounds_until("a second worker", lambda workers: workers == 2)
        search.rounds_until("it has worked", lambda _: any(map(search.has_heard_of, ray_workers(raylet(joined)))))
        rounds, digest = search.finish()
    assert (rounds, digest) == undisturbed(tmp_path, rounds)


def test_only_the_requested_workers_start_and_those_without_room_wait(tmp_path):
    with cluster() as nodes, driver(tmp_path / "run", "2", address=nodes.address) as search:
        assert [search.next_round()[1] for _ in range(3)] == [1, 1, 1]
        nodes.add_node(**NODE)
        search.rounds_until("a second worker", lambda workers: workers == 2)
        spare = nodes.add_node(**NODE)
        search.rounds_until("the third node was seen three times", lambda _: search.looks.count(3) == 3)
        assert search.next_round()[1] == 2
        assert not ray_workers(raylet(spare))
        search.finish()
    assert search.said == ["the Ray cluster has room for 1 of 2 workers: the others start when it has more"]


def test_a_node_with_another_blas_kernel_is_named_once(tmp_path):
    with cluster() as nodes:
        nodes.add_node(**NODE, env_vars={"OPENBLAS_CORETYPE": "Nehalem"})
        nodes.add_node(**NODE, env_vars={"OPENBLAS_CORETYPE": "Nehalem"})
        with driver(tmp_path / "run", "all", address=nodes.address) as search:
            search.rounds_until("three workers", lambda workers: workers == 3)
            search.finish()
    (said,) = search.said
    assert re.search(r"machines differ.*a worker on .* Nehalem .*the driver on ", said)
    assert len(search.machines) == 2
    assert sum("Nehalem" in machine for machine in search.machines) == 1


@pytest.mark.parametrize("state", ["well", "hung"])
def test_a_killed_driver_leaves_nothing_behind(tmp_path, state):
    with driver(tmp_path / "run", "2") as search:
        search.rounds_until("both workers have worked", lambda _: len(search.workers()) == 2)
        if state == "hung":
            os.kill(search.workers()[0].pid, signal.SIGSTOP)
        family = [each for each in descendants(search.pid) if not re.match("ray::.*Agent", each.command)]
        assert {"gcs_server", "raylet"} <= {Path(each.command.split()[0]).name for each in family}
        search.kill()
        try:
            awaited("all of its processes to end", lambda: not alive(family))
        finally:
            for each in alive(family):
                os.kill(each.pid, signal.SIGKILL)


def test_a_driver_killed_on_a_cluster_leaves_no_worker_behind(tmp_path):
    with cluster() as nodes, driver(tmp_path / "run", "all", address=nodes.address) as search:
        workers = awaited("a worker", lambda: ray_workers(raylet(nodes.head_node)))
        search.rounds_until("it has worked", lambda _: search.has_heard_of(workers[0]))
        search.kill()
        awaited("the worker to end", lambda: not alive(workers))
