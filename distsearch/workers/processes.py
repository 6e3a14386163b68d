"""The processes of this machine, as Linux shows them in /proc."""

from collections.abc import Iterable
from pathlib import Path


def descendants(pids: Iterable[int]) -> set[int]:
    """The children of some processes, and theirs."""
    parents = {int(path.name): parent for path in Path("/proc").iterdir() if (parent := _parent(path)) is not None}
    given, family = set(pids), set[int]()
    while more := {pid for pid, parent in parents.items() if parent in given | family} - given - family:
        family |= more
    return family


def is_running(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    fields = _fields(Path(f"/proc/{pid}"))
    return bool(fields) and fields[0] not in "ZX"


def _parent(path: Path) -> int | None:
    fields = _fields(path) if path.name.isdigit() else []
    return int(fields[1]) if fields else None


def _fields(path: Path) -> list[str]:
    """The state, the parent and so on of a process; nothing if it has gone."""
    try:
        return (path / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
