"""The program, or Python source, in a process of its own without the seconds that Python takes to import what it needs.

A server with one thread imports the modules that every command needs, once for all tests of a process of pytest. Each
program is then a fork of it, and has what a user's process has: its own memory, its streams, its working directory, its
environment, its exit code. What depends on how Python starts needs a process that is started, not forked.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Timer
from typing import Any

from waiting import LONGEST_LIFE, PATIENCE

MEASURED = "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"  # coverage counts lines of processes that are started
AVAILABLE = sys.platform == "linux" and not any(
    name in os.environ for name in MEASURED
)  # macOS's libraries cannot fork
LONGEST_REQUEST = 1 << 18  # bytes
_NUMBER_BYTES = 4

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
    "sklearn.datasets",  # two seconds of CPU, for whoever searches its data
)

ENVIRONMENT = dict(os.environ)  # the server's, as programs.ENVIRONMENT: before a test changes it


class Program:
    """A forked program, with what tests use of `subprocess.Popen`; `source` is Python to run instead of distsearch."""

    def __init__(self, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], source: str = "") -> None:
        self.args, self.returncode = list(arguments), None
        request = json.dumps([self.args, str(cwd), dict(environment), source]).encode()
        with ExitStack() as stack:
            ours, theirs = zip(os.pipe(), os.pipe(), os.pipe(), strict=True)
            for end in theirs:
                stack.callback(os.close, end)
            self.stdout, self.stderr = (open(end, encoding="utf-8") for end in ours[:2])  # noqa: SIM115
            self._news = open(ours[2], "rb", buffering=0)  # noqa: SIM115  (its id, and in the end its exit code)
            socket.send_fds(_server(), [request], theirs)
        self.pid = self._number()

    def _number(self) -> int:
        number = self._news.read(_NUMBER_BYTES)
        assert number, "the server of forks has ended: its error is above"
        return int.from_bytes(number, signed=True)

    def poll(self) -> int | None:
        """Its exit code, or minus the signal that has killed it; None while it runs."""
        if self.returncode is None and select.select([self._news], [], [], 0)[0]:
            self.returncode = self._number()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code once it has ended. subprocess.TimeoutExpired if that takes longer than these seconds."""
        if self.returncode is None and not select.select([self._news], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(self.args, timeout)
        code = self.poll()
        assert code is not None
        return code

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it writes to stdout and stderr until it has ended."""
        with ThreadPoolExecutor(2) as readers:
            texts = [readers.submit(output.read) for output in (self.stdout, self.stderr)]
            try:
                stdout, stderr = (text.result(timeout) for text in texts)
            except BaseException:  # such as pytest-timeout's: the readers go on until the program has ended
                self.kill()
                raise
        self.wait(timeout)
        return stdout, stderr

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it is known to have ended."""
        if self.poll() is None:
            _send(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Close its streams."""
        for stream in (self.stdout, self.stderr, self._news):
            stream.close()


@contextmanager
def running(
    arguments: Sequence[str],
    cwd: Path,
    environment: Mapping[str, str],
    source: str = "",
    patience: float = LONGEST_LIFE,
) -> Iterator[Program]:
    """A program that is killed at the end of the block, or after that many seconds, unless it has ended by itself."""
    program = Program(arguments, cwd, environment, source)
    watchdog = Timer(patience, _send, [program.pid, signal.SIGKILL])
    watchdog.start()
    try:
        yield program
    finally:
        watchdog.cancel()
        program.kill()
        program.wait()
        program.close()


def run(
    arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], source: str = ""
) -> subprocess.CompletedProcess[str]:
    """The completed program. It is killed if it hangs, or if the test ends before it does: its code is -9 then."""
    with running(arguments, cwd, environment, source, PATIENCE) as program:
        stdout, stderr = program.communicate()
        return subprocess.CompletedProcess(program.args, program.wait(), stdout, stderr)


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):  # it has just ended
        os.kill(pid, number)


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
        env=ENVIRONMENT,
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
    imported: set[str] = set()
    atexit.register(_leave_in_memory, imported)  # before anything else is registered: it is called last
    for name in _IMPORTED:
        importlib.import_module(name)
    _import_what_typer_imports_late()
    imported.update(set(sys.modules) - {"__main__", "builtins", "sys"})
    gc.freeze()  # what is imported is no garbage: a fork that looks for some, at its end too, would copy all of it
    with socket.socket(fileno=end) as connection, _Forks(connection) as forks:
        request = forks.serve()
    if request is None:
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    arguments, cwd, environment, source = request
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:2] = [""] if source else [cwd]  # instead of this file's folder and the "" of -c, as -c and -m have it
    sys.argv[1:] = arguments
    if source:
        _run(source)
    else:
        runpy.run_module("distsearch", run_name="__main__", alter_sys=True)


def _run(source: str) -> None:
    """As `python -c` does."""
    names = sys.modules["__main__"].__dict__
    for name in [name for name in names if not name.startswith("__")]:
        del names[name]
    exec(compile(source, "<string>", "exec"), names)  # noqa: S102  (a test's own)


def _leave_in_memory(names: Iterable[str]) -> None:
    """At a fork's end: it would copy these modules, page by page, only to take them apart."""
    left = [sys.modules.pop(name, None) for name in names]
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(left))


def _import_what_typer_imports_late() -> None:
    from typer.main import get_command

    from distsearch.cli.app import application

    group = get_command(application(("run",)))
    with group.make_context("distsearch", ["run"]) as context:
        name, command, rest = group.resolve_command(context, ["run"])
        command.make_context(name, rest, parent=context)


class _Forks:
    """The programs that run, and who has asked for them."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._selector = selectors.DefaultSelector()
        self._selector.register(connection, selectors.EVENT_READ)

    def __enter__(self) -> "_Forks":
        return self

    def __exit__(self, *_: object) -> None:
        """In a fork, these are another process's."""
        for key in self._selector.get_map().values():
            if key.data is not None:
                os.close(key.fd)
                os.close(key.data[1])
        self._selector.close()

    def serve(self) -> list[Any] | None:
        """In a fork: the request, with its streams open. In the server: None, once there are no more requests."""
        while True:
            for key, _ in self._selector.select():
                if key.data is not None:
                    self._ended(key.fd, *key.data)
                    continue
                message, ends, *_ = socket.recv_fds(self._connection, LONGEST_REQUEST, 3)
                if not message:
                    return None
                if self._forked(ends):
                    return json.loads(message)

    def _forked(self, ends: Sequence[int]) -> bool:
        """Fork a program with these ends of its streams, the last for news of it; whether this is the fork."""
        *streams, news = ends
        if (pid := os.fork()) == 0:
            os.close(news)
            _use(streams)
            return True
        for end in streams:
            os.close(end)
        _tell(news, pid)
        self._selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, news))
        return False

    def _ended(self, process: int, pid: int, news: int) -> None:
        self._selector.unregister(process)
        os.close(process)
        _tell(news, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        os.close(news)


def _tell(news: int, number: int) -> None:
    with suppress(BrokenPipeError):  # who has asked has given it up
        os.write(news, number.to_bytes(_NUMBER_BYTES, signed=True))


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
