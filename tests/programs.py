"""The program as a user runs it: a process of its own, its streams and its exit code."""

import os
import subprocess
import sys
from pathlib import Path

ENVIRONMENT = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}


def distsearch(*arguments: str, cwd: Path, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "distsearch", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, env=ENVIRONMENT, **options)


def succeeded(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = distsearch(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done


def started(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """The program, its streams open, while it runs."""
    return subprocess.Popen(
        [sys.executable, "-m", "distsearch", *arguments],
        cwd=cwd,
        env=ENVIRONMENT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def refused(*arguments: str, cwd: Path) -> str:
    """The one sentence of a command that is refused with exit code 2, and that leaves nothing behind."""
    before = sorted(cwd.rglob("*"))
    done = distsearch(*arguments, cwd=cwd)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert sorted(cwd.rglob("*")) == before
    return done.stderr
