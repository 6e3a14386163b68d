"""Shared memory without a name: one process writes a message to it, others read it without a copy.

It is anonymous, and gone with the last process that holds it, however that ends: nothing is left in /dev/shm.
"""

import mmap
import os
import pickle
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

HEADER = struct.Struct("<qq")  # of an area: the number of its message, and of the message's parts
LENGTH = struct.Struct("<q")
ALIGNMENT = 64  # bytes
SMALLEST_AREA = 1 << 16  # bytes


class NoMemoryError(Exception):
    """There is no shared memory for a message: Ray has to carry it."""


class Area:
    """Shared memory that holds one message at a time: an object's pickle, and its arrays' contents."""

    def __init__(self, file: int) -> None:
        """Takes over the file descriptor."""
        self.file = file
        self._memory = mmap.mmap(file, 0)
        self._view = memoryview(self._memory)

    @classmethod
    def of_size(cls, size: int) -> Self:
        """New memory of at least that many bytes. Raises NoMemoryError if there is not that much."""
        whole = -(-max(size, SMALLEST_AREA) // mmap.PAGESIZE) * mmap.PAGESIZE
        try:
            file = os.memfd_create("distsearch", os.MFD_CLOEXEC)
            try:
                os.posix_fallocate(file, 0, whole)  # a lack of memory found later would be a signal that kills
                return cls(file)
            except BaseException:
                os.close(file)
                raise
        except OSError as error:
            raise NoMemoryError(str(error)) from error

    @property
    def size(self) -> int:
        """The bytes that there are."""
        return self._view.nbytes

    def close(self) -> None:
        """Let go of the file; the memory stays while arrays in it are used."""
        os.close(self.file)

    def write(self, number: int, parts: Sequence[memoryview]) -> None:
        """Write a message, whose parts must fit, under this number."""
        HEADER.pack_into(self._view, 0, number, len(parts))
        for index, part in enumerate(parts):
            LENGTH.pack_into(self._view, HEADER.size + LENGTH.size * index, part.nbytes)
        for start, part in zip(_starts([part.nbytes for part in parts]), parts, strict=False):
            self._view[start : start + part.nbytes] = part

    def read(self, number: int) -> list[memoryview] | None:
        """The parts of the message of this number, not copied, read-only; None if another has taken its place."""
        found, count = HEADER.unpack_from(self._view, 0)
        if found != number:
            return None
        lengths = [LENGTH.unpack_from(self._view, HEADER.size + LENGTH.size * index)[0] for index in range(count)]
        memory = self._view.toreadonly()
        return [memory[start : start + length] for start, length in zip(_starts(lengths), lengths, strict=False)]


def _starts(lengths: Sequence[int]) -> list[int]:
    """Where the parts of a message begin, and where it ends."""
    starts = [_aligned(HEADER.size + LENGTH.size * len(lengths))]
    for length in lengths:
        starts.append(_aligned(starts[-1] + length))
    return starts


def _aligned(at: int) -> int:
    return -(-at // ALIGNMENT) * ALIGNMENT


def message_of(content: Any) -> list[memoryview]:
    """An object as the parts of a message: its pickle, and the contents of its arrays."""
    buffers: list[pickle.PickleBuffer] = []
    whole = pickle.dumps(content, protocol=5, buffer_callback=buffers.append)
    return [memoryview(whole), *(buffer.raw() for buffer in buffers)]


def object_of(parts: Sequence[Any]) -> Any:
    """The object of a message, which comes from our own driver or worker; its arrays lie where the parts (bytes) do."""
    return pickle.loads(parts[0], buffers=parts[1:])  # noqa: S301  (see above)


class Place(NamedTuple):
    """Where a message is: which of the sender's areas, and under which number."""

    area: int
    number: int


class Areas:
    """A sender's areas. A message stays in its own until the area is given away again."""

    def __init__(self) -> None:
        self._areas: list[Area] = []
        self._numbers = 0  # of messages

    def __getitem__(self, index: int) -> Area:
        return self._areas[index]

    def __len__(self) -> int:
        return len(self._areas)

    def write(self, index: int, parts: Sequence[memoryview]) -> Place:
        """Write a message to an area, which is made, or made larger, as needed. NoMemoryError if that cannot be."""
        size = _starts([part.nbytes for part in parts])[-1]
        if index == len(self._areas):
            self._areas.append(Area.of_size(size))
        elif self._areas[index].size < size:
            larger = Area.of_size(size + size // 4)
            self._areas[index].close()
            self._areas[index] = larger
        self._numbers += 1
        self._areas[index].write(self._numbers, parts)
        return Place(index, self._numbers)

    def close(self) -> None:
        """Let go of all."""
        for area in self._areas:
            area.close()
        self._areas.clear()
