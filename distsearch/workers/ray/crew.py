"""The workers themselves: Ray actors, a core each, reached through a lane on the driver's node, else by Ray's calls.

Actors are never restarted or retried by Ray. Here they are started, sent shards and ended as the dispatcher says, and
whatever becomes of them is reported as an event.
"""

import logging
import socket
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector
from typing import Any, NamedTuple

import ray
from ray.exceptions import RayError, RayTaskError

from distsearch.errors import WorkersError
from distsearch.workers.areas import NoMemoryError
from distsearch.workers.dispatch.instructions import Shard
from distsearch.workers.lane import POSSIBLE, DriverEnd, Listener
from distsearch.workers.ray.cluster import error_lines
from distsearch.workers.ray.mail import Mail
from distsearch.workers.ray.worker import RayWorker
from distsearch.workers.requests import Request

LOG = logging.getLogger(__name__)


class Joined(NamedTuple):
    """A worker has started; what it computes with, and where."""

    worker: int
    machine: dict[str, str]


class Answered(NamedTuple):
    """A worker has answered a shard, and how many seconds that took it."""

    worker: int
    shard: Shard
    answer: Any
    seconds: float


class Failed(NamedTuple):
    """The work on a shard has raised an error."""

    worker: int
    shard: Shard
    error: Exception


class Lost(NamedTuple):
    """A worker has ended, or could not start."""

    worker: int
    reason: str
    worked: bool  # whether it had work, or was ready for it


Event = Joined | Answered | Failed | Lost

_Actor: Any = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(RayWorker)


class _Call(NamedTuple):
    """A call of Ray that is awaited: a shard, or without one a worker's start, or what serves its lane."""

    worker: int
    shard: Shard | None = None
    serves: bool = False


