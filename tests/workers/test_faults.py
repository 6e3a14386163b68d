"""Real faults against a real Ray: the search goes on, and its bytes are those of the undisturbed twin.

Each search is a program of its own (driver.py), told of by its output, so that Ray and the driver can be killed.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest
from processes import Process, alive, awaited, descendants, ray_workers

DRIVER = Path(__file__).parent / "driver.py"
ENDLESS = 1_000_000  # rounds
LONGEST_LIFE = 120.0  # seconds; a search that hangs is a failure, and no reason for the tests to hang
NODE = {"num_cpus": 1, "object_store_memory": 100 * 1024 * 1024, "include_dashboard": False}


class Driver:
    """A search in a process of its own."""

    def __init__(self, folder: Path, workers: str, rounds: int = ENDLESS, address: str = "") -> None:
        folder.mkdir()
        self.folder = folder
        self.said: list[str] = []
        self.machines: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, DRIVER, folder, workers, str(rounds)],
            env={**os.environ, **({"RAY_ADDRESS": address} if address else {})},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self._watchdog = Timer(LONGEST_LIFE, self._process.kill)
        self._watchdog.start()

    def workers(self) -> list[Process]:
        """The worker processes of its own Ray that have tried candidates."""
        return [each for each in ray_workers(self.pid) if self.has_heard_of(each)]

    def has_heard_of(self, worker: Process) -> bool:
        """Whether this process has tried candidates."""
        return (self.folder / str(worker.pid)).exists()

    def next_round(self) -> tuple[int, int]:
        """The number of the round that begins next, and of the workers that there are."""
        for line in self._process.stdout:
            if round_line := re.fullmatch(r"round (\d+) (\d+)\n", line):
                return int(round_line[1]), int(round_line[2])
            self._note(line)
        raise AssertionError("the search has ended")

    def rounds_until(self, condition, seconds: float = 60.0) -> None:
        """Follow the search until the condition holds for the number of workers in a round."""
        until = time.monotonic() + seconds
        while not condition(self.next_round()[1]):
            assert time.monotonic() < until, f"it did not come about within {seconds:g} s"

    def finish(self) -> tuple[int, str]:
        """End the search after its round: how many there were, and their digest."""
        (self.folder / "stop").touch()
        return self.ended()

    def ended(self) -> tuple[int, str]:
        """The number of rounds and their digest, at the end."""
        for line in self._process.stdout:
            self._note(line)
        assert self._process.wait(timeout=60) == 0
        return self.outcome

    def kill(self) -> None:
        """kill -9, if it has not ended."""
        self._watchdog.cancel()
        if self._process.poll() is None:
            self._process.kill()
        self._process.stdout.close()
        self._process.wait()

    def _note(self, line: str) -> None:
        kind, _, rest = line.strip().partition(" ")
        if kind == "said":
            self.said.append(rest)
        elif kind == "machine":
            self.machines.append(rest)
        elif kind == "done":
            self.outcome = int(rest.split()[0]), rest.split()[1]


@contextmanager
def driver(*arguments, **options) -> Iterator[Driver]:
    started = Driver(*arguments, **options)
    try:
        yield started
    finally:
        mourned = [each for each in descendants(started.pid) if each.state == "T"]
        started.kill()
        for each in alive(mourned):
            os.kill(each.pid, signal.SIGKILL)


def undisturbed(tmp_path: Path, rounds: int) -> tuple[int, str]:
    """The outcome of so many rounds in one process."""
    with driver(tmp_path / "twin", "0", rounds) as twin:
        return twin.ended()


@contextmanager
def cluster() -> Iterator:
    """A Ray cluster of one node with one core, to which more can be added, all on this machine."""
    from ray._common.utils import reset_ray_address
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args=NODE)
    try:
        yield started
    finally:
        for node in [*started.worker_nodes, started.head_node]:
            node.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)
        reset_ray_address()  # or a plain ray.init() on this machine would look for it


def raylet(node) -> int:
    (found,) = node.all_processes["raylet"]
    return found.process.pid


def test_workers_killed_in_mid_round_many_times(tmp_path):
    killed = 0
    with driver(tmp_path / "run", "2") as search:
        while killed < 10:
            search.next_round()
            for worker in search.workers()[: 1 + killed % 2]:  # now one, now both
                os.kill(worker.pid, signal.SIGKILL)
                killed += 1
        before = {each.name for each in search.folder.iterdir()}
        search.rounds_until(lambda _: {each.name for each in search.folder.iterdir()} - before)
        rounds, digest = search.finish()
    assert len(before) >= killed
    assert (rounds, digest) == undisturbed(tmp_path, rounds)


def test_a_hung_worker_is_overtaken_and_replaced(tmp_path):
    with driver(tmp_path / "run", "2") as search:
        search.rounds_until(lambda workers: len(search.workers()) == 2)
        hung, other = search.workers()
        os.kill(hung.pid, signal.SIGSTOP)
        for _ in range(5):
            search.next_round()
        search.rounds_until(lambda _: {each.pid for each in search.workers()} - {hung.pid, other.pid})
        rounds, digest = search.finish()
    assert not alive([hung])
    assert (rounds, digest) == undisturbed(tmp_path, rounds)


@pytest.mark.parametrize("fault", ["its raylet is killed", "all of it is killed", "all of it hangs"])
def test_a_lost_node_does_not_stop_the_search_before_ray_knows_of_it(tmp_path, fault):
    with cluster() as nodes:
        doomed = nodes.add_node(**NODE)
        with driver(tmp_path / "run", "all", address=nodes.address) as search:
            workers = awaited(lambda: ray_workers(raylet(doomed)))
            search.rounds_until(lambda count: count == 2 and search.has_heard_of(workers[0]))
            os.kill(raylet(doomed), signal.SIGSTOP if fault == "all of it hangs" else signal.SIGKILL)
            for worker in workers if fault != "its raylet is killed" else ():
                os.kill(worker.pid, signal.SIGSTOP if fault == "all of it hangs" else signal.SIGKILL)
            began = time.monotonic()
            for _ in range(10):
                search.next_round()
            assert time.monotonic() - began < 12, "it took as long as Ray takes to notice"
            search.rounds_until(lambda count: count == 1)
            rounds, digest = search.finish()
        for worker in alive(workers):  # orphans
            os.kill(worker.pid, signal.SIGKILL)
    assert (rounds, digest) == undisturbed(tmp_path, rounds)


def test_a_node_that_joins_in_mid_run_is_used(tmp_path):
    with cluster() as nodes, driver(tmp_path / "run", "all", address=nodes.address) as search:
        assert [search.next_round()[1] for _ in range(3)] == [1, 1, 1]
        joined = nodes.add_node(**NODE)
        search.rounds_until(lambda workers: workers == 2)
        search.rounds_until(lambda _: any(map(search.has_heard_of, ray_workers(raylet(joined)))))
        rounds, digest = search.finish()
    assert (rounds, digest) == undisturbed(tmp_path, rounds)


def test_no_more_workers_are_started_than_were_asked_for_and_those_that_find_no_room_wait_for_it(tmp_path):
    with cluster() as nodes, driver(tmp_path / "run", "2", address=nodes.address) as search:
        assert [search.next_round()[1] for _ in range(3)] == [1, 1, 1]
        nodes.add_node(**NODE)
        search.rounds_until(lambda workers: workers == 2)
        spare = nodes.add_node(**NODE)
        began = time.monotonic()
        search.rounds_until(lambda workers: workers != 2 or time.monotonic() - began > 3)  # three looks
        assert not ray_workers(raylet(spare))
        search.finish()
    assert search.said == ["the Ray cluster has room for 1 of 2 workers: the others start when it has more"]


def test_a_node_with_another_blas_kernel_is_named_once(tmp_path):
    with cluster() as nodes:
        nodes.add_node(**NODE, env_vars={"OPENBLAS_CORETYPE": "Nehalem"})
        nodes.add_node(**NODE, env_vars={"OPENBLAS_CORETYPE": "Nehalem"})
        with driver(tmp_path / "run", "all", address=nodes.address) as search:
            search.rounds_until(lambda workers: workers == 3)
            search.finish()
    (said,) = search.said
    assert re.search(r"not alike.*a worker on .* Nehalem .*the driver on ", said)
    assert len(search.machines) == 2
    assert sum("Nehalem" in machine for machine in search.machines) == 1


@pytest.mark.parametrize("state", ["well", "hung"])
def test_of_a_killed_driver_nothing_is_left(tmp_path, state):
    with driver(tmp_path / "run", "2") as search:
        search.rounds_until(lambda workers: len(search.workers()) == 2)
        if state == "hung":
            os.kill(search.workers()[0].pid, signal.SIGSTOP)
        family = [each for each in descendants(search.pid) if not re.match("ray::.*Agent", each.command)]
        assert {"gcs_server", "raylet"} <= {Path(each.command.split()[0]).name for each in family}
        search.kill()
        try:
            awaited(lambda: not alive(family), seconds=15)
        finally:
            for each in alive(family):
                os.kill(each.pid, signal.SIGKILL)


def test_of_a_driver_killed_on_a_cluster_no_worker_is_left(tmp_path):
    with cluster() as nodes, driver(tmp_path / "run", "all", address=nodes.address) as search:
        workers = awaited(lambda: ray_workers(raylet(nodes.head_node)))
        search.rounds_until(lambda _: search.has_heard_of(workers[0]))
        search.kill()
        awaited(lambda: not alive(workers), seconds=15)
