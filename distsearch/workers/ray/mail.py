"""The current request as it travels: written once for all lanes, and once into Ray's object store for calls."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray

from distsearch.workers.lane import Board, Posted
from distsearch.workers.parcels import Shared, packed
from distsearch.workers.requests import Request


class Mail:
    """Packs a request when it is taken, and makes of it what is asked for when it is asked for first."""

    def __init__(self) -> None:
        self.board = Board()
        self.number = 0
        """The number of the request, which is never used again."""
        self._content = b""  # without its large arrays
        self._arrays: Sequence[NDArray[np.generic]] = ()
        self._posted: Posted | None = None
        self._stored: Shared[Any] = Shared()  # in the object store
        self._references: list[Any] | None = None

    def take(self, request: Request) -> None:
        """Pack a request; the one before it is over."""
        self.number += 1
        self._content, self._arrays = packed(request)
        self._posted = self._references = None

    def posted(self) -> Posted:
        """Where the request is for lanes. NoMemoryError if there is no room for it."""
        if self._posted is None:
            self._posted = self.board.post(self.number, self._content, self._arrays)
        return self._posted

    def parcel(self) -> tuple[bytes, list[Any]]:
        """The request for Ray's calls: its content, and references to its large arrays in the object store."""
        if self._references is None:
            self._references = self._stored.of(self._arrays, ray.put)
        return self._content, self._references
