"""A virtual cluster with a virtual clock: everything that machines and the network do to the dispatcher.

Workers run what they are sent in order, each shard for a random time; they are killed, stopped and cut off,
and their answers come late, twice, or after the worker was dropped. The driver is one process that handles one
event after the other. Whatever the dispatcher must never do raises Violation, so that every test that runs a
simulation tests all of it. Seconds are virtual, except those of `dispatcher_seconds`.
"""

from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from itertools import count
from math import inf
from random import Random
from time import perf_counter
from typing import Any

from simulated import Costs, Fault, Machine, Swept

from distsearch.errors import DistsearchError, ObjectiveError
from distsearch.workers.dispatch.dispatcher import Dispatcher
from distsearch.workers.dispatch.instructions import (
    Accept,
    GiveUp,
    Instruction,
    Policy,
    Say,
    Send,
    Shard,
    StartWorker,
    Stop,
)


class Violation(AssertionError):  # noqa: N818 - as in hypothesis: it is the finding, not an error
    """The dispatcher did something it must never do."""


class Simulation:
    """A dispatcher and its virtual cluster. `spare` protects the last healthy worker from all faults."""

    def __init__(
        self,
        policy: Policy,
        costs: Costs,
        seed: int = 0,
        loss: Callable[[int, int], float] = lambda sweep, unit: float(unit),
        spare: bool = False,
    ) -> None:
        self.dispatcher = Dispatcher(policy)
        self.dispatcher_seconds = 0.0  # real ones
        self.now = 0.0  # at the driver
        self.machines: dict[int, Machine] = {}
        self.started_at: list[float] = []
        self.given_up: list[int] = []
        self.said: list[tuple[float, str]] = []
        self.error: DistsearchError | None = None
        self.sent: list[tuple[float, Send]] = []  # in this sweep
        self.deadly: set[int] = set()  # units that kill whoever runs them
        self.raising: set[int] = set()  # units for which the user's code raises
        self._policy, self._costs, self._loss, self._spare = policy, costs, loss, spare
        self._random = Random(seed)  # noqa: S311 - nothing secret here
        self._order = count()
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._known: set[int] = set()  # workers that the driver may send work to
        self._refuse_until = 0.0
        self._began = 0.0  # this sweep
        self._sweep = 0
        self._edges: set[int] = set()
        self._losses: list[float | None] = []
        self._answers = 0
        self._useful = 0.0  # seconds

    # called by tests

    def open(self, workers: int) -> None:
        """Ask for workers and let them join."""
        self._tell(self.dispatcher.want, workers, self.now)
        while self.dispatcher.alive < workers:
            self._step()

    def disturb(self, faults: Iterable[Fault]) -> None:
        """Schedule these faults, at times counted from now."""
        for fault in faults:
            self._at(self.now + fault.at, self._strike, fault)

    def sweep(self, boundaries: Sequence[int], kind: str = "losses", limit: float = 1e6) -> Swept | None:
        """Run one sweep of at most `limit` seconds. None if it was stopped: then `error` says why."""
        self._began, self.error, self._answers, self._useful = self.now, None, 0, 0.0
        self._sweep += 1
        self._edges = set(boundaries)
        self._losses = [None] * (boundaries[-1] if boundaries else 0)
        self.sent.clear()
        for machine in self.machines.values():
            machine.busy = 0.0
        self._tell(self.dispatcher.start, boundaries, self.now, kind)
        while not self.dispatcher.done:
            if self.now > self._began + limit:
                raise Violation(f"no end after {limit} s: {self._losses.count(None)} units are missing")
            self._step()
        return None if self.error else self._result()

    def wait(self, seconds: float) -> None:
        """Let time pass between sweeps."""
        end = self.now + seconds
        self._at(end, self._pass)
        while self.now < end:
            self._step()

    def _result(self) -> Swept:
        losses = [loss for loss in self._losses if loss is not None]
        if losses != [self._loss(self._sweep, unit) for unit in range(len(self._losses))]:
            raise Violation("the losses are not those of this sweep, each once and in order")
        busy = available = 0.0
        for machine in self.machines.values():
            available += max(0.0, min(self.now, machine.left_at) - max(self._began, machine.joined_at))
            busy += machine.busy
            if machine.queue and machine.stopped_until <= self.now:
                busy += max(0.0, self.now - max(self._began, machine.began_at))
        available = max(available, 1e-12)
        seconds = self.now - self._began
        return Swept(losses, seconds, len(self.sent), self._answers, busy / available, self._useful / available)

    # the driver

    def _at(self, at: float, event: Callable[..., None], *details: object) -> None:
        heappush(self._events, (at, next(self._order), event, details))

    def _step(self) -> None:
        """The next event, or a tick if it is due and nothing is ready."""
        deadline = self.dispatcher.next_deadline()
        horizon = inf if deadline is None else max(self.now, deadline)
        if self._events and self._events[0][0] <= horizon:
            at, _, event, details = heappop(self._events)
            event(at, *details)
        elif deadline is None:
            raise Violation("nothing is ever going to happen, and the sweep is not done")
        else:
            self.now = horizon
            self._tell(self.dispatcher.tick, self.now)
            again = self.dispatcher.next_deadline()
            if again is not None and again <= horizon:
                raise Violation("a tick left its own deadline in the past: the pool would spin")

    def _tell(self, event: Callable[..., list[Instruction]], *details: object) -> list[Instruction]:
        begin = perf_counter()
        instructions = event(*details)
        self.dispatcher_seconds += perf_counter() - begin
        self._require(not any(isinstance(order, Stop) for order in instructions[:-1]), "Stop was not the last")
        for instruction in instructions:
            self._carry_out(instruction)
        return instructions

    def _carry_out(self, instruction: Instruction) -> None:
        match instruction:
            case Send():
                self._send(instruction)
            case StartWorker(number):
                self._start(number)
            case GiveUp(number):
                self._require(number in self._known, "a worker given up was not known")
                self._known.remove(number)
                self.given_up.append(number)
                self._at(self.now + self._costs.kill, self._die, self.machines[number])
            case Say(message):
                self.said.append((self.now, message))
            case Stop(error):
                self.error = error
                self._require(self.dispatcher.done, "it stopped but is not done")

    def _send(self, send: Send) -> None:
        machine, (sweep, lo, hi) = self.machines[send.worker], send.shard
        self._require(self.error is None, "work was sent after Stop")
        self._require(send.worker in self._known, "work was sent to a worker that is not there")
        self._require(send.shard not in machine.in_flight, "a worker was sent what it already has")
        self._require(len(machine.in_flight) < self._policy.in_flight, "too many shards at one worker")
        self._require(sweep == self._sweep and lo < hi, "a shard of another sweep, or empty")
        self._require({lo, hi} <= self._edges, "a shard is not made of whole tiles")
        machine.in_flight.append(send.shard)
        self.now += self._costs.driver / 2
        self.sent.append((self.now, send))
        self._at(self.now + self._costs.latency, self._arrive, machine, send.shard)

    def _start(self, number: int) -> None:
        self._require(number not in self.machines, "a worker's number was used twice")
        machine = Machine(number, self._random.lognormvariate(0.0, self._costs.worker_spread))
        self.machines[number] = machine
        self.started_at.append(self.now)
        refused = self.now < self._refuse_until
        self._at(self.now + self._costs.start, self._die if refused else self._join, machine)

    def _join(self, at: float, machine: Machine) -> None:
        if not machine.dead:
            self.now = max(self.now, at)
            machine.joined_at = self.now
            self._known.add(machine.number)
            self._tell(self.dispatcher.joined, machine.number, self.now)

    def _lost(self, at: float, machine: Machine) -> None:
        self.now = max(self.now, at)
        self._known.discard(machine.number)
        self._tell(self.dispatcher.lost, machine.number, "its process died", self.now)

    def _answered(self, at: float, machine: Machine, shard: Shard, seconds: float | None) -> None:
        if machine.cut_until > at:
            self._at(machine.cut_until, self._answered, machine, shard, seconds)
            return
        self.now = max(self.now, at) + self._costs.driver / 2
        known = machine.number in self._known
        self._answers += 1
        if shard in machine.in_flight:
            machine.in_flight.remove(shard)
        if seconds is None:
            self._tell(self.dispatcher.failed, machine.number, shard, ObjectiveError("the loss raised"), self.now)
            return
        instructions = self._tell(self.dispatcher.answered, machine.number, shard, self.now, seconds)
        self._require(known or not instructions, "a worker that is not there was listened to")
        if Accept(shard) in instructions:
            self._require(instructions.count(Accept(shard)) == 1, "an answer was accepted twice at once")
            self._accept(shard, seconds)

    def _accept(self, shard: Shard, seconds: float) -> None:
        self._useful += seconds
        here = slice(shard.lo, shard.hi)
        self._require(all(loss is None for loss in self._losses[here]), "a loss came twice")
        self._losses[here] = [self._loss(shard.sweep, unit) for unit in range(shard.lo, shard.hi)]

    def _pass(self, at: float) -> None:
        self.now = max(self.now, at)

    def _require(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise Violation(f"at {self.now:.6f} s: {otherwise}")

    # the machines

    def _arrive(self, at: float, machine: Machine, shard: Shard) -> None:
        if machine.cut_until > at:
            self._at(machine.cut_until, self._arrive, machine, shard)
        elif not machine.dead:
            machine.queue.append(shard)
            if len(machine.queue) == 1:
                self._run(at, machine)

    def _run(self, at: float, machine: Machine) -> None:
        if not machine.queue or machine.stopped_until > at:
            return
        shard, machine.began_at = machine.queue[0], at
        machine.life += 1
        if any(shard.lo <= unit < shard.hi for unit in self.deadly):
            self._at(at, self._die, machine)
            return
        costs, draw = self._costs, self._random
        tiles = (shard.hi - shard.lo) / costs.units
        seconds = (costs.shard + costs.tile * tiles) * machine.slowness * draw.lognormvariate(0.0, costs.shard_spread)
        if draw.random() < costs.tail_chance:
            seconds *= draw.paretovariate(costs.tail_shape)
        due = draw.expovariate(1.0) * costs.stall_every
        work = seconds
        while due < work:
            seconds += costs.stall * draw.paretovariate(costs.tail_shape)
            due += draw.expovariate(1.0) * costs.stall_every
        self._at(at + seconds, self._finish, machine, shard, machine.life)

    def _finish(self, at: float, machine: Machine, shard: Shard, life: int) -> None:
        if machine.life != life:
            return
        machine.queue.pop(0)
        machine.busy += max(0.0, at - max(self._began, machine.began_at))
        raises = any(shard.lo <= unit < shard.hi for unit in self.raising)
        seconds = None if raises else at - machine.began_at
        for _ in range(1 + machine.repeats):
            self._at(at + self._costs.latency, self._answered, machine, shard, seconds)
        machine.repeats = False
        self._run(at, machine)

    def _die(self, at: float, machine: Machine) -> None:
        if not machine.dead:
            machine.dead, machine.left_at = True, at
            machine.life += 1
            machine.queue.clear()
            self._at(at + self._costs.notice, self._lost, machine)

    def _wake(self, at: float, machine: Machine) -> None:
        if not machine.dead and at >= machine.stopped_until:
            self._run(at, machine)

    # faults

    def _strike(self, at: float, fault: Fault) -> None:
        if fault.kind == "want":
            self.now = max(self.now, at)
            self._tell(self.dispatcher.want, fault.which, self.now)
        elif fault.kind == "refuse":
            self._refuse_until = at + fault.seconds
        elif alive := [self.machines[number] for number in sorted(self._known) if not self.machines[number].dead]:
            machine = alive[fault.which % len(alive)]
            well = [other for other in alive if max(other.stopped_until, other.cut_until) <= at]
            if not (self._spare and well == [machine]):
                self._harm(at, fault, machine)

    def _harm(self, at: float, fault: Fault, machine: Machine) -> None:
        if fault.kind == "kill":
            self._die(at, machine)
        elif fault.kind == "cut":
            machine.cut_until = max(machine.cut_until, at + fault.seconds)
        elif fault.kind == "repeat":
            machine.repeats = True
        else:
            until = inf if fault.kind == "hang" else at + fault.seconds
            machine.life += 1
            machine.stopped_until = max(machine.stopped_until, until)
            if until < inf:
                self._at(until, self._wake, machine)
