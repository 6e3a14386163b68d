"""A Ray of our own that nobody else can use: it listens on loopback alone, and answers only to its own token.

Left to itself, Ray on Linux replaces 127.0.0.1 by the machine's external address, listens on every interface, and
writes its token, where it asks for one, to a file that everyone may read. What is done about it rests on Ray's
internals: pyproject.toml admits the versions on which tests/workers/ray/test_private.py has passed.
"""

import fcntl
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import ray
from ray._private import ray_constants
from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]  # compiled, without types

from distsearch.errors import WorkersError
from distsearch.workers.place import private_folders
from distsearch.workers.processes import descendants, is_running

LOOPBACK_ONLY = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # as on macOS: nodes of one cluster share one machine
AS_NICE_AS_WE = {"RAY_worker_niceness": "0"}  # by itself 15 more: beside another program, workers got a tenth of a core
PREFIX, TOKEN = "distsearch-ray-", "token"
FILES = "r"  # the folder in ours that Ray opens to all
TOKEN_BYTES = 32
SOCKET = f"/{PREFIX}12345678/{FILES}/session_2026-11-27_18-19-47_906815_4194304/sockets/plasma_store"
LONGEST_ADDRESS = 103  # bytes of a socket's path; 107 on Linux
LONGEST_END = 5.0  # seconds to wait for processes that are killed


class PrivateRay:
    """What keeps a Ray to ourselves, from before its start until after its end.

    `files` is the folder for its logs and sockets, which other users of this machine cannot enter: by itself Ray keeps
    them in folders that everyone may write to.
    """

    def __init__(self) -> None:
        _remove_those_left()
        self._folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_temporary()))  # of mode 0700
        private_folders.add(str(self._folder))
        self.remove = weakref.finalize(self, _remove, str(self._folder), os.getpid())
        """Removes what is on disk."""
        self.remove.atexit = False  # not before Ray has ended
        self._token = self._folder / TOKEN
        descriptor = os.open(self._token, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        self._file = open(descriptor, "w", encoding="ascii")  # noqa: SIM115  (open as long as this process lives)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._file.write(secrets.token_hex(TOKEN_BYTES))
        self._file.flush()
        self.files = self._folder / FILES
        self.files.mkdir()

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Start Ray within this block: its processes inherit where the token is, and that loopback is all there is.

        Raises WorkersError if the node was given an address beyond loopback all the same.
        """
        authentication = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self._token), "RAY_AUTH_TOKEN": None}
        clustered = ray_constants.ENABLE_RAY_CLUSTER  # read from the environment when Ray was imported
        ray_constants.ENABLE_RAY_CLUSTER = False
        try:
            with _environment(LOOPBACK_ONLY | AS_NICE_AS_WE | authentication):
                _read_environment()
                yield
        finally:
            ray_constants.ENABLE_RAY_CLUSTER = clustered
        address = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]  # Ray's, untyped
        if not ip_address(address).is_loopback:
            raise WorkersError(
                f"Ray {ray.__version__} would listen on {address}, where others can reach it: install a version that "
                "distsearch supports (see pyproject.toml), or search without it (--workers 0)"
            )

    def ending(self) -> None:
        """Let `ray.shutdown` end the processes that it has started all at once."""
        if (node := ray._private.worker._global_node) is not None and sys.platform == "linux":
            node.kill_all_processes = partial(_end_processes, node)

    def ended(self) -> None:
        """Remove what was on disk, once Ray has ended: a Ray that this process uses next has its own token."""
        self.remove()
        self._file.close()
        _read_environment()


def _remove(folder: str, process: int) -> None:
    """Remove the folder of a process; a child of it, made by fork, leaves it alone."""
    if os.getpid() != process:
        return
    shutil.rmtree(folder, ignore_errors=True)
    private_folders.discard(folder)


def _temporary() -> str:
    """The folder for temporary files; /tmp instead of one whose path is too long for Ray's sockets, or not ASCII."""
    usual = tempfile.gettempdir()
    fits = usual.isascii() and len(usual + SOCKET) <= LONGEST_ADDRESS
    return usual if fits or not os.access("/tmp", os.W_OK) else "/tmp"  # noqa: S108  (only its root)


def _remove_those_left() -> None:
    """Remove what ended processes have left: their tokens, locked before Ray's folder is made, are locked no more.

    A token is gone where Ray's own processes were still writing when the rest was removed.
    """
    for files in Path(_temporary()).glob(f"{PREFIX}*/{FILES}"):
        folder = files.parent
        with suppress(OSError):
            if folder.stat().st_uid == os.getuid() and not _is_held(folder / TOKEN):
                shutil.rmtree(folder, ignore_errors=True)


def _is_held(token: Path) -> bool:
    """Whether the process that made a token still runs."""
    try:
        with token.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _end_processes(node: Any, **_: Any) -> None:
    """End all processes that a node has started, and theirs.

    Ray would ask each in turn, and give it a second. There is nothing that they would have to put in order: their files
    are in a folder that is removed, and their memory has no name.
    """
    started = [each.process for some in node.all_processes.values() for each in some]
    for process in started:
        process.send_signal(signal.SIGSTOP)  # so that none of them starts another while they are counted
    others = descendants(process.pid for process in started)
    for pid in others:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for process in started:
        process.kill()
    for process in started:
        process.wait()
    node.all_processes.clear()
    until = time.monotonic() + LONGEST_END
    while time.monotonic() < until and any(map(is_running, others)):
        time.sleep(0.005)


def _read_environment() -> None:
    """Let Ray's core, which has read the environment already, read it again."""
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def _environment(variables: Mapping[str, str | None]) -> Iterator[None]:
    """These environment variables, None for absent ones; afterwards the environment is as it was."""
    before = {name: os.environ.get(name) for name in variables}
    _set(variables)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
