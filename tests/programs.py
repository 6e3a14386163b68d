"""The program as a user runs it: a separate process, its streams and its exit code."""

import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import forked
from waiting import PATIENCE, running

ENVIRONMENT = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
SHORT = ("--workers", "0", "--rounds", "3")


def ran(*arguments: str | Path, cwd: Path, program: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
    """The completed program; `program` is Python source to run instead, `variables` are added to its environment."""
    variables = options.pop("variables", {})
    environment = {**ENVIRONMENT, **variables}
    if forked.AVAILABLE and not program and not options and _read_late(variables):
        return forked.run(list(map(str, arguments)), cwd, environment)
    command = [sys.executable, *(["-c", program] if program else ["-m", "distsearch"]), *map(str, arguments)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(
        command, cwd=cwd, env=environment, text=True, encoding="utf-8", timeout=PATIENCE, **{**streams, **options}
    )


def _read_late(variables: Iterable[str]) -> bool:
    """Whether no variable of the environment is one that Python, or an imported library, reads as it starts."""
    return all(name in ("HOME", "TMPDIR") or name.startswith("DISTSEARCH_") for name in variables)


def succeeded(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = ran(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done


def started(*arguments: str, cwd: Path) -> AbstractContextManager[subprocess.Popen[str]]:
    """The running program with its streams open; it ends with the block."""
    return running(
        [sys.executable, "-m", "distsearch", *arguments],
        cwd=cwd,
        env=ENVIRONMENT,
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
