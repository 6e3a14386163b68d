"""Gzip decompression with a size limit: a few bytes can expand to gigabytes."""

import gzip
from typing import BinaryIO

from distsearch.errors import DistsearchError

BLOCK = 1 << 20  # bytes that are read before the size is looked at again


class Unpacked(gzip.GzipFile):
    """The decompressed content of a gzip file; raises `refusal` rather than read past `most` bytes."""

    def __init__(self, file: BinaryIO, most: int, refusal: DistsearchError) -> None:
        super().__init__(fileobj=file, mode="rb")
        self._most = most
        self._refusal = refusal

    def read(self, size: int | None = -1) -> bytes:
        """The next `size` bytes, or all that remain if it is negative."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(BLOCK), b""))
        self._check(size)
        return super().read(size)

    def read1(self, size: int = -1) -> bytes:
        """Up to `size` of the next bytes."""
        self._check(0)
        return super().read1(size)

    def _check(self, size: int) -> None:
        if self.tell() + max(size, 0) > self._most:
            raise self._refusal
