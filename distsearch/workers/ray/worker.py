"""The worker as a Ray actor: it knows its node, and answers Ray's calls or what comes through its lane."""

from typing import Any

import ray

from distsearch.objectives.base import Objective
from distsearch.strategies.base import AnyStrategy
from distsearch.workers.areas import NoMemoryError
from distsearch.workers.lane import Invitation, WorkerEnd
from distsearch.workers.worker import Worker


class RayWorker(Worker):
    """A worker that Ray has started."""

    def __init__(self, problem: tuple[AnyStrategy, Objective], invitation: Invitation | None) -> None:
        super().__init__(problem)
        self._invitation = invitation
        self._lane: WorkerEnd | None = None

    def ready(self) -> dict[str, str]:
        """What it computes with, and where: answered once the data is there, and the lane if it can have one."""
        if self._invitation is not None:
            self._lane = WorkerEnd.of(self._invitation)
        return super().ready() | {"node": ray.get_runtime_context().get_node_id()}

    def serve(self) -> str:
        """Answer what comes through the lane, until the driver hangs up; or until memory fails, and then how.

        The driver hangs up while this works if memory has failed elsewhere: it then asks again, through Ray.
        """
        if self._lane is None:
            raise AssertionError("a worker without a lane cannot serve it")
        for note in self._lane.notes():
            request = self.known(note.request) or self._lane.request_of(note)
            answer: tuple[Any, float] = (None, 0.0)  # to what nobody waits for any more
            if request is not None:
                answer = self.answer(note.request, request, note.lo, note.hi)
            try:
                self._lane.answer(note, *answer)
            except NoMemoryError as error:
                self._lane.close()
                return str(error)
            except ConnectionError:
                break
        self._lane.close()
        return ""
