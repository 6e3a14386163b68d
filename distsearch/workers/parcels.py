"""How a request travels: its large arrays apart from the rest, so that what a worker's node has is not sent again."""

import pickle
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from distsearch.workers.requests import Request

V = TypeVar("V")

LARGE_BYTES = 100_000  # from which on an array costs less by itself, as an object put once for all


class Parcel(NamedTuple):
    """A request in bytes, without its large arrays, and these, row by row in memory."""

    content: bytes
    arrays: list[NDArray[Any]]


def packed(request: Request) -> Parcel:
    """A request as it travels. The arrays are those of the request, not copies."""
    arrays: list[NDArray[Any]] = []

    def stays_inside(buffer: pickle.PickleBuffer) -> bool:
        memory = buffer.raw()
        array = memory.obj
        if not isinstance(array, np.ndarray) or array.nbytes <= LARGE_BYTES:
            return True
        arrays.append(array)
        return False

    return Parcel(pickle.dumps(request, protocol=5, buffer_callback=stays_inside), arrays)


def unpacked(content: bytes | memoryview, arrays: Sequence[NDArray[Any] | memoryview]) -> Request:
    """The request in a parcel, which comes from our own driver; its arrays lie where those given do."""
    request: Request = pickle.loads(content, buffers=arrays)  # noqa: S301  (see above)
    return request


def key(array: NDArray[Any]) -> int:
    """What tells an array of a parcel from others as long as it exists: it may be another's, seen by columns."""
    owner = array.base
    return id(owner) if isinstance(owner, np.ndarray) and owner.nbytes == array.nbytes else id(array)


class Shared(Generic[V]):
    """How the latest parcel's arrays were shared: what the next parcel has as well is not shared again."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[NDArray[Any], V]] = {}  # by their keys

    def of(self, arrays: Sequence[NDArray[Any]], share: Callable[[NDArray[Any]], V]) -> list[V]:
        """What `share` has made of each of these arrays, now or for the parcel before."""
        before, self._known = self._known, {}
        for array in arrays:
            known = before.get(key(array))
            if known is None or array.flags.writeable:  # what can be written to may have been
                known = array, share(array)
            self._known[key(array)] = known
        return [self._known[key(array)][1] for array in arrays]

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()
