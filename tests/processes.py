"""The processes that a test has started, and their descendants."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from waiting import PATIENCE


class Process(NamedTuple):
    """A process as shown by /proc. Its id may be reused, but not with the same start time."""

    pid: int
    parent: int
    state: str  # Z: it has ended but was not waited for
    start: int  # clock ticks since the machine booted
    command: str


def processes() -> list[Process]:
    """All processes."""
    return [found for path in Path("/proc").iterdir() if path.name.isdigit() and (found := _read(path))]


def _read(path: Path) -> Process | None:
    try:
        fields = (path / "stat").read_text().rpartition(")")[2].split()
        command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:  # it has ended in the meantime
        return None
    return Process(int(path.name), int(fields[1]), fields[0], int(fields[19]), command)


def descendants(pid: int) -> list[Process]:
    """The descendants of a process."""
    everyone, family = processes(), {pid}
    while more := {each.pid for each in everyone if each.parent in family} - family:
        family |= more
    return [each for each in everyone if each.pid in family and each.pid != pid]


def ray_workers(pid: int) -> list[Process]:
    """The worker processes of the search driven by a process, or started by a raylet."""
    return [each for each in descendants(pid) if each.command.startswith("ray::RayWorker") and each.state != "Z"]


def alive(which: Iterable[Process]) -> list[Process]:
    """Those still running."""
    now = {(each.pid, each.start): each for each in processes()}
    found = (now.get((each.pid, each.start)) for each in which)
    return [each for each in found if each and each.state != "Z"]


def bound_by_permissions(*arguments: str, program: str = "") -> subprocess.CompletedProcess[str]:
    """Run distsearch, or the Python source `program`, subject to permissions even if the tests run as root."""
    command = [sys.executable, *(["-c", program] if program else ["-m", "distsearch"]), *map(str, arguments)]
    drop = _drop_privileges if os.geteuid() == 0 else None
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd="/", preexec_fn=drop)


def _drop_privileges() -> None:
    drop_capability, dac_override, dac_read_search = 24, 1, 2
    for capability in (dac_override, dac_read_search):
        assert ctypes.CDLL(None).prctl(drop_capability, capability, 0, 0, 0) == 0
