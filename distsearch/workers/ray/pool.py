"""Ray workers: the dispatcher decides, the crew acts, and here each is told of the other.

The driver owns every object (the data, the states), so none is lost with a worker.
"""

import logging
import platform
import time
from collections import defaultdict
from collections.abc import Sequence
from math import inf
from operator import itemgetter
from typing import Any

from distsearch.machine import description
from distsearch.objectives.base import Objective
from distsearch.runs.events import Share
from distsearch.strategies.base import Answer, AnyStrategy
from distsearch.workers.base import Pool, TimeIsUpError
from distsearch.workers.dispatch.dispatcher import Dispatcher
from distsearch.workers.dispatch.instructions import (
    Accept,
    GiveUp,
    Instruction,
    Policy,
    Say,
    Send,
    StartWorker,
    Stop,
)
from distsearch.workers.dispatch.shortcuts import Shortcut
from distsearch.workers.place import joins_cluster, ray_is_foreign, ray_is_kept
from distsearch.workers.printed import aloud, say
from distsearch.workers.ray.cluster import (
    cpus_of_cluster,
    disconnect,
    free_cpus,
    gpus_of_cluster,
    is_shared,
    leave,
    reclaim_signals,
    share_of_gpu,
    take,
)
from distsearch.workers.ray.crew import Answered, Crew, Event, Failed, Joined, Lost
from distsearch.workers.ray.kinds import MachineKinds
from distsearch.workers.ray.sending import check, put
from distsearch.workers.ray.tally import Tally
from distsearch.workers.requests import EvaluateRound, Request

LOG = logging.getLogger(__name__)

LONGEST_WAIT = 1.0  # seconds
QUIET_START = 30.0  # seconds
LOOK_SECONDS = 1.0  # until the cluster is asked for its cores again
LOOK_SHARE = 0.01  # of the time that asking may cost
LONGEST_BETWEEN_LOOKS = 15.0  # seconds, whatever the last one cost


