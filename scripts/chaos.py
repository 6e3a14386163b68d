"""Searches on Ray while its worker processes and its driver are killed at random with -9, resuming each time.

In the end the run is compared with one of as many rounds in one process, which nobody disturbed: weights, state, losses
and history, times aside. Prints `identical`, or what differs. Only processes below the driver are killed: its Ray is
its own.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

NAME = "chaos"
SETTINGS = ("--data", "digits", "--layers", "32", "--strategy", "hill-climb", "--population", "256")
LONGEST_LIFE = 12.0  # seconds of a driver: as it saves after five, it is resumed from the beginning and from later
FILES = ("best.safetensors", "checkpoint.safetensors", "losses.bin")
SLOWEST_START = 240.0  # seconds; a driver that has not begun to search by then is stuck


class Chaos:
    """A run and its current driver."""

    def __init__(self, folder: Path, workers: int, dice: random.Random) -> None:
        self.folder = folder
        self.path = folder / "runs" / NAME
        self._workers = str(workers)
        self._dice = dice
        self._driver = self._start("run", *SETTINGS, "--workers", self._workers, "--name", NAME, *endless())
        self._begun_at = 0  # rounds in the history when the driver started

    def disturb(self, seconds: float) -> None:
        """Kill a worker now and then, for a while, and then the driver, over and over; from the first checkpoint on."""
        self._wait_for_rounds()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._wait_for_rounds()
            life = min(until, time.monotonic() + self._dice.uniform(1.0, LONGEST_LIFE))
            while time.monotonic() < life:
                time.sleep(self._dice.uniform(0.3, 1.2))
                self._kill_a_worker()
            if time.monotonic() < until:
                self._kill_the_driver()
                self._resume()

    def stop(self) -> int:
        """End the search as Ctrl-C does; the number of rounds."""
        self._wait_for_rounds()
        self._driver.send_signal(signal.SIGINT)
        if self._driver.wait(timeout=60) != 130:
            raise SystemExit(f"chaos: expected the driver to end with 130, it ended with {self._driver.returncode}")
        rounds = self._rounds()
        say(f"stopped at round {rounds:,}")
        return rounds

    def close(self) -> None:
        """End the driver if it is still running; its Ray ends with it."""
        if self._driver.poll() is None:
            self._driver.kill()
        self._driver.wait()

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
        return subprocess.Popen(
            [sys.executable, "-m", "distsearch", *arguments],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _resume(self) -> None:
        """Resume from the last checkpoint."""
        self._driver = self._start("resume", NAME, *endless())
        self._begun_at = self._cut_back()
        say(f"resumed at round {self._begun_at:,}")

    def _cut_back(self) -> int:
        """Wait until the resumed driver has truncated the history to its checkpoint; the rounds left."""
        before = self._rounds()
        until = time.monotonic() + SLOWEST_START
        while self._rounds() == before and not workers_of(self._driver.pid):
            self._check(until)
            time.sleep(0.01)
        return min(before, self._rounds())

    def _wait_for_rounds(self) -> None:
        """Wait until the driver has searched and saved, as resuming needs a checkpoint."""
        until = time.monotonic() + SLOWEST_START
        while self._rounds() <= self._begun_at or not (self.path / FILES[1]).exists():
            self._check(until)
            time.sleep(0.05)

    def _check(self, until: float) -> None:
        if self._driver.poll() is not None:
            raise SystemExit(f"chaos: the driver ended by itself, with exit code {self._driver.returncode}")
        if time.monotonic() > until:
            raise SystemExit(f"chaos: no round within {SLOWEST_START:g} s")

    def _kill_a_worker(self) -> None:
        if workers := workers_of(self._driver.pid):
            victim = self._dice.choice(workers)
            os.kill(victim, signal.SIGKILL)
            say(f"killed worker {victim} at round {self._rounds():,}")

    def _kill_the_driver(self) -> None:
        self._driver.kill()
        self._driver.wait()
        say(f"killed the driver at round {self._rounds():,}")

    def _rounds(self) -> int:
        history = self.path / "history.jsonl"
        return history.read_bytes().count(b"\n") if history.exists() else 0


def endless() -> tuple[str, str]:
    return "--seconds", "1000000"


def workers_of(driver: int) -> list[int]:
    """The worker processes of the Ray that this process started: children of its raylets."""
    parents = dict(parents_of_all())
    raylets = {pid for pid, parent in parents.items() if parent == driver}
    return sorted(pid for pid, parent in parents.items() if parent in raylets and is_worker(pid))


def parents_of_all() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                yield int(path.name), int((path / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # it has ended meanwhile
                continue


def is_worker(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::RayWorker")
    except OSError:
        return False


def twin(folder: Path, rounds: int) -> Path:
    """An undisturbed run of this many rounds, in one process."""
    say(f"searching the same {rounds:,} rounds in one process, undisturbed")
    command = [sys.executable, "-m", "distsearch", "run", *SETTINGS, "--workers", "0", "--name", "quiet"]
    subprocess.run([*command, "--rounds", str(rounds)], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    return folder / "runs" / "quiet"


def differences(path: Path, other: Path) -> list[str]:
    """The names of the parts in which two runs differ, ignoring times."""
    different = [name for name in FILES if (path / name).read_bytes() != (other / name).read_bytes()]
    return different + (["history.jsonl"] if timeless(path) != timeless(other) else [])


def timeless(path: Path) -> list[dict[str, object]]:
    """The history without the times, and without the checksums, which cover them."""
    rows = [json.loads(line) for line in (path / "history.jsonl").read_bytes().splitlines()]
    return [{name: value for name, value in row.items() if name not in ("seconds", "check")} for row in rows]


def say(sentence: str) -> None:
    print(sentence, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="of disturbance (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="Ray workers (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of who is killed when (%(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="distsearch-chaos-") as name:
        folder = Path(name)
        chaos = Chaos(folder, arguments.workers, random.Random(arguments.seed))  # noqa: S311  (no secret)
        try:
            chaos.disturb(arguments.seconds)
            rounds = chaos.stop()
        finally:
            chaos.close()
        if different := differences(chaos.path, twin(folder, rounds)):
            raise SystemExit(f"different: {', '.join(different)}")
        say("identical")


if __name__ == "__main__":
    main()
