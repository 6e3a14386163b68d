"""Files that are written whole or not at all: also when the disk is full, the program is killed or the power fails."""

import errno
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

TEMPORARY = ".temporary"  # ends the name of a file that is being written


def write_whole(path: Path, content: bytes, previous: Path | None = None) -> None:
    """Write a file whole or not at all: a new file, synced, takes the old one's name.

    The old one is kept under the name `previous`, if that is given.
    """
    write_chunks(path, (content,), previous)


def write_chunks(path: Path, chunks: Iterable[bytes], previous: Path | None = None) -> None:
    """As `write_whole`, from chunks. Nothing is left if the chunks break off."""
    temporary = path.with_name(f"{path.name}{TEMPORARY}")
    try:
        _write_synced(temporary, chunks)
        if previous is not None and path.exists():
            path.replace(previous)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_output(path: Path, content: bytes) -> None:
    """Write a file that a user has named, whole or not at all.

    A link is followed, and a file that is replaced keeps its permissions. A pipe or a device is written to as it is.
    """
    before = _status(path)
    if before is not None and not stat.S_ISREG(before.st_mode):
        with path.open("wb") as file:
            file.write(content)
        return
    if before is not None and not os.access(path, os.W_OK):  # a rename would not ask
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{secrets.token_hex(8)}{TEMPORARY}")
    try:
        _write_synced(temporary, (content,))
        if before is not None:
            temporary.chmod(stat.S_IMODE(before.st_mode))
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_synced(path: Path, chunks: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def _status(path: Path) -> os.stat_result | None:
    """The status of what a path leads to; None if there is nothing yet."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None
