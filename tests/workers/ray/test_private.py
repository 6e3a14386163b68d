"""While a search runs, only its own processes can reach its Ray."""

import fcntl
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import pytest
from processes import Process, alive, descendants, ray_workers
from sockets import listening
from waiting import PATIENCE, awaited

from distsearch.workers.processes import is_running
from distsearch.workers.ray.private import LOOPBACK_ONLY

pytestmark = pytest.mark.slow

STRANGER = """
import sys, ray
ray.init(address=sys.argv[1], logging_level="ERROR", log_to_driver=False)
print("ran", ray.get(ray.remote(lambda: 7).options(num_cpus=0).remote()))
"""


class Running(NamedTuple):
    """A running search and what it has started."""

    driver: int
    home: Path

    def family(self) -> list[Process]:
        return descendants(self.driver)

    def gcs(self) -> tuple[str, int]:
        """The address of the cluster's head, as its processes know it."""
        commands = (each.command.split() for each in self.family())
        told = next(word for command in commands for word in command if word.startswith("--gcs-address="))
        host, _, port = told.partition("=")[2].rpartition(":")
        return host, int(port)

    def token(self) -> Path:
        """The path of the token file, as the workers know it."""
        variables = Path(f"/proc/{ray_workers(self.driver)[0].pid}/environ").read_text().split("\0")
        return Path(dict(each.partition("=")[::2] for each in variables)["RAY_AUTH_TOKEN_PATH"])


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("search")
    home = folder / "home"
    home.mkdir()
    flags = [
        "--workers",
        "2",
        "--rounds",
        "1000000000",
        "--data",
        "digits",
        "--layers",
        "64",
        "--strategy",
        "hill-climb",
        "--population",
        "256",
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "distsearch", "run", *flags, "--name", "a"],
        cwd=folder,
        env=environment | {"HOME": str(home), "RAY_ADDRESS": "local"},  # Ray's word for no cluster
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    family: list[Process] = []
    try:
        history = folder / "runs" / "a" / "history.jsonl"
        awaited("the first round", lambda: process.poll() is not None or history.exists())
        awaited("both workers", lambda: len(ray_workers(process.pid)) == 2)
        family = descendants(process.pid)
        yield Running(process.pid, home)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
        awaited("all of its processes to end", lambda: not alive(family))


def stranger(address: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Another program that tries to run something on the cluster at this address, which may be a loopback one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | LOOPBACK_ONLY
    return subprocess.run(
        [sys.executable, "-c", STRANGER, address],
        env=environment | {"RAY_NUM_REDIS_GET_RETRIES": "1"} | variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_every_process_listens_only_on_loopback(running):
    family = running.family()
    sockets = listening([running.driver, *(each.pid for each in family)])
    commands = {each.pid: each.command for each in family}
    owners = " ".join(commands.get(owner, "driver") for owner in sockets.values())
    assert all(word in owners for word in ("driver", "gcs_server", "raylet", "ray::RayWorker"))
    assert [str(address) for address, _ in sockets if not address.is_loopback] == []


def test_workers_are_as_nice_as_the_program_that_they_work_for(running):
    assert {os.getpriority(os.PRIO_PROCESS, each.pid) for each in ray_workers(running.driver)} == {
        os.getpriority(os.PRIO_PROCESS, running.driver)
    }


def test_a_wildcard_socket_would_be_noticed():
    with socket.create_server(("0.0.0.0", 0)) as opened:  # noqa: S104  (that is the point)
        port = opened.getsockname()[1]
        assert [address.is_loopback for address, at in listening([os.getpid()]) if at == port] == [False]


def test_nothing_answers_at_the_external_address(running):
    external = socket.gethostbyname(socket.gethostname())
    if ip_address(external).is_loopback:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))  # sends nothing: the system only chooses a source address
            external = probe.getsockname()[0]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((external, running.gcs()[1]), timeout=10)


