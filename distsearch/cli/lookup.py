"""Finds the run that the user named."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from distsearch.errors import RunError, brief, unknown
from distsearch.text import as_path

if TYPE_CHECKING:
    from distsearch.runs.directory import StoredRun


MOST_LISTED = 8  # runs in a sentence
PATTERN = frozenset("*?[")


def stored(run: str, runs: str) -> "StoredRun":
    """The run with this name in the folder `runs`, or at this path; one in storage is first fetched to `runs`."""
    from distsearch.runs.directory import StoredRun
    from distsearch.storage import fetch, is_stored

    if is_stored(run):
        return StoredRun(fetch(run, as_path(runs)))
    return StoredRun(path_of(run, runs))


def path_of(run: str, runs: str) -> Path:
    """The directory of this name in `runs`, or at this path. RunError naming the nearest if there is none."""
    from distsearch.runs.layout import run_paths

    folder = as_path(runs)
    for place in (folder / run, as_path(run)):
        if place.is_dir():
            return place
    names = [path.name for path in run_paths(folder)]
    if not names:
        raise RunError(f"expected a run, got {brief(run)}: there are none in {runs}")
    raise RunError(f"{unknown('run', run, names, MOST_LISTED)}; `distsearch list` shows them")


def matching(names: Iterable[str], runs: str) -> list[str]:
    """The runs named, each once; of a pattern such as climb-*, all in the folder `runs` that fit it.

    RunError if none fits.
    """
    from distsearch.runs.layout import run_paths

    found: dict[str, None] = {}
    for name in names:
        if not PATTERN & set(name) or (as_path(runs) / name).is_dir() or as_path(name).is_dir():
            found[name] = None
            continue
        fitting = [path.name for path in run_paths(as_path(runs)) if fnmatchcase(path.name, name)]
        if not fitting:
            raise RunError(f"no run in {runs} fits {brief(name)}; `distsearch list` shows them")
        found |= dict.fromkeys(fitting)
    return list(found)


def storage_of(run: str) -> str | None:
    """The storage of a run given by its address there; None if it is given otherwise."""
    from distsearch.storage import Address, is_stored

    return str(Address.parse(run).parent) if is_stored(run) else None
