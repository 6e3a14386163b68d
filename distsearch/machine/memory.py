"""Refuses what would take more memory than is available, before the memory is taken."""

import os
import resource
from pathlib import Path

from distsearch.errors import TooLargeError

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB", "RB", "QB")
_CGROUPS = (  # the limit, what is used of it, and where it is said how much of that is files that can be dropped
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",  # cgroups v1
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        "/sys/fs/cgroup/memory/memory.stat",
    ),
)


def require(what: str, size: int, instead: str) -> None:
    """Raise TooLargeError if something would take more bytes than are available; `instead` says what to do about it."""
    there = available()
    if size > there:
        raise TooLargeError(
            f"{what} would take {in_words(size)} of memory, but only {in_words(there)} is available: {instead}"
        )


def available() -> int:
    """The bytes that this process may still allocate, as limited by the machine, its container and `ulimit -v`."""
    return max(0, min(_of_the_machine(), _of_the_container(), _of_the_process()))


def in_words(size: int) -> str:
    """A number of bytes in a readable unit."""
    number, unit = float(size), 0
    while number >= 1000 and unit < len(_UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.3g} {_UNITS[unit]}"


def _of_the_machine() -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):  # not Linux
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _of_the_container() -> int:
    for limit, used, parts in _CGROUPS:
        try:
            most = int(Path(limit).read_text(encoding="ascii"))
        except (OSError, ValueError):  # no such file, or its value is "max"
            continue
        try:
            held = int(Path(used).read_text(encoding="ascii")) - _droppable(Path(parts))
        except (OSError, ValueError):
            held = 0
        return most - max(0, held)
    return _of_the_machine()


def _droppable(parts: Path) -> int:
    """The bytes of files that a container's memory holds and need not."""
    lines = parts.read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.split()[0] in ("inactive_file", "active_file"))


def _of_the_process() -> int:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return _of_the_machine()
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return limit
    return limit - pages * os.sysconf("SC_PAGE_SIZE")
