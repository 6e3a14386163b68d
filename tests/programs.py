"""The program as a user runs it: a separate process, its streams and its exit code."""

import os
import pty
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeAlias

import forked
from waiting import PATIENCE, running

ENVIRONMENT = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
READ_LATE = ("COLUMNS", "NO_COLOR", "HOME", "TMPDIR")  # and those that begin with:
PREFIXES_READ_LATE = ("DISTSEARCH_", "_DISTSEARCH_", "COMP_", "RAY_", "AWS_", "PYTEST_")
SET_BY_LIBRARIES = "KMP_"  # as they are imported, here and in the server of forks
Program: TypeAlias = subprocess.Popen[str] | forked.Program
SHORT = ("--workers", "0", "--rounds", "3")


def ran(
    *arguments: str | Path, cwd: Path, program: str = "", fresh: bool = False, **options: Any
) -> subprocess.CompletedProcess[str]:
    """The completed program; `program` is Python source to run instead, `variables` are added to its environment.

    It is forked, where that makes no difference, unless it has to be `fresh`: a Python that has imported nothing.
    """
    environment = {**ENVIRONMENT, **options.pop("variables", {})}
    if _may_fork(environment) and not fresh and not options:
        return forked.run(list(map(str, arguments)), cwd, environment, program)
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(
        _command(arguments, program),
        cwd=cwd,
        env=environment,
        text=True,
        encoding="utf-8",
        timeout=PATIENCE,
        **{**streams, **options},
    )


def _command(arguments: Iterable[str | Path], program: str) -> list[str]:
    return [sys.executable, *(["-c", program] if program else ["-m", "distsearch"]), *map(str, arguments)]


def _may_fork(environment: Mapping[str, str]) -> bool:
    """Whether no variable has changed that Python reads as it starts, or a library that the server has imported."""
    changed = {name for name, _ in forked.ENVIRONMENT.items() ^ environment.items()}
    harmless = (*PREFIXES_READ_LATE, SET_BY_LIBRARIES)
    return forked.AVAILABLE and all(name in READ_LATE or name.startswith(harmless) for name in changed)


def succeeded(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = ran(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done


def started(
    *arguments: str | Path, cwd: Path, program: str = "", environment: Mapping[str, str] = ENVIRONMENT
) -> AbstractContextManager[Program]:
    """The running program with its streams open, forked as in `ran`; it ends with the block."""
    if _may_fork(environment):
        return forked.running(list(map(str, arguments)), cwd, environment, program)
    return running(
        _command(arguments, program),
        cwd=cwd,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def refused(*arguments: str | Path, cwd: Path, code: int = 2, **options: Any) -> str:
    """The last sentence of a refused command, without the program's name; the command must leave nothing behind."""
    before = sorted(os.walk(cwd))
    done = ran(*arguments, cwd=cwd, **options)
    lines = done.stderr.splitlines()
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert [line.startswith("distsearch: ") for line in lines] == [False] * (len(lines) - 1) + [True], done.stderr
    assert sorted(os.walk(cwd)) == before
    return lines[-1].removeprefix("distsearch: ")


def on_terminal(*arguments: str, cwd: Path, typed: bytes = b"", variables: Mapping[str, str] | None = None) -> str:
    """What the program shows on a terminal that can show colours; `variables` are added to its environment."""
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "NO_COLOR"}
    environment |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8", **(variables or {})}
    command = [sys.executable, "-m", "distsearch", *arguments]
    with running(command, cwd=cwd, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        os.write(ours, typed)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # the program has ended
            process.wait(PATIENCE)
    os.close(ours)
    return shown.decode()
