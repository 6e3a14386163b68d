"""Brings up the cluster of docker-compose.yml, tests it under faults, and takes it down again.

What the containers may do and hold is looked at from outside and inside. Searches are sent as jobs while workers are
killed with -9, added and cut off from the network; jobs are stopped and resumed; and each run is compared byte for byte
with that of one process here. The cluster is one of its own, with a port and a folder of runs of its own: one that runs
already is left alone. Prints each step.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from cluster_confinement import confinement, packages
from compose_project import Compose, free_port, own_address, refused
from expectations import UnexpectedError, awaited, called, expect

AIM = 8.0  # seconds from submitting to the first round
DIGITS = ("--data", "digits", "--layers", "32", "--strategy", "hill-climb", "--population", "256")
ENDLESS = ("--seconds", "1000000")
FILES = ("best.safetensors", "checkpoint.safetensors", "losses.bin")
# From this machine, not the cluster's: where things are, and which kernels compute, on which the bits depend.
OURS = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE", "DISTSEARCH_RUNS")
ALIKE = "import json; from distsearch.machine import description; print(json.dumps(description()))"


class Cluster:
    """The cluster as its user sees it: jobs are sent to its port, and runs appear in a local folder."""

    def __init__(self, compose: Compose, folder: Path) -> None:
        self.compose = compose
        self.runs = folder / "runs"
        self.local = folder / "local"
        self.token = self.runs / ".cluster" / "token"
        self.url = f"http://127.0.0.1:{compose.port}"

    def distsearch(self, *arguments: str) -> list[str]:
        """A command line for this machine's distsearch."""
        return [sys.executable, "-m", "distsearch", *arguments]

    def submitting(self, job: str, *arguments: str) -> list[str]:
        """The command line that submits a search under a job's name."""
        door = ("--address", self.url, "--token-file", str(self.token))
        return self.distsearch("submit", *door, "--job", job, *arguments)

    def submit(self, job: str, *arguments: str) -> None:
        """Send a search, without waiting for it."""
        called(self.submitting(job, "--no-wait", "--", *arguments))

    def ask(self, command: str, *arguments: str) -> str:
        """The output of a command about the cluster's jobs."""
        return called(self.distsearch(command, "--address", self.url, "--token-file", str(self.token), *arguments))

    def rounds(self, run: str) -> int:
        """The number of rounds of a run recorded so far."""
        history = self.runs / run / "history.jsonl"
        return history.read_bytes().count(b"\n") if history.exists() else 0

    def wait_for_rounds(self, run: str, rounds: int = 5) -> int:
        """Wait until a run has this many more rounds than now; how many there are then."""
        goal = self.rounds(run) + rounds
        return awaited(f"{rounds} more rounds of {run}", lambda: (n := self.rounds(run)) >= goal and n)

    def twin(self, run: str, *arguments: str) -> Path:
        """The same search in one process of this machine."""
        called(self.distsearch("run", *arguments, "--workers", "0", "--name", run, "--runs", str(self.local)))
        return self.local / run

    def request(self, headers: dict[str, str], path: str = "/api/jobs/") -> int:
        """The status with which the cluster answers a request."""
        connection = HTTPConnection("127.0.0.1", self.compose.port, timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()


# the steps, in order; each raises UnexpectedError


def likeness(cluster: Cluster) -> str:
    """Check that the image has the same NumPy and BLAS as this machine, or bytes could not be compared."""
    there = json.loads(cluster.compose.inside("head", "python", "-c", ALIKE))
    here = json.loads(called([sys.executable, "-c", ALIKE]))
    for name in ("numpy", "blas", "processor"):
        hint = "run this with the Python of the image, from an environment that ./scripts/test has made"
        expect(there[name] == here[name], f"{name} is {there[name]} in the image and {here[name]} here: {hint}")
    return f"NumPy {here['numpy']}, {here['blas']}"


def door(cluster: Cluster) -> str:
    """Check who may connect, and where."""
    for headers in ({}, {"Authorization": "Bearer " + "0" * 64}):
        expect(cluster.request(headers) in (401, 403), "a request without the token is refused")
    secret = cluster.token.read_text()
    expect(cluster.request({"Authorization": f"Bearer {secret}"}) == 200, "a request with the token is answered")
    expect(cluster.compose.published() == [f"127.0.0.1:{cluster.compose.port}"], "one port is published, on loopback")
    outside = own_address()
    expect(refused(outside, cluster.compose.port), f"nothing answers at {outside}:{cluster.compose.port}")
    return f"one port, which answers on loopback and not at {outside}; without the token: 401"


def chapter(cluster: Cluster) -> str:
    """Run the course's search as a job and compare its bytes."""
    arguments = ("--rounds", "200")
    called(cluster.submitting("chapter", "--", "run", "--name", "chapter", *arguments))
    same(cluster.runs / "chapter", cluster.twin("chapter", *arguments))
    return "the same bytes as in one process"


def first_round(cluster: Cluster) -> str:
    """Seconds from submitting to the first round, on a cluster that has just had a job."""
    began = time.monotonic()
    command = cluster.submitting("quick", "--", "run", "--name", "quick", "--rounds", "50", "--verbose")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as job:
        seconds = next((time.monotonic() - began for line in job.stdout or () if "new best weights" in line), None)
        rest = job.communicate()[0]
    expect(seconds is not None and job.returncode == 0, f"a short job ends well: {rest}")
    return f"{seconds:.1f} s (aim: {AIM:g} s{', missed' if (seconds or 0) > AIM else ''})"


def metrics(cluster: Cluster) -> str:
    """Check what Prometheus would read."""
    read = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8080/metrics').read().decode())"
    names = ("best_loss", "rounds", "passes_per_second", "workers_alive", "shards_retried")

    def shown() -> bool:
        text = cluster.compose.inside("head", "python", "-c", read)
        return all(re.search(rf'^ray_distsearch_{name}{{.*run="shown".*}} ', text, re.MULTILINE) for name in names)

    cluster.submit("shown", "run", "--name", "shown", *ENDLESS)
    awaited("the gauges of a run in the metrics", shown)
    cluster.ask("stop", "shown")
    return ", ".join(names)


def sharing(cluster: Cluster) -> str:
    """Run several searches at once."""
    cluster.submit("one", "run", "--name", "one", "--workers", "1", *DIGITS, *ENDLESS)
    cluster.wait_for_rounds("one")
    cluster.submit("two", "run", "--name", "two", *DIGITS, *ENDLESS)
    cluster.wait_for_rounds("two")
    cluster.submit("three", "run", "--name", "three", *DIGITS, "--rounds", "20")
    awaited("the third search to say that it waits", lambda: "are all taken" in cluster.ask("logs", "three"))
    expect(cluster.rounds("three") == 0, "a search without a free core waits")
    cluster.wait_for_rounds("one")
    cluster.wait_for_rounds("two")
    cluster.ask("stop", "one")
    cluster.ask("stop", "two")
    awaited("the third search to end", lambda: (cluster.runs / "three" / "result.json").exists())
    same(cluster.runs / "three", cluster.twin("three", *DIGITS, "--rounds", "20"))
    return "two at once, a third in line, which then has its turn"


def faults(cluster: Cluster) -> str:
    """Kill, add and disconnect workers in mid-run; stop, resume and fetch the search."""
    compose, run = cluster.compose, "digits"
    cluster.submit(run, "run", "--name", run, *DIGITS, *ENDLESS)
    cluster.wait_for_rounds(run)
    first, second = compose.containers("worker")
    compose.docker("kill", "--signal", "KILL", first)
    say(f"  killed a worker with -9; it went on to round {cluster.wait_for_rounds(run)}")
    compose.up("--scale", "worker=3")
    awaited("three workers", lambda: len(compose.healthy("worker")) == 3)
    awaited("the search to use all three", lambda: "3 workers" in cluster.ask("logs", run))
    say(f"  a third has joined, and the first again, by round {cluster.wait_for_rounds(run)}")
    compose.docker("network", "disconnect", compose.network, second)
    say(f"  cut one off from the network; it went on to round {cluster.wait_for_rounds(run, 20)}")
    cluster.ask("stop", run)
    rounds = cluster.rounds(run)
    say(f"  stopped after round {rounds}, with a checkpoint")
    called(cluster.submitting(f"{run}-2", "--", "resume", run, "--rounds", "20"))
    expect(cluster.rounds(run) == rounds + 20, "the resumed search has done 20 more rounds")
    fetched = cluster.local / "fetched"
    cluster.ask("fetch", run, "--to", str(fetched))
    twin = cluster.twin(run, *DIGITS, "--rounds", str(rounds + 20))
    same(cluster.runs / run, twin)
    same(fetched / run, twin)
    return f"{rounds + 20} rounds, resumed and fetched: the same bytes as in one process"


def secrecy(cluster: Cluster) -> str:
    """Check that the token is nowhere but in its file."""
    secret = cluster.token.read_text()
    expect(cluster.token.stat().st_mode & 0o077 == 0, "nobody else can read the token's file")
    expect(secret not in cluster.compose.logs(), "the token is not in the containers' logs")
    expect(secret not in cluster.compose.image(), "the token is not in the image")
    cluster.submit("secret", "run", "--name", "secret", *ENDLESS)
    cluster.wait_for_rounds("secret")
    seek = "grep -Ff $RAY_AUTH_TOKEN_PATH"
    where = f"cat /proc/[0-9]*/environ 2>/dev/null | {seek} -ac; {seek} -rls /tmp/ray; true"
    for service in ("head", "worker"):
        found = cluster.compose.inside(service, "sh", "-c", where)
        expect(found == "0\n", f"the token is in no environment and no file of the {service}, but it is: {found}")
        expect(cluster.compose.inside(service, "id", "-u") != "0\n", f"the {service} does not run as root")
    cluster.ask("stop", "secret")
    expect(secret not in cluster.ask("logs", "secret"), "the token is not in a job's log")
    return "in no environment, log, session or image; nothing runs as root"


def sent(cluster: Cluster) -> str:
    """Run a job with a data file from this machine, and publish it to storage."""
    data, stored = cluster.local / "points.csv", cluster.runs / "stored"
    cluster.local.mkdir(exist_ok=True)
    data.write_text("x,y,label\n" + "".join(f"{i / 60},{i % 7},{'ab'[i % 7 > i / 60]}\n" for i in range(600)))
    arguments = ("--data", str(data), "--rounds", "20")
    called(cluster.submitting("sent", "--", "run", "--name", "sent", *arguments, "--storage", "/runs/stored"))
    same(cluster.runs / "sent", cluster.twin("sent", *arguments))
    expect((stored / "sent" / "index.json").exists(), "the run is in the storage")
    kept = "ls -d /tmp/ray/session_latest/runtime_resources/working_dir_files/*/ 2>/dev/null; true"
    awaited("the job's files to go", lambda: not cluster.compose.inside("head", "sh", "-c", kept))
    return "the same bytes as in one process; published, and nothing of the file is left in /tmp"


STEPS: dict[str, Callable[[Cluster], str]] = {
    "confinement": lambda cluster: confinement(cluster.compose),
    "packages": lambda cluster: packages(cluster.compose),
    "likeness": likeness,
    "door": door,
    "chapter": chapter,
    "submit to first round": first_round,
    "metrics": metrics,
    "sharing": sharing,
    "faults": faults,
    "sent": sent,
    "secrecy": secrecy,
}


def same(path: Path, other: Path) -> None:
    """Raise UnexpectedError unless two runs are the same, ignoring times."""
    different = [name for name in FILES if (path / name).read_bytes() != (other / name).read_bytes()]
    different += ["history.jsonl"] if timeless(path) != timeless(other) else []
    expect(not different, f"{path.name} is the same as in one process; different: {', '.join(different)}")


def timeless(path: Path) -> list[dict[str, object]]:
    """The history without the times, and without the checksums, which cover them."""
    rows = [json.loads(line) for line in (path / "history.jsonl").read_bytes().splitlines()]
    return [{name: value for name, value in row.items() if name not in ("seconds", "check")} for row in rows]


def say(sentence: str) -> None:
    print(f"cluster: {sentence}", flush=True)


@contextmanager
def up() -> Iterator[Cluster]:
    """The cluster with two workers, from an image of this folder; all of it is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="distsearch-cluster-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        os.environ["UID"], os.environ["GID"] = str(os.getuid() or 1000), str(os.getgid() or 1000)
        compose = Compose(f"distsearch-test-{os.getpid()}", free_port(), folder / "runs")
        try:
            began = time.monotonic()
            compose.build()
            say(f"image built in {time.monotonic() - began:.0f} s")
            began = time.monotonic()
            compose.up()
            awaited("a head and two workers", lambda: len(compose.healthy("head") + compose.healthy("worker")) == 3)
            say(f"a head and two workers are up after {time.monotonic() - began:.0f} s, at 127.0.0.1:{compose.port}")
            yield Cluster(compose, folder)
        except UnexpectedError:
            print(compose.logs(), file=sys.stderr)
            raise
        finally:
            compose.down()
            say("taken down")


def main() -> None:
    parser = argparse.ArgumentParser(prog="test-cluster", description=__doc__)
    parser.add_argument("--only", choices=STEPS, action="append", help="a step; repeat for more of them")
    chosen = parser.parse_args().only or list(STEPS)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # so that everything is taken down
    for name in [name for name in os.environ if name in OURS or name.startswith("OPENBLAS_")]:
        del os.environ[name]
    try:
        with up() as cluster:
            for name in chosen:
                began = time.monotonic()
                said = STEPS[name](cluster)
                say(f"{name}: {said} [{time.monotonic() - began:.0f} s]")
    except UnexpectedError as failure:
        sys.exit(f"cluster: failed: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
    say("all passed" if chosen == list(STEPS) else "these passed")


if __name__ == "__main__":
    main()