class RayPool(Pool):
    """Ray workers on this machine, or on the cluster of the job that this is."""

    driver_works = True
    """Whether the driver does by itself what takes less time than to send it."""

    def __init__(self, strategy: AnyStrategy, objective: Objective, workers: int | None, begun: bool = False) -> None:
        """`begun`: the search goes on without workers until these have come."""
        super().__init__(strategy, objective)
        self._crew: Crew | None = None
        self._tally = Tally()
        self._counts = False  # whether the request is a round's
        self._new = True  # until the first sweep
        self._kinds = MachineKinds(description(objective.device) | {"host": platform.node()})
        self._dispatcher = Dispatcher(Policy())
        self.worked = 0.0  # seconds that workers have spent on what was accepted
        self._answers: list[tuple[int, Any]] = []  # of the request's shards, each with where the shard begins
        self._surplus = 0  # shards sent in the sweep, less those accepted
        self._units = 0  # of the request that are answered
        self._gone: list[str] = []  # why workers were lost, as far as the user does not know yet
        # By what makes sweeps cost the same: the kind of request, its parts, the workers.
        self._shortcuts: defaultdict[tuple[str, int, int], Shortcut] = defaultdict(Shortcut)
        self._said_short = False  # that rounds are
        self._next_visit = 0.0  # when the driver, if it does sweeps by itself, looks after its workers
        self._until = "continues in this process until" if begun else "begins when"
        self._connected_here = not ray_is_foreign()
        self._in_line = False  # whether others may have the cores
        try:
            self._open(workers)
        except BaseException as error:
            self.close(wait=isinstance(error, Exception))  # after a signal nobody waits
            raise

    def _open(self, workers: int | None) -> None:
        """Connect, start as many workers as are wanted, and wait for the first."""
        check(self.objective)
        self._takes_all = workers is None
        self._connected_here = take(self, workers, self.objective.nbytes)
        self.on_cluster = joins_cluster() or not self._connected_here
        self._in_line = self.on_cluster or is_shared()
        share = share_of_gpu(workers, gpus_of_cluster()) if self.objective.device else 0.0
        self._crew = Crew(put(self.strategy, self.objective), share)
        cpus = self._room()
        self._wanted = workers or max(1, cpus)
        self._next_look = time.monotonic() if self._in_line else inf
        if self._crowded():
            LOG.warning(f"the Ray cluster's CPUs ({cpus}) are all taken: the search {self._until} one is free")
        elif not cpus:
            LOG.warning(f"the Ray cluster has no CPUs: the search {self._until} a node with some joins")
        elif cpus < self._wanted:
            others = "the others start when it has more"
            LOG.warning(f"the Ray cluster has room for {cpus} of {self._wanted} workers: {others}")
        self._carry_out(self._dispatcher.want(self._wanted, time.monotonic()))
        self._wait_for_the_first()

    def _room(self) -> int:
        """The workers that the cluster has room for: a core each, and where a GPU computes, one of these as well."""
        cpus = cpus_of_cluster()
        return min(cpus, gpus_of_cluster()) if self.objective.device and self._takes_all else cpus

    @property
    def _workers(self) -> Crew:
        if self._crew is None:
            raise AssertionError("Ray is not connected yet")
        return self._crew

    @property
    def count(self) -> int:
        """Workers that are alive."""
        return self._dispatcher.alive

    @property
    def machines(self) -> tuple[dict[str, str], ...]:
        """What the workers compute with: one of each kind."""
        return self._kinds.seen

    def shares(self, began: float) -> tuple[Share, ...]:
        """What each worker has done so far."""
        return self._tally.shares(began)

    @property
    def answered(self) -> Sequence[tuple[int, Answer]]:
        """Those to its shards."""
        return self._answers if self._counts else ()

    def sweep(self, request: Request) -> list[Any]:
        """Answer a request; answers for contiguous ranges, in index order. WorkersError if no worker is available."""
        if self._new:
            self._new = False
            reclaim_signals()
        self._answers, self._counts = [], request.kind == EvaluateRound.kind
        boundaries = request.boundaries(self.strategy, self.objective)
        shortcut = self._shortcuts[request.kind, len(boundaries), self.count]
        began, worked = time.perf_counter(), self.worked
        if self._driver_may_answer(request) and shortcut.taken():
            self._look_after_workers(request)
            answers = [self.answered_here(request)]
            shortcut.done(time.perf_counter() - began)
        else:
            answers = self._answered_by_workers(request, boundaries)
            shortcut.answered(time.perf_counter() - began, self.worked - worked)
        return answers

    def _driver_may_answer(self, request: Request) -> bool:
        """Whether the driver's bits are the workers', and it runs no code of the user's."""
        return self.driver_works and self._kinds.alike and not (request.evaluates and self.objective.foreign)

    def _answered_by_workers(self, request: Request, boundaries: Sequence[int]) -> list[Any]:
        self._surplus, self._units = 0, boundaries[0]
        self._workers.ask(request.outgoing(self.strategy))
        self._carry_out(self._dispatcher.start(boundaries, time.monotonic(), request.kind))
        if self._counts:
            self.heard(self._units, boundaries[-1])
        while not self._dispatcher.done:
            left = self.deadline - time.monotonic() if request.kind == EvaluateRound.kind else inf
            if left <= 0 and (self._answers or not self.awaits_one):
                raise TimeIsUpError
            self._next_events(min(LONGEST_WAIT, left) if left > 0 else LONGEST_WAIT)
            if self._counts and self._answers:
                self.heard(self._units, boundaries[-1])
        self.retried += self._surplus
        return [answer for _, answer in sorted(self._answers, key=itemgetter(0))]

    def close(self, wait: bool = True) -> None:
        """End the workers, and Ray where this pool started it."""
        ends_ray = self._connected_here and not ray_is_kept()
        if self._crew is not None:
            self._crew.close(kill=not ends_ray)
        leave(self)
        if ends_ray:
            disconnect(wait)

    def _wait_for_the_first(self) -> None:
        """Wait a while for the first worker, so that a normal start is not reported as a lack of workers.

        Where others have all the cores it is waited for however long they do, before the search's time begins.
        """
        until = time.monotonic() + QUIET_START
        while not self._dispatcher.alive and time.monotonic() < until:
            self._next_events()
            if self._crowded():
                until = time.monotonic() + QUIET_START

    def _crowded(self) -> bool:
        """Whether there is no worker although the cluster has cores, because none of them is free."""
        return self._in_line and not self._dispatcher.alive and free_cpus() < 1 <= cpus_of_cluster()

    def _look_after_workers(self, request: Request) -> None:
        """See now and then who has joined or is lost, while the driver does sweeps by itself."""
        now = time.monotonic()
        if now >= self._next_visit:
            if not self._said_short and isinstance(request, EvaluateRound):
                self._said_short = True
                LOG.info("rounds are short: searching in this process (same result)")
            self._next_events(longest=0.0)
            self._next_visit = now + LOOK_SECONDS

    def _next_events(self, longest: float = LONGEST_WAIT) -> None:
        """Wait for and handle the next events."""
        self._follow_the_cluster()
        deadline = self._dispatcher.next_deadline()
        wait = longest if deadline is None else min(longest, max(0.0, deadline - time.monotonic()))
        for event in self._workers.events(wait):
            self._carry_out(self._decided(event))
        self._carry_out(self._dispatcher.tick(time.monotonic()))
        self._report_the_gone()

    def _report_the_gone(self) -> None:
        """Report lost workers once, together if a whole node is lost; if none is left, the dispatcher says why."""
        if self._gone and self.count:
            who = "a worker was" if len(self._gone) == 1 else f"{len(self._gone)} workers were"
            LOG.warning(f"{who} lost ({self._gone[-1]}); the others take over")
        self._gone.clear()

    def _follow_the_cluster(self) -> None:
        """Want as many workers as the cluster has cores by now, and wait in line where others have them all.

        Where it has lost some, their workers' replacements would only wait for cores that are not there.
        """
        began = time.monotonic()
        if began < self._next_look:
            return
        cpus = max(1, self._room())
        crowded = self._crowded()
        now = time.monotonic()
        self._next_look = now + min(LONGEST_BETWEEN_LOOKS, max(LOOK_SECONDS, (now - began) / LOOK_SHARE))
        if self._takes_all and cpus != self._wanted:
            self._wanted = cpus
            self._carry_out(self._dispatcher.want(cpus, now))
        if crowded:
            self._carry_out(self._dispatcher.queued(now))

    def _decided(self, event: Event) -> list[Instruction]:
        """What the dispatcher makes of an event."""
        now = time.monotonic()
        match event:
            case Joined(worker, machine):
                if warning := self._kinds.add(machine):
                    LOG.warning(warning)
                self._tally.joined(worker, machine["host"])
                return self._dispatcher.joined(worker, now)
            case Answered(worker, shard, answer, seconds):
                instructions = self._dispatcher.answered(worker, shard, now, seconds)
                if any(isinstance(instruction, Accept) for instruction in instructions):
                    self._answers.append((shard.lo, aloud(answer)))
                    self._surplus -= 1
                    self._units += shard.hi - shard.lo
                    self.worked += seconds
                    self._tally.answered(worker, shard.hi - shard.lo if self._counts else 0, seconds)
                return instructions
            case Failed(worker, shard, error):
                say(getattr(error, "printed", ""))
                return self._dispatcher.failed(worker, shard, error, now)
            case Lost(worker, reason, worked):
                self._tally.lost(worker)
                if worked:
                    self._gone.append(reason)
                return self._dispatcher.lost(worker, reason, now)

    def _carry_out(self, instructions: list[Instruction]) -> None:
        for instruction in instructions:
            match instruction:
                case Send(worker, shard):
                    self._surplus += 1
                    self._workers.send(worker, shard)
                case StartWorker(worker):
                    self._workers.start(worker)
                case GiveUp(worker, reason):
                    self._workers.kill(worker)
                    self._tally.lost(worker)
                    self._gone.append(reason)
                case Say(message):
                    LOG.warning(message)
                case Stop(error):
                    raise error
                case Accept():
                    pass  # _decided has kept the answer
