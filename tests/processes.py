"""The processes that a test has started, and theirs."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from waiting import PATIENCE


class Process(NamedTuple):
    """A process as /proc shows it. Its id may be given out again, but not with the same start."""

    pid: int
    parent: int
    state: str  # Z: it has ended, and nobody has asked how
    start: int  # clock ticks since the machine started
    command: str


def processes() -> list[Process]:
    """All processes."""
    return [found for path in Path("/proc").iterdir() if path.name.isdigit() and (found := _read(path))]


def _read(path: Path) -> Process | None:
    try:
        fields = (path / "stat").read_text().rpartition(")")[2].split()
        command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:  # it has ended meanwhile
        return None
    return Process(int(path.name), int(fields[1]), fields[0], int(fields[19]), command)


def descendants(pid: int) -> list[Process]:
    """The children of a process, and theirs."""
    everyone, family = processes(), {pid}
    while more := {each.pid for each in everyone if each.parent in family} - family:
        family |= more
    return [each for each in everyone if each.pid in family and each.pid != pid]


def ray_workers(pid: int) -> list[Process]:
    """The worker processes of the search that a process drives, or that a raylet has started."""
    return [each for each in descendants(pid) if each.command.startswith("ray::RayWorker") and each.state != "Z"]


def alive(which: Iterable[Process]) -> list[Process]:
    """Those that still run."""
    now = {(each.pid, each.start): each for each in processes()}
    found = (now.get((each.pid, each.start)) for each in which)
    return [each for each in found if each and each.state != "Z"]


def bound_by_permissions(*arguments: str, program: str = "") -> subprocess.CompletedProcess[str]:
    """Run distsearch, or Python's `program`, so that permissions bind it, also where the tests run as root."""
    command = [sys.executable, *(["-c", program] if program else ["-m", "distsearch"]), *map(str, arguments)]
    drop = _drop_privileges if os.geteuid() == 0 else None
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd="/", preexec_fn=drop)


def _drop_privileges() -> None:
    drop_capability, dac_override, dac_read_search = 24, 1, 2
    for capability in (dac_override, dac_read_search):
        assert ctypes.CDLL(None).prctl(drop_capability, capability, 0, 0, 0) == 0
