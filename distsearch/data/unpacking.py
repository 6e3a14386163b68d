"""Gzip that may not grow beyond all bounds: a few bytes can stand for gigabytes."""

import gzip
from typing import BinaryIO

from distsearch.errors import DistsearchError


class Unpacked(gzip.GzipFile):
    """A gzip file as it is unpacked; `refusal` is raised instead of reading beyond `most` bytes."""

    def __init__(self, file: BinaryIO, most: int, refusal: DistsearchError) -> None:
        super().__init__(fileobj=file, mode="rb")
        self._most = most
        self._refusal = refusal

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes, all of them if the size is negative."""
        self._check(size or 0)
        return super().read(size)

    def read1(self, size: int = -1) -> bytes:
        """Some of the next bytes."""
        self._check(0)
        return super().read1(size)

    def _check(self, size: int) -> None:
        if self.tell() + max(size, 0) > self._most:
            raise self._refusal
