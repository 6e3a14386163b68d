"""Claims on a run's directory: a free name, its lock, when it was saved, and what to say if it cannot be written."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from distsearch.config import RunConfig
from distsearch.errors import RunError
from distsearch.runs import names
from distsearch.runs.layout import CHECKPOINT


def check(folder: Path, name: str) -> None:
    """RunError if a run, of this name if there is one, can certainly not be created in the folder."""
    if name:
        names.check(name)
    path = folder / name
    try:
        if name and path.exists():
            raise name_taken(path)
        there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
        with TemporaryDirectory(prefix=".distsearch-", dir=there):
            pass
    except OSError as error:
        raise unwritable(folder, error) from None


def name_taken(path: Path) -> RunError:
    """The error for a run's directory that exists."""
    return RunError(f"{path} already exists: choose another --name, or remove it first")


def unwritable(folder: Path, error: OSError) -> RunError:
    """The error for a folder of runs in which none can be created."""
    return RunError(f"cannot write to the folder {folder} ({error.strerror}): choose another with --runs")


def claim(folder: Path, settings: RunConfig, taken: Callable[[str], bool] | None) -> Path:
    """Create the run's directory under its name or, if it has none, under the first free one."""
    if settings.output.name:
        path = folder / settings.output.name
        try:
            path.mkdir()
        except FileExistsError:
            raise name_taken(path) from None
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


def lock(path: Path) -> int:
    """Lock a directory until the descriptor is closed or the process ends. Raises RunError if another holds it."""
    folder = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException as error:
        os.close(folder)
        if isinstance(error, BlockingIOError):
            raise RunError(f"another process is writing to {path}: wait for it to end, or stop it") from None
        raise
    return folder


def saved_at(path: Path) -> int:
    """When a run was saved last, in nanoseconds; 0 if it never was."""
    try:
        return (path / CHECKPOINT).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the system's errors when writing a run into RunError."""
    try:
        yield
    except OSError as error:
        if os.path.exists(path / CHECKPOINT):  # unlike Path.exists, does not raise if permission is denied
            remedy = "its last checkpoint is intact; free some space or fix it, then continue with `distsearch resume`"
        else:
            remedy = "its search has not begun; free some space, or choose another folder with --runs"
        raise RunError(f"cannot write to the run {path} ({error.strerror}): {remedy}") from None


@contextmanager
def removed_unless_begun(path: Path) -> Iterator[None]:
    """While entered, any failure before a run's first checkpoint removes its directory."""
    try:
        yield
    except BaseException:
        if not (path / CHECKPOINT).exists():
            shutil.rmtree(path, ignore_errors=True)
        raise
