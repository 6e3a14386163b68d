"""A real Ray cluster on loopback for the tests: a head without CPUs, a node with two, and a token."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from processes import alive, descendants
from waiting import awaited

START = ["-m", "ray.scripts.scripts", "start", "--block", "--node-ip-address=127.0.0.1"]


class Cluster(NamedTuple):
    """Its address, how to get in, and where it keeps runs."""

    address: str
    token_file: Path
    runs: Path


@contextmanager
def running(programs: Path, **variables: str) -> Iterator[Cluster]:
    """A cluster run by the Python in this folder, where its jobs find their programs too; it ends with the block."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="ray-"))  # short, since paths of sockets are limited
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        token = folder / "token"
        token.write_text(secrets.token_hex(32) + "\n")
        token.chmod(0o600)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
            "PATH": f"{programs}:{os.defpath}",
            "HOME": str(folder),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            **variables,
        }
        ports = free_ports(5)
        head = [f"--port={ports[0]}", f"--dashboard-port={ports[1]}", f"--dashboard-agent-listen-port={ports[2]}"]
        head += ["--dashboard-host=127.0.0.1", f"--ray-client-server-port={ports[4]}", f"--temp-dir={folder / 'ray'}"]
        node = [f"--address=127.0.0.1:{ports[0]}", f"--dashboard-agent-listen-port={ports[3]}"]
        memory = f"--object-store-memory={100 * 1024 * 1024}"
        start = [str(programs / "python"), *START, memory]
        commands = [[*start, "--head", "--num-cpus=0", *head], [*start, "--num-cpus=2", *node]]
        log = stack.enter_context((folder / "log").open("wb"))
        for command, door in zip(commands, (ports[1], ports[3]), strict=True):
            started = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
            stack.callback(_end, started)
            awaited("a node to listen", lambda door=door, node=started: node.poll() is not None or _open(door))
            assert started.poll() is None, (folder / "log").read_text()
        runs = variables.get("DISTSEARCH_RUNS", str(folder / "distsearch-runs"))
        cluster = Cluster(f"http://127.0.0.1:{ports[1]}", token, Path(runs))
        awaited("the head and the node to be alive", lambda: _nodes(cluster) == 2)
        yield cluster


def free_ports(count: int) -> list[int]:
    """Free ports on loopback."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _open(port: int) -> bool:
    with socket.socket() as door:
        return door.connect_ex(("127.0.0.1", port)) == 0


def _nodes(cluster: Cluster) -> int:
    """The nodes that are alive."""
    headers = {"Authorization": f"Bearer {cluster.token_file.read_text().strip()}"}
    request = urllib.request.Request(f"{cluster.address}/nodes?view=summary", headers=headers)  # noqa: S310  (http)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            summary = json.load(answer)["data"]["summary"]
    except OSError:
        return 0
    return sum(each["raylet"].get("state") == "ALIVE" for each in summary)


def _end(started: subprocess.Popen[bytes]) -> None:
    """End a node and everything it has started."""
    family = descendants(started.pid)
    started.terminate()
    try:
        started.wait(10)
    except subprocess.TimeoutExpired:
        started.kill()
        started.wait()
    for process in alive(family):
        os.kill(process.pid, 9)


def foreign_environment(folder: Path) -> Path:
    """An environment with everything this one has except distsearch: the folder of its programs."""
    venv.create(folder, with_pip=False, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "distsearch" not in path.name and not (packages / path.name).exists():
            (packages / path.name).symlink_to(path)
    return folder / "bin"