class Crew:
    """Starts, asks and ends workers by their numbers."""

    def __init__(self, problem: Any, share: float = 0.0) -> None:
        """`problem` refers to the strategy and the objective in Ray's object store; `share` is that of a GPU."""
        self._problem = problem
        self._share = share
        self._actors: dict[int, Any] = {}
        self._mail = Mail()
        self._listener = Listener() if POSSIBLE else None
        self._lanes: dict[int, DriverEnd] = {}
        self._sent: dict[int, deque[tuple[int, Shard]]] = {}  # through each lane and not answered; with the request
        self._finished: deque[tuple[_Call, Future[Any]]] = deque()
        self._bell, self._button = socket.socketpair()  # a thread of Ray's rings it when a call has finished
        self._button.setblocking(False)
        self._selector = DefaultSelector()
        self._selector.register(self._bell, EVENT_READ)

    def ask(self, request: Request) -> None:
        """The shards that are sent from now on are of this request, as workers need it."""
        self._mail.take(request)

    def start(self, worker: int) -> None:
        """Start a worker under this number; `Joined` or `Lost` will follow."""
        invitation = self._listener.invitation(worker) if self._listener else None
        actor = _Actor.options(scheduling_strategy="SPREAD", num_gpus=self._share).remote(self._problem, invitation)
        self._actors[worker] = actor
        self._await(actor.ready.remote(), _Call(worker))

    def send(self, worker: int, shard: Shard) -> None:
        """Send a shard to a worker, queued after what it has; `Answered`, `Failed` or `Lost` will follow."""
        if worker in self._lanes and self._sent_through_lane(worker, shard):
            return
        content, arrays = self._mail.parcel()
        call = self._actors[worker].work.remote(self._mail.number, content, shard.lo, shard.hi, *arrays)
        self._await(call, _Call(worker, shard))

    def _sent_through_lane(self, worker: int, shard: Shard) -> bool:
        """Whether a shard has been sent through a worker's lane, which needs memory."""
        try:
            self._lanes[worker].send(self._mail.posted(), self._mail.board, shard.lo, shard.hi)
        except NoMemoryError as error:
            self._do_without_lanes(str(error))
            return False
        except OSError:  # it has ended, as Ray will report
            pass
        self._sent[worker].append((self._mail.number, shard))
        return True

    def kill(self, worker: int) -> None:
        """End a worker; nothing more is reported of it."""
        ray.kill(self._actors[worker])
        self._forget(worker)

    def events(self, longest: float) -> list[Event]:
        """What has happened, after waiting at most that many seconds for something.

        All that is there is reported, so that no worker is found late while its answer lies here.
        """
        events: list[Event] = []
        ready = self._selector.select(longest)
        while ready:
            for key, _ in ready:
                if key.fileobj is self._bell:
                    self._bell.recv(4096)
                else:
                    events += self._received(key.data)
            ready = self._selector.select(0)
        while self._finished:
            events += self._outcome(*self._finished.popleft())
        return events

    def close(self, kill: bool) -> None:
        """Let go of the workers, and end them if Ray does not end with them."""
        actors = list(self._actors.values()) if kill else []
        self._actors.clear()
        for worker in list(self._lanes):
            self._close_lane(worker)
        if self._listener:
            self._listener.close()
        self._selector.close()
        self._button.close()
        self._bell.close()
        self._mail.board.close()
        for actor in actors:
            ray.kill(actor)

    def _forget(self, worker: int) -> bool:
        """Let go of all that belongs to a worker; whether there was any."""
        self._close_lane(worker)
        self._sent.pop(worker, None)
        return self._actors.pop(worker, None) is not None

    def _await(self, reference: Any, call: _Call) -> None:
        """Hear of the call's end, from a thread of Ray's."""

        def ring(future: "Future[Any]") -> None:
            self._finished.append((call, future))
            with suppress(OSError):  # it is ringing already, or nobody listens any more
                self._button.send(b"\0")

        reference.future().add_done_callback(ring)

    def _received(self, worker: int) -> list[Event]:
        """What has come through a worker's lane."""
        answered = self._lanes[worker].receive()
        if answered is None:  # it has ended, as Ray will report
            self._selector.unregister(self._lanes[worker])
            return []
        note, answer = answered
        _, shard = self._sent[worker].popleft()
        if (note.lo, note.hi) != (shard.lo, shard.hi):
            raise AssertionError(f"expected the answer to {shard.lo} to {shard.hi}, got {note.lo} to {note.hi}")
        return [Answered(worker, shard, answer, note.seconds)]

    def _outcome(self, call: _Call, future: "Future[Any]") -> list[Event]:
        """What the end of a call means."""
        worker = call.worker
        try:
            outcome = future.result()
        except RayTaskError as error:
            if call.shard is None and not call.serves:
                raise WorkersError(f"a worker could not start: {error_lines(error)[-1]}") from None
            return self._failed(call, error)
        except RayError as error:
            if getattr(error, "actor_init_failed", False):
                raise WorkersError(f"a worker could not start: {error_lines(error)[-1]}") from None
            known = self._forget(worker)
            worked = call.serves or call.shard is not None
            return [Lost(worker, error_lines(error)[0].rstrip("."), worked and known)]
        if worker not in self._actors:
            return []
        if call.serves:
            return self._left_lane(worker, outcome)
        if call.shard is None:
            self._open_lane(worker)
            return [Joined(worker, outcome)]
        return [Answered(worker, call.shard, *outcome)]

    def _failed(self, call: _Call, error: RayTaskError) -> list[Event]:
        """The work on a shard has raised an error; what served a lane has ended with it, and goes on."""
        if call.shard is not None:
            return [Failed(call.worker, call.shard, _cause(error))]
        if call.worker not in self._actors or not (sent := self._sent[call.worker]):
            return []
        _, shard = sent.popleft()
        self._serve(call.worker)
        return [Failed(call.worker, shard, _cause(error))]

    def _open_lane(self, worker: int) -> None:
        """Use a lane to the worker if it has come to the door, as it does on this node."""
        if self._listener and (lane := self._listener.end_to(worker)) is not None:
            self._lanes[worker] = lane
            self._sent[worker] = deque()
            self._selector.register(lane, EVENT_READ, worker)
            self._serve(worker)

    def _serve(self, worker: int) -> None:
        self._await(self._actors[worker].serve.remote(), _Call(worker, serves=True))

    def _left_lane(self, worker: int, reason: str) -> list[Event]:
        """A worker has left its lane, as memory fails: what was sent through it goes by Ray's calls."""
        if reason:
            self._do_without_lanes(reason)
        stale: list[Event] = []
        for number, shard in self._sent.pop(worker):
            if number == self._mail.number:
                self.send(worker, shard)
            else:  # nobody wants it any more
                stale.append(Answered(worker, shard, None, 0.0))
        return stale

    def _do_without_lanes(self, reason: str) -> None:
        """Use Ray's calls alone from now on."""
        if self._listener:
            LOG.warning(f"no shared memory ({reason}): workers are reached through Ray instead (same result)")
            self._listener.close()
            self._listener = None
        for worker in list(self._lanes):
            self._close_lane(worker)

    def _close_lane(self, worker: int) -> None:
        """Hang up, whereupon the worker leaves its lane."""
        if (lane := self._lanes.pop(worker, None)) is not None:
            if lane.fileno() in self._selector.get_map():
                self._selector.unregister(lane)
            lane.close()


def _cause(error: RayTaskError) -> Exception:
    """What was raised on the worker, whose own traceback is in Ray's error."""
    cause = error.cause
    if not isinstance(cause, Exception):
        return error
    if cause.__cause__ is None:
        cause.__cause__ = error
    return cause
