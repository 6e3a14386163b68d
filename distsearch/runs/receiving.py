"""Receiving runs from elsewhere: their directory arrives whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distsearch.errors import RunError
from distsearch.runs.claims import lock
from distsearch.runs.directory import StoredRun
from distsearch.runs.files import sync_folder
from distsearch.runs.layout import APPENDED, RESULT, WHOLE


@contextmanager
def receive(target: Path, *, update: bool) -> Iterator[Path]:
    """Provide an empty directory beside the target for the caller to fill; at the end it takes the target's name.

    With `update`, an existing run is brought up to date: it must be the same run, and nobody may be writing to it.
    Raises RunError if what was received is not a run, or if the target exists and is not to be updated. In that case,
    and if the caller raises anything, nothing is changed here.
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
    """An empty directory for this process alone, removed at the end unless renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.fetching")
    scratch.mkdir(exist_ok=True)
    descriptor = lock(scratch)
    try:
        for left in scratch.iterdir():
            left.unlink()
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(descriptor)


def _give_name(scratch: Path, target: Path) -> None:
    if target.exists():
        raise RunError(f"{target} already exists: choose another folder with --to, or remove it first")
    scratch.rename(target)
    sync_folder(target.parent)


def _update(target: Path, scratch: Path) -> None:
    """Replace the files of a run one by one.

    The run is valid after each, though perhaps not yet up to date: the losses of both versions share the same bytes,
    so the longer losses file fits both histories, and either history reaches the older checkpoint.
    """
    with StoredRun(target).held():
        (target / RESULT).unlink(missing_ok=True)  # it matches only one of the histories
        for name in (*reversed(APPENDED), *WHOLE):
            if (scratch / name).exists():
                (scratch / name).replace(target / name)
        sync_folder(target)
