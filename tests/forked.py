"""The program in a process of its own, without the half second that Python takes to import what it needs.

A server with one thread imports the modules that every command needs, once for all tests of a process of pytest. Each
command is then a fork of it, and has what a user's process has: its own memory, its streams, its working directory, its
environment, its exit code. What depends on how Python starts needs a process that is started, not forked.
"""

import atexit
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from threading import Timer

from waiting import PATIENCE

MEASURED = "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"  # coverage counts lines of processes that are started
AVAILABLE = sys.platform == "linux" and not any(
    name in os.environ for name in MEASURED
)  # macOS's libraries cannot fork
LONGEST_REQUEST = 1 << 18  # bytes

_IMPORTED = (
    "distsearch.cli.app",
    "distsearch.cli.console",
    "distsearch.cli.faults",
    "distsearch.cli.progress",
    "distsearch.cli.tables",
    "distsearch.search.assembly",
    "distsearch.search.resumption",
    "distsearch.search.session",
    "distsearch.workers.local",
)


_ENVIRONMENT = dict(os.environ)  # as programs.ENVIRONMENT: before a test changes it


def run(arguments: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """The completed program. It is killed if it hangs, or if the test ends before it does: its code is -9 then."""
    server = _server()
    request = json.dumps([list(arguments), str(cwd), dict(environment)]).encode()
    with ExitStack() as stack:
        ours, theirs = zip(os.pipe(), os.pipe(), strict=True)
        outputs = [stack.enter_context(open(end, encoding="utf-8")) for end in ours]
        try:
            socket.send_fds(server, [request], theirs)
        finally:
            for end in theirs:
                os.close(end)
        pid = _number(server)
        watchdog = Timer(PATIENCE, _kill, [pid])
        watchdog.start()
        stack.callback(watchdog.cancel)
        with ThreadPoolExecutor(len(outputs)) as readers:
            texts = [readers.submit(output.read) for output in outputs]
            try:
                stdout, stderr = (text.result() for text in texts)
            except BaseException:  # such as pytest-timeout's
                _kill(pid)
                raise
            finally:
                code = _number(server)
    return subprocess.CompletedProcess(list(arguments), code, stdout, stderr)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # it has just ended
        os.kill(pid, signal.SIGKILL)


def _number(server: socket.socket) -> int:
    answer = server.recv(64)
    assert answer, "the server of forks has ended: its error is above"
    return int(answer)


@cache
def _server() -> socket.socket:
    """The connection to this process's server, which ends when the connection does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST_REQUEST)
    folder = str(Path(__file__).parent)
    program = f"import sys; sys.path.insert(0, {folder!r}); import forked; forked.main({theirs.fileno()})"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        pass_fds=[theirs.fileno()],
        cwd="/",
        env=_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
    )
    theirs.close()
    atexit.register(_end, ours, process)
    return ours


def _end(connection: socket.socket, process: subprocess.Popen[bytes]) -> None:
    connection.close()
    process.wait(PATIENCE)


def main(end: int) -> None:
    """Serve until the connection with this descriptor is closed; in a fork, run what was asked for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for pytest, which closes the connection
    for name in _IMPORTED:
        importlib.import_module(name)
    _import_what_typer_imports_late()
    with socket.socket(fileno=end) as connection:
        request = _fork_for_each(connection)
    if request is None:
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    arguments, cwd, environment = request
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:2] = [cwd]  # instead of this file's folder and the "" of -c, as -m has it
    sys.argv[1:] = arguments
    runpy.run_module("distsearch", run_name="__main__", alter_sys=True)


def _import_what_typer_imports_late() -> None:
    from typer.main import get_command

    from distsearch.cli.app import application

    get_command(application(()))


def _fork_for_each(connection: socket.socket) -> list | None:
    """In a fork: the request, with its streams open. In the server: None, once there are no more requests."""
    while True:
        message, ends, *_ = socket.recv_fds(connection, LONGEST_REQUEST, 2)
        if not message:
            return None
        if (pid := os.fork()) == 0:
            _use(ends)
            return json.loads(message)
        for end in ends:
            os.close(end)
        connection.send(str(pid).encode())
        connection.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def _use(ends: Sequence[int]) -> None:
    """Make these descriptors stdout and stderr, opened as Python opens pipes."""
    for end, name, buffering in zip(ends, ("stdout", "stderr"), (-1, 1), strict=True):
        stream = getattr(sys, name)
        os.dup2(end, stream.fileno())
        os.close(end)
        encoding = {"encoding": stream.encoding, "errors": stream.errors}
        opened = open(stream.fileno(), "w", buffering=buffering, closefd=False, **encoding)  # noqa: SIM115
        setattr(sys, name, opened)
        setattr(sys, f"__{name}__", opened)
