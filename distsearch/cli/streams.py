"""The program's standard streams: UTF-8 everywhere, and never the reason for a search to end."""

import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO, cast

from distsearch.text import escaped

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Outlet(io.FileIO):
    """A standard stream that may lose its reader; whatever is written after that is dropped.

    If its text is `needed`, an error such as a full disk is raised, but only once.
    """

    def __init__(self, descriptor: int, needed: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._needed = needed
        self._lost = False

    def write(self, content: "ReadableBuffer", /) -> int:
        """Write some of the bytes, or drop all; their number."""
        if self._lost:
            return memoryview(content).nbytes
        try:
            while (written := cast(int | None, super().write(content))) is None:  # a full non-blocking pipe
                select.select([], [self], [])
            return written
        except OSError as error:
            self._lost = True
            if self._needed and not isinstance(error, BrokenPipeError):
                raise OSError(error.errno, error.strerror, "the standard output") from None
            return memoryview(content).nbytes


def prepare() -> None:
    """Replace the standard streams by ones that can write any text, whoever reads it.

    What cannot be encoded, such as bytes in a file name that are not UTF-8, is written as an escape.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # a closed stream, whose number a file would get
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdout, sys.stderr = _open(1, needed=True), _open(2, needed=False)


def shows_utf8() -> bool:
    """Whether whoever reads the streams can show more than ASCII, as far as the environment says."""
    said = next(filter(None, map(os.environ.get, ("PYTHONIOENCODING", "LC_ALL", "LC_CTYPE", "LANG"))), "utf-8")
    return "utf" in said.lower()


def put(text: str, stream: TextIO) -> None:
    """Write text unchanged; on a terminal with its control characters as escapes."""
    stream.write(escaped(text) if stream.isatty() else text)
    stream.flush()


def _open(descriptor: int, needed: bool) -> TextIO:
    outlet = _Outlet(descriptor, needed)
    return io.TextIOWrapper(
        io.BufferedWriter(outlet),
        encoding="utf-8",
        errors="backslashreplace",
        line_buffering=not needed or outlet.isatty(),
    )
