"""Atomic file writes: whole or not at all, even if the disk is full, the program is killed or the power fails."""

import errno
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

TEMPORARY = ".temporary"  # suffix of a file that is being written


def write_whole(path: Path, content: bytes, previous: Path | None = None) -> None:
    """Write a file whole or not at all: a new file is written, synced and renamed over the old one.

    If `previous` is given, the old file is kept under that name.
    """
    write_chunks(path, (content,), previous)


def write_chunks(path: Path, chunks: Iterable[bytes], previous: Path | None = None) -> None:
    """Like `write_whole`, but from chunks. Nothing is left behind if the chunks raise."""
    temporary = path.with_name(f"{path.name}{TEMPORARY}")
    try:
        _write_synced(temporary, chunks)
        if previous is not None and path.exists():
            path.replace(previous)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_output(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write a file named by the user, from its content or chunks of it, whole or not at all.

    Links are followed, and a replaced file keeps its permissions. A pipe or device is written to directly.
    """
    chunks = (content,) if isinstance(content, bytes) else content
    before = _status(path)
    if before is not None and not stat.S_ISREG(before.st_mode):
        with path.open("wb") as file:
            file.writelines(chunks)
        return
    if before is not None and not os.access(path, os.W_OK):  # renaming over it would not check
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{secrets.token_hex(8)}{TEMPORARY}")
    try:
        _write_synced(temporary, chunks)
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
    """The status of the file that a path leads to; None if it does not exist yet."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None