@pytest.mark.parametrize(
    "variables",
    [{"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "ab" * 32}],
    ids=["no-token", "another-token"],
)
def test_another_program_on_this_machine_is_refused(running, variables, tmp_path):
    host, port = running.gcs()
    done = stranger(f"{host}:{port}", HOME=str(tmp_path), **variables)
    assert done.returncode != 0
    assert "ran" not in done.stdout


def test_a_program_with_the_token_is_let_in(running):
    host, port = running.gcs()
    done = stranger(f"{host}:{port}", RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(running.token()))
    assert done.stdout == "ran 7\n", done.stderr


def environment(process: Process) -> bytes:
    """The environment of a process; empty once it has ended."""
    try:
        return Path(f"/proc/{process.pid}/environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def test_the_token_is_readable_only_by_the_user_and_appears_nowhere_else(running):
    token = running.token()
    secret = token.read_text()
    assert len(bytes.fromhex(secret)) == 32
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert stat.S_IMODE(token.parent.stat().st_mode) == 0o700  # and so nobody else gets at Ray's files and sockets
    family = running.family()
    environments = {each.pid: environment(each) for each in family}
    assert str(token).encode() in b"".join(environments.values())
    assert [each for each in family if secret in each.command or secret.encode() in environments[each.pid]] == []
    commands = " ".join(each.command for each in running.family()).split()
    logs = Path(next(word for word in commands if word.startswith("--log_dir=")).partition("=")[2])
    written = [path for path in logs.rglob("*") if path.is_file()]
    assert written
    assert token.parent in logs.parents
    assert [word for word in commands if "/plasma_store" in word and str(token.parent) not in word] == []
    assert [path for path in written if secret.encode() in path.read_bytes()] == []
    assert not (running.home / ".ray").exists()


WITH_HELPERS = {
    "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
}
"""For scripts that import what tests share."""


def run(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a separate process, since what it does to Ray would affect later tests."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | variables
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return done


def test_afterwards_everything_is_as_before_and_the_token_is_gone():
    run(
        """
import os, pathlib, ray
from ray._raylet import AuthenticationTokenLoader
from distsearch.workers.ray import cluster

inside = {}
ray.init = lambda **options: inside.update(os.environ)
ray.shutdown = lambda: None
ray.util.get_node_ip_address = lambda: "127.0.0.1"
environment, prints = dict(os.environ), ray._private.worker.print_to_stdstream
cluster.start(1, 0)
assert dict(os.environ) == environment
assert ray._private.worker.print_to_stdstream is not prints
assert "RAY_AUTH_TOKEN" not in inside
token = pathlib.Path(inside["RAY_AUTH_TOKEN_PATH"])
assert token.exists()
cluster.disconnect()
assert not token.parent.exists()
assert ray._private.worker.print_to_stdstream is prints
assert AuthenticationTokenLoader.instance().has_token(ignore_auth_mode=True)  # the one from the environment
""",
        RAY_AUTH_TOKEN="cd" * 32,
    )


def test_a_ray_that_listens_beyond_loopback_is_stopped_and_refused():
    run(
        """
import ray
from distsearch.errors import WorkersError
from distsearch.workers.ray import cluster

ended = []
ray.init = lambda **options: None
ray.shutdown = lambda: ended.append(True)
ray.util.get_node_ip_address = lambda: "192.0.2.2"
try:
    cluster.start(1, 0)
except WorkersError as error:
    assert "would listen on 192.0.2.2" in str(error)
else:
    raise AssertionError("it was not refused")
assert ended
"""
    )


def test_searches_in_two_threads_share_one_ray_and_find_what_they_find_alone():
    run(
        """
from concurrent.futures import ThreadPoolExecutor
import distsearch

def search(seed, workers=1):
    settings = {"seed": seed, "workers": workers, "rounds": 5}
    found = distsearch.minimize(lambda weights: float((weights**2).sum()), [1.0, 2.0], **settings)
    return found.weights.tobytes()

with ThreadPoolExecutor(2) as threads:
    together = list(threads.map(search, [0, 1]))
assert together == [search(0, 0), search(1, 0)]
"""
    )


def test_a_ray_ends_at_once_with_all_that_it_has_started_and_had_on_disk(tmp_path):
    run(
        """
import os, pathlib, ray
from processes import alive, descendants
from distsearch.workers.ray import cluster

cluster.start(2, 100_000_000)
actors = [ray.remote(max_restarts=0)(type("Idle", (), {"there": lambda self: True})).remote() for _ in range(2)]
assert ray.get([each.there.remote() for each in actors]) == [True, True]
session = pathlib.Path(ray._private.worker._global_node.get_session_dir_path())
folder = cluster._private._folder
family = descendants(os.getpid())
assert session.exists() and folder.exists() and len(family) > 5
cluster.disconnect()
assert not alive(family), alive(family)
assert not session.exists() and not folder.exists()
cluster.start(1, 100_000_000)  # and another one may begin
assert ray.get(ray.remote(lambda: 7).remote()) == 7
session = ray._private.worker._global_node.get_session_dir_path()
print(session)
assert os.path.exists(session)
""",
        **WITH_HELPERS,
    )


def test_a_program_that_ends_while_ray_is_starting_says_nothing_and_leaves_no_process(temporary):
    done = run(
        """
import os, threading, time
from processes import descendants
from distsearch.workers.ray import cluster

threading.Thread(target=cluster.start, args=(1, 100_000_000), daemon=True).start()
while len(family := descendants(os.getpid())) < 3:
    time.sleep(0.01)
assert not cluster._started.done()
print(*(each.pid for each in family))
""",
        TMPDIR=str(temporary),
        **WITH_HELPERS,
    )
    assert done.stderr == ""
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) >= 3
    awaited("the end of Ray's processes", lambda: not any(map(is_running, pids)))


def test_a_child_that_ends_leaves_the_folder_to_its_parent():
    run(
        """
import os, sys
from distsearch.workers.ray.private import PrivateRay

private = PrivateRay()
if os.fork() == 0:
    sys.exit()
os.wait()
assert private.files.exists()
"""
    )


def test_what_a_killed_process_has_left_is_removed_at_the_next_start(temporary):
    left, used, starting = (temporary / f"distsearch-ray-{name}" for name in ("left", "used", "starting"))
    for folder in (left, used, starting):
        folder.mkdir()
        (folder / "token").write_text("secret")
    for folder in (left, used):
        (folder / "r").mkdir()
    (temporary / "distsearch-ray-written" / "r").mkdir(parents=True)  # to by Ray, after the token was removed
    with (used / "token").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        run("from distsearch.workers.ray.private import PrivateRay; PrivateRay()", TMPDIR=str(temporary))
    assert sorted(temporary.iterdir()) == [starting, used]


@pytest.mark.parametrize(("name", "fits"), [("", True), ("é", False), ("x" * 60, False)])
def test_a_folder_for_temporary_files_that_cannot_hold_ray_s_sockets_is_not_taken(temporary, name, fits):
    (temporary / name).mkdir(exist_ok=True)
    taken = repr(str(temporary)) if fits else "'/tmp'"
    private = "from distsearch.workers.ray.private import PrivateRay"
    run(f"{private}; assert str(PrivateRay().files.parents[1]) == {taken}", TMPDIR=str(temporary / name))
