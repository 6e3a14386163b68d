"""Searches in separate processes (driver.py), followed by their output, so that Ray and the driver can be killed."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import programs
from processes import Process, alive, descendants, ray_workers
from waiting import PATIENCE

RUN = f"import runpy; runpy.run_path({str(Path(__file__).parent / 'driver.py')!r}, run_name='__main__')"
ENDLESS = 1_000_000  # rounds
NODE = {"num_cpus": 1, "object_store_memory": 100 * 1024 * 1024, "include_dashboard": False}


class Driver:
    """A search in a separate process."""

    def __init__(self, folder: Path, workers: str, rounds: int = ENDLESS, address: str = "") -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.said: list[str] = []
        self.machines: list[str] = []
        self.looks: list[int] = []  # the CPUs it saw in the cluster, each time it looked
        self._stack = ExitStack()
        environment = {**os.environ, **({"RAY_ADDRESS": address} if address else {})}
        started = programs.started(str(folder), workers, str(rounds), cwd=folder, program=RUN, environment=environment)
        self._process = self._stack.enter_context(started)
        self.pid = self._process.pid

    def workers(self) -> list[Process]:
        """The worker processes of its own Ray that have evaluated candidates."""
        return [each for each in ray_workers(self.pid) if self.has_heard_of(each)]

    def has_heard_of(self, worker: Process) -> bool:
        """Whether this process has evaluated candidates."""
        return (self.folder / str(worker.pid)).exists()

    def next_round(self, awaited: str = "its next round") -> tuple[int, int]:
        """The number of the next round to begin, and the number of workers."""
        for line in self._process.stdout:
            if round_line := re.fullmatch(r"round (\d+) (\d+)\n", line):
                return int(round_line[1]), int(round_line[2])
            self._note(line)
        raise AssertionError(f"the search ended, or was ended, before {awaited}: {self._process.stderr.read()}")

    def next_said(self) -> str:
        """The next message to its user before its next round."""
        for line in self._process.stdout:
            self._note(line)
            if line.startswith("said "):
                return self.said[-1]
            assert not line.startswith("round"), "it has said nothing"
        raise AssertionError(f"the search ended, or was ended, before it said anything: {self._process.stderr.read()}")

    def rounds_until(self, what: str, condition: Callable[[int], object]) -> None:
        """Follow the search until the named condition holds for the number of workers in a round."""
        while not condition(self.next_round(what)[1]):
            pass

    def finish(self) -> tuple[int, str]:
        """End the search after the current round: the number of rounds and their digest."""
        (self.folder / "stop").touch()
        return self.ended()

    def ended(self) -> tuple[int, str]:
        """The number of rounds and their digest once the search has ended."""
        for line in self._process.stdout:
            self._note(line)
        assert self._process.wait(PATIENCE) == 0, self._process.stderr.read()
        return self.outcome

    def kill(self) -> None:
        """kill -9, if it has not ended."""
        self._stack.close()

    def _note(self, line: str) -> None:
        kind, _, rest = line.strip().partition(" ")
        if kind == "said":
            self.said.append(rest)
        elif kind == "machine":
            self.machines.append(rest)
        elif kind == "cpus":
            self.looks.append(int(rest))
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
    """The outcome of this many rounds in one process."""
    with driver(tmp_path / "twin", "0", rounds) as twin:
        return twin.ended()


@contextmanager
def cluster(**options) -> Iterator:
    """A Ray cluster of one node on this machine, with one core unless the options say otherwise; more can be added."""
    from ray._common.utils import reset_ray_address
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args=NODE | options)
    try:
        yield started
    finally:
        for node in [*started.worker_nodes, started.head_node]:
            node.kill_all_processes(check_alive=False, allow_graceful=False, wait=True)
        reset_ray_address()  # otherwise a plain ray.init() on this machine would find it


def raylet(node) -> int:
    (found,) = node.all_processes["raylet"]
    return found.process.pid
