"""A run's directory as a place: its name, who makes it, and who may write to it."""

import fcntl
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

from distsearch.config import RunConfig
from distsearch.errors import RunError
from distsearch.runs import names


def claim(folder: Path, settings: RunConfig, taken: Callable[[str], bool] | None) -> Path:
    """Make the run's directory, under its name or under the first free one."""
    if settings.output.name:
        path = folder / settings.output.name
        try:
            path.mkdir()
        except FileExistsError:
            raise RunError(f"{path} is already there: choose another --name, or remove it first") from None
        return path
    stem = names.stem(settings.data.source, settings.strategy.name)
    for number in count(1):
        path = folder / f"{stem}-{number}"
        if taken is not None and taken(path.name):
            continue
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise AssertionError  # count() does not end


def locked(path: Path) -> int:
    """A lock on the directory, which the system lets go of with the process. RunError if another has it."""
    folder = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException as error:
        os.close(folder)
        if isinstance(error, BlockingIOError):
            raise RunError(f"{path} is being written by another process: wait for it to end, or stop it") from None
        raise
    return folder
