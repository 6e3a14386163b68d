"""Runs that come from elsewhere: their directory is received whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distsearch.errors import RunError
from distsearch.runs.claims import locked
from distsearch.runs.directory import StoredRun
from distsearch.runs.files import sync_folder
from distsearch.runs.layout import APPENDED, RESULT, WHOLE


@contextmanager
def received(target: Path, *, update: bool) -> Iterator[Path]:
    """An empty directory beside the target, to be filled; at the end it takes the target's name.

    With `update`, a run that is there already is brought up to date: it must be the same run, and nobody may be
    writing to it. Raises RunError if what was received is no run, or if there is one that is not to be updated.
    Nothing here is changed then, or if the caller raises anything.
    """
    with _scratch(target) as scratch:
        yield scratch
        StoredRun(scratch)
        if update and target.exists():
            _update(target, scratch)
        else:
            _give_name(scratch, target)


@contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    """An empty directory for this process alone, removed at the end if it still has its name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.fetching")
    scratch.mkdir(exist_ok=True)
    lock = locked(scratch)
    try:
        for left in scratch.iterdir():
            left.unlink()
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(lock)


def _give_name(scratch: Path, target: Path) -> None:
    if target.exists():
        raise RunError(f"{target} is already there: choose another folder with --to, or remove it first")
    scratch.rename(target)
    sync_folder(target.parent)


def _update(target: Path, scratch: Path) -> None:
    """Replace the files of a run one by one.

    After each the run is whole, though perhaps not as far as it will be: its losses are the same bytes in both, so
    that a longer file of them fits both histories, and either history goes as far as the older checkpoint.
    """
    with StoredRun(target).held():
        (target / RESULT).unlink(missing_ok=True)  # it fits one history alone
        for name in (*reversed(APPENDED), *WHOLE):
            if (scratch / name).exists():
                (scratch / name).replace(target / name)
        sync_folder(target)
