"""The current request as it travels: written once for all lanes, and once into Ray's object store for calls."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray

from distsearch.workers.lane import Board, Posted
from distsearch.workers.parcels import key, packed
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
        self._stored: dict[int, tuple[NDArray[Any], Any]] = {}  # by its key, an array and what refers to it
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
        """The request for Ray's calls: its content, and references to its large arrays.

        An array that an earlier request had as well is in the object store already.
        """
        if self._references is None:
            before, self._stored = self._stored, {}
            for array in self._arrays:
                known = before.get(key(array))
                if known is None or array.flags.writeable:  # what can be written to may have been
                    known = array, ray.put(array)
                self._stored[key(array)] = known
            self._references = [self._stored[key(array)][1] for array in self._arrays]
        return self._content, self._references
