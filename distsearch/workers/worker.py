"""What a worker process does: it answers shards of the current request."""

import ctypes
import platform
import signal
import sys
import time
from functools import partial
from typing import Any

from numpy.typing import NDArray

from distsearch.machine import description, keep_memory, use_one_thread
from distsearch.objectives.base import Objective
from distsearch.objectives.foreign import raised
from distsearch.strategies.base import AnyStrategy
from distsearch.workers.parcels import unpacked
from distsearch.workers.printed import listened_to
from distsearch.workers.requests import Request

PR_SET_PDEATHSIG = 1  # of prctl(2)


class Worker:
    """Answers the shards that it is sent."""

    def __init__(self, problem: tuple[AnyStrategy, Objective]) -> None:
        use_one_thread()
        keep_memory()
        _end_with_parent()
        self._strategy, self._objective = problem
        self._latest: tuple[int, Request] | None = None

    def ready(self) -> dict[str, str]:
        """What it computes with, and where; returns once the data is there."""
        return description(self._objective.device) | {"host": platform.node()}

    def work(self, number: int, content: bytes, lo: int, hi: int, *arrays: NDArray[Any]) -> tuple[Any, float]:
        """The answer for lo to hi of the request of that number, a parcel; and the seconds that it took."""
        return self.answer(number, self.known(number) or unpacked(content, arrays), lo, hi)

    def known(self, number: int) -> Request | None:
        """The request of that number if it is the latest: one object for all of its shards.

        So what is made once per round is found again.
        """
        return self._latest[1] if self._latest is not None and self._latest[0] == number else None

    def answer(self, number: int, request: Request, lo: int, hi: int) -> tuple[Any, float]:
        """The answer for lo to hi of a request, with what the user's code printed, and the seconds that it took."""
        self._latest = number, request
        began = time.perf_counter()
        work = partial(request.answer, self._strategy, self._objective, lo, hi)
        try:
            answer = listened_to(work) if self._objective.foreign else work()
        except (SystemExit, KeyboardInterrupt) as error:  # would end this worker, and the next that tried the same
            raise raised("the objective", error) from error
        return answer, time.perf_counter() - began


def _end_with_parent() -> None:
    """Let Linux kill this process when its raylet dies: by itself it could not, stopped, or with Ray still waiting."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
