"""Finds the run that the user named."""

from typing import TYPE_CHECKING

from distsearch.errors import RunError, brief, unknown
from distsearch.text import as_path

if TYPE_CHECKING:
    from distsearch.runs.directory import StoredRun


def stored(run: str, runs: str) -> "StoredRun":
    """The run with this name in the folder `runs`, or at this path; one in storage is first fetched to `runs`."""
    from distsearch.runs.directory import StoredRun
    from distsearch.runs.layout import run_paths
    from distsearch.storage import fetch, is_stored

    folder = as_path(runs)
    if is_stored(run):
        return StoredRun(fetch(run, folder))
    places = [as_path(run), folder / run]
    for place in reversed(places):
        if place.is_dir():
            return StoredRun(place)
    names = [path.name for path in run_paths(folder)]
    if not names:
        raise RunError(f"expected a run, got {brief(run)}: there are none in {runs}")
    raise RunError(f"{unknown('run', run, names)}: `distsearch list` shows them")


def storage_of(run: str) -> str | None:
    """The storage of a run given by its address there; None if it is given otherwise."""
    from distsearch.storage import Address, is_stored

    return str(Address.parse(run).parent) if is_stored(run) else None
