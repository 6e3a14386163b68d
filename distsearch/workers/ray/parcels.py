"""How a request travels: its large arrays apart from the rest, so that what a worker's node has is not sent again."""

import pickle
from collections.abc import Sequence
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.workers.requests import Request

INLINE_BYTES = 100_000  # a larger array costs less by itself, as an object put once for all


class Parcel(NamedTuple):
    """A request in bytes, without its large arrays, and these."""

    content: bytes
    arrays: list[NDArray[Any]]


def packed(request: Request) -> Parcel:
    """A request as it travels. The arrays are those of the request, not copies."""
    file = BytesIO()
    packer = _Packer(file)
    packer.dump(request)
    return Parcel(file.getvalue(), packer.arrays)


def unpacked(content: bytes, arrays: Sequence[NDArray[Any]]) -> Request:
    """The request in a parcel, which comes from our own driver."""
    request: Request = _Unpacker(BytesIO(content), arrays).load()
    return request


class _Packer(pickle.Pickler):
    def __init__(self, file: BytesIO) -> None:
        super().__init__(file, protocol=5)
        self.arrays: list[NDArray[Any]] = []
        self._numbers: dict[int, int] = {}  # of the arrays, by their id

    def persistent_id(self, part: Any) -> int | None:
        """The number of a large array, which stands for it."""
        if not isinstance(part, np.ndarray) or part.nbytes <= INLINE_BYTES:
            return None
        if id(part) not in self._numbers:
            self._numbers[id(part)] = len(self.arrays)
            self.arrays.append(part)
        return self._numbers[id(part)]


class _Unpacker(pickle.Unpickler):
    def __init__(self, file: BytesIO, arrays: Sequence[NDArray[Any]]) -> None:
        super().__init__(file)
        self._arrays = arrays

    def persistent_load(self, number: int) -> NDArray[Any]:
        """The array that a number stands for."""
        return self._arrays[number]
