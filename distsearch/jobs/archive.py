"""Packs a run's directory into text that survives a job's log, and unpacks it again."""

import io
import os
import tarfile
import time
from base64 import b64decode, encodebytes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from distsearch.data.unpacking import Unpacked
from distsearch.errors import ClusterError, RunError, brief
from distsearch.machine.memory import in_words
from distsearch.runs.documents import checksum
from distsearch.runs.files import TEMPORARY, write_chunks
from distsearch.runs.layout import APPENDED
from distsearch.runs.names import is_plain
from distsearch.runs.receiving import receive

BEGIN, END = "-----BEGIN DISTSEARCH RUN-----", "-----END DISTSEARCH RUN-----"
MOST_BYTES = 250_000_000  # the most a log should carry
MOST_UNPACKED = 20 * MOST_BYTES
LATEST = 2**33  # seconds since 1970, in the year 2242
CHUNK = 1 << 20  # bytes
TRIES = 20
PAUSE_SECONDS = 0.2


def pack(run: Path) -> str:
    """Pack a run's directory into armoured text.

    Raises RunError if it is too large, or changes faster than it can be read.
    """
    content = _archive(_snapshot(run))
    if len(content) > MOST_BYTES:
        raise RunError(
            f"{run} is {len(content) / 1e6:,.0f} MB packed, and a job's log can carry {MOST_BYTES // 10**6} MB: "
            "copy the directory from the cluster's head"
        )
    return f"{BEGIN}\n{checksum(content)}\n{encodebytes(content).decode()}{END}\n"


def unpack(text: str, target: Path) -> None:
    """Unpack the directory in a text, whole or not at all.

    Raises ClusterError if the text arrived damaged, RunError if the directory cannot be written.
    """
    content = _content(text)
    try:
        with receive(target, update=False) as folder:
            for member, chunks in _members(content):
                write_chunks(folder / member.name, chunks)
                os.utime(folder / member.name, (member.mtime, member.mtime))
    except OSError as error:
        raise RunError(f"cannot write {target}: {error.strerror}") from None


def _snapshot(run: Path) -> list[tuple[str, bytes, int]]:
    """A run's files, even while it is being written, in a state that a crash could have left: names, contents, times.

    Times are seconds since 1970.
    """
    for _ in range(TRIES):
        with suppress(FileNotFoundError):  # one is just being replaced
            before = _versions(run)
            names = [*before, *(name for name in APPENDED if (run / name).exists())]
            found = [(name, (run / name).read_bytes(), int((run / name).stat().st_mtime)) for name in names]
            if found and _versions(run) == before:
                return found
        time.sleep(PAUSE_SECONDS)
    raise RunError(f"{run} changes faster than it can be read: stop its search first")


def _versions(run: Path) -> dict[str, tuple[int, int]]:
    """The files that are only ever replaced, each with a version that changes when it is."""
    found = {}
    with os.scandir(run) as entries:
        for entry in entries:
            written_whole = entry.name not in APPENDED and not entry.name.endswith(TEMPORARY)
            if entry.is_file() and is_plain(entry.name) and written_whole:
                found[entry.name] = (entry.inode(), entry.stat().st_mtime_ns)
    return found


def _archive(files: Sequence[tuple[str, bytes, int]]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz", compresslevel=6) as archive:
        for name, content, seconds in files:
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), seconds
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def _content(text: str) -> bytes:
    """The archive in a text, ignoring whatever was printed around it."""
    _, began, rest = text.rpartition(f"{BEGIN}\n")
    body, ended, _ = rest.partition(END)
    digest, _, armour = body.partition("\n")
    try:
        content = b64decode(armour)
    except ValueError:
        content = b""
    if not (began and ended) or digest != checksum(content):
        raise ClusterError("the run arrived damaged: fetch it again")
    return content


def _members(content: bytes) -> Iterator[tuple[tarfile.TarInfo, Iterator[bytes]]]:
    """The files of an archive: plain files only, without folders, so that nothing can be written elsewhere."""
    most = in_words(MOST_UNPACKED)
    too_large = ClusterError(f"the cluster sent an archive that unpacks to more than {most}: no run compresses so well")
    unpacked = Unpacked(io.BytesIO(content), MOST_UNPACKED, too_large)
    with _unpacking(), tarfile.open(fileobj=unpacked, mode="r:") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isreg() else None
            if file is None or not is_plain(member.name) or not 0 <= member.mtime < LATEST:
                raise ClusterError(f"the cluster sent {brief(member.name)}, which is not a file of a run")
            if not 0 <= member.size <= MOST_UNPACKED:
                raise too_large
            yield member, _chunks(file)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while True:
        with _unpacking():
            chunk = file.read(CHUNK)
        if not chunk:
            return
        yield chunk


@contextmanager
def _unpacking() -> Iterator[None]:
    """Turn whatever tarfile and gzip raise on damaged bytes, which is almost anything, into ClusterError."""
    try:
        yield
    except ClusterError:
        raise
    except Exception as error:  # noqa: BLE001
        raise ClusterError(f"the run arrived damaged ({brief(str(error))}): fetch it again") from None
