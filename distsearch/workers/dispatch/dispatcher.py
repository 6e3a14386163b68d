"""Decides which shard goes to which worker, and what to do about late, lost and new workers; it does not act.

    want  queued  start  joined      ┌────────────┐     StartWorker  Send  Accept
    lost  failed  answered  tick ──▶ │ Dispatcher │ ─▶          GiveUp  Say  Stop
                                     └────────────┘
Events are method calls that carry the time; each returns instructions, to be carried out in order. Nothing here
reads a clock, draws random numbers or knows about Ray, so thousands of workers can be simulated. An answer is a pure
function of its units, so a shard may be sent twice: the first answer wins. An event costs the same with two workers as
with thousands; only `start` and `Stop` iterate over all.

    sweep.py  what is left to send     staff.py  who is started and replaced     deadlines.py  who is late
"""

from collections.abc import Sequence
from math import inf

from distsearch.errors import WorkersError
from distsearch.workers.dispatch.capacity import Capacity
from distsearch.workers.dispatch.deadlines import Deadlines, Worker
from distsearch.workers.dispatch.instructions import Accept, GiveUp, Instruction, Policy, Send, Shard, Stop
from distsearch.workers.dispatch.staff import Staff, Wait
from distsearch.workers.dispatch.sweep import Pace, Piece, Sweep


def _is_stop(instruction: Instruction) -> bool:
    return isinstance(instruction, Stop)


class Dispatcher:
    """The state machine. `now` is in seconds, from any monotonic clock.

    Feed every event that is ready before `tick`, the only method that finds workers late: they must not be blamed for
    a busy driver.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._staff = Staff(policy)
        self._deadlines = Deadlines(policy)
        self._workers: dict[int, Worker] = {}
        self._capacity = Capacity(policy.in_flight)
        self._paces: dict[str, Pace] = {}
        self._sweep = Sweep(0, (), Pace(), policy)
        self._sweeps = 0
        self._share_at = inf  # when idle workers may repeat what others have
        self._wait = Wait(policy.wait_for_worker)  # for a first worker, or another if none is left

    @property
    def done(self) -> bool:
        """Whether the whole sweep has been answered."""
        return self._sweep.done

    @property
    def alive(self) -> int:
        """The number of workers that have joined and are not lost."""
        return len(self._workers)

    @property
    def _sharers(self) -> int:
        """The number of workers to cut for; counts those still to come, or the first to join would get too much."""
        return max(len(self._workers), self._staff.wanted)

    def next_deadline(self) -> float | None:
        """When `tick` will next have something to do if no event comes before; None if never."""
        earliest = min(self._share_at, self._sweep.next_delayed, self._staff.next_start(self.alive), self._wait.end)
        if (due := self._deadlines.first()) is not None:
            earliest = min(earliest, due.deadline)
        return None if earliest == inf else earliest

    # events

    def want(self, workers: int, now: float) -> list[Instruction]:
        """Set the target number of workers: what the user asked for, or what the cluster has capacity for."""
        self._staff.want(workers)
        return self._staff.fill(self.alive, now)

    def queued(self, now: float) -> list[Instruction]:
        """There is no worker because others hold all the cores: wait for them as long as it takes."""
        return self._wait.queued(now)

    def start(self, boundaries: Sequence[int], now: float, kind: str = "losses") -> list[Instruction]:
        """Begin a sweep over all tiles; an unfinished one is abandoned.

        Tile i is the units boundaries[i] to boundaries[i + 1], which rise strictly. `kind` names work of equal cost
        per tile: each kind has its own pace.
        """
        self._abandon()
        self._sweeps += 1
        self._sweep = Sweep(self._sweeps, boundaries, self._paces.setdefault(kind, Pace()), self._policy)
        out: list[Instruction] = []
        self._proceed(now, out)
        return out

    def joined(self, worker: int, now: float) -> list[Instruction]:
        """The worker has started and is ready for work."""
        out: list[Instruction] = []
        if self._staff.leave(worker):
            self._workers[worker] = Worker(worker)
            self._wait.over()
            self._feed(self._workers[worker], now, out)
        return out

    def answered(self, worker: int, shard: Shard, now: float, seconds: float | None = None) -> list[Instruction]:
        """The worker has answered the shard. The answer is only wanted if an Accept is returned.

        `seconds` is how long it ran by the worker's own clock. Without it, the time since the shard reached the head of
        the worker's queue is used, which is too long if the driver is busy and lets answers wait.
        """
        out: list[Instruction] = []
        if (held := self._held(worker, shard)) is None:
            return out  # from a worker that was given up, or a duplicate
        holder, piece = held
        ran = piece is holder.pieces[0]
        if seconds is None and ran:
            seconds = now - holder.started
        if seconds is not None:
            piece.pace.add(seconds / piece.tiles)
        if ran:
            if not holder.missed:
                holder.lates = 0
            elif piece.settled:
                holder.lates += 1  # another worker began later and was faster
        self._release(holder, piece, now)
        if not piece.settled:
            self._sweep.settle(piece)
            out.append(Accept(shard))
        if not self._drop_if_late(holder, now, out):
            self._feed(holder, now, out)
        return out

    def failed(self, worker: int, shard: Shard, error: Exception, now: float) -> list[Instruction]:
        """The work itself raised an error. It would do so anywhere, so the shard is never sent again."""
        out: list[Instruction] = []
        if (held := self._held(worker, shard)) is not None:
            holder, piece = held
            self._release(holder, piece, now)
            if piece.settled:
                self._feed(holder, now, out)
            else:
                self._stop(error, out)
        return out

    def lost(self, worker: int, reason: str, now: float) -> list[Instruction]:
        """The worker has died, or could not start."""
        out: list[Instruction] = []
        if worker in self._workers:
            self._remove(self._workers[worker], reason, now, out)
        elif self._staff.leave(worker):
            self._wait.last_loss = reason
            out += self._staff.fill(self.alive, now)
        return out

    def tick(self, now: float) -> list[Instruction]:
        """Time has passed: call at `next_deadline`; harmless at any other time."""
        out: list[Instruction] = []
        self._sweep.wake(now)
        while (worker := self._deadlines.first()) is not None and worker.deadline <= now:
            if worker.slow:
                self._miss(worker, now, out)
            else:
                self._note_slow(worker, now)
        self._proceed(now, out)
        self._share(now, out)
        return out

    def _proceed(self, now: float, out: list[Instruction]) -> None:
        """Do whatever is needed when workers or work may be missing."""
        out += self._staff.fill(self.alive, now)
        self._watch(now, out)
        self._fill(now, out)

    # work, to workers and back

    def _send(self, worker: Worker, piece: Piece, now: float, out: list[Instruction]) -> None:
        worker.pieces.append(piece)
        piece.copies += 1
        out.append(Send(worker.number, piece.shard))
        if len(worker.pieces) == 1:
            self._deadlines.begin(worker, now)
        else:
            self._sweep.note_behind(worker.pieces, piece)

    def _feed(self, worker: Worker, now: float, out: list[Instruction]) -> None:
        """Send work to a worker that has just answered or joined, up to its capacity."""
        self._capacity.remove(worker)
        pieces, capacity = worker.pieces, 0 if worker.slow else self._policy.in_flight
        while len(pieces) < capacity and (piece := self._sweep.take(pieces, self._sharers)):
            self._send(worker, piece, now, out)
        self._capacity.add(worker)
        if not pieces and self._sweep.can_share:
            self._share_at = now  # not here, as the answers of others may be ready

    def _fill(self, now: float, out: list[Instruction]) -> None:
        """Send available work to all workers with capacity, idle ones first, so that it is spread evenly."""
        for level in self._capacity.levels:
            passed = []
            while self._sweep.has_work_at(level, self._sharers) and (worker := self._capacity.take(level)):
                if (piece := self._sweep.take(worker.pieces, self._sharers)) is None:
                    passed.append(worker)  # it already has everything available
                else:
                    self._send(worker, piece, now, out)
                    self._capacity.add(worker)
            for worker in passed:
                self._capacity.add(worker)

    def _held(self, number: int, shard: Shard) -> tuple[Worker, Piece] | None:
        if (worker := self._workers.get(number)) is not None:
            for piece in worker.pieces:
                if piece.shard == shard:
                    return worker, piece
        return None

    def _release(self, worker: Worker, piece: Piece, now: float) -> None:
        """Take the piece from the worker, where it is no longer in flight; if it was running, the next one begins."""
        ran = piece is worker.pieces[0]
        if ran:
            self._forget_slow(worker)
        worker.pieces.remove(piece)
        piece.copies -= 1
        if ran:
            self._deadlines.begin(worker, now)

    def _abandon(self) -> None:
        """Give up the sweep: further answers to it are not wanted."""
        if not self.done:
            for worker in self._workers.values():
                for piece in worker.pieces:
                    piece.settled = True
        self._share_at = inf
        self._wait.over()

    def _stop(self, error: Exception, out: list[Instruction]) -> None:
        self._abandon()
        self._sweep = Sweep(0, (), Pace(), self._policy)
        out.append(Stop(error))

    # deadlines

    def _note_slow(self, worker: Worker, now: float) -> None:
        """Mark a worker whose piece takes long but is not yet late: idle workers may run its pieces as well."""
        worker.slow = True
        self._capacity.remove(worker)
        for piece in worker.pieces:
            piece.slows += 1
            self._sweep.note_slow(worker.pieces, piece)
        self._deadlines.move(worker, max(now, worker.started + self._deadlines.allowance(worker.pieces[0])))

    def _forget_slow(self, worker: Worker) -> None:
        for piece in worker.pieces:
            piece.slows -= worker.slow

    def _share(self, now: float, out: list[Instruction]) -> None:
        """Once nothing is left to send, let idle workers repeat what others have not begun or are slow with."""
        self._share_at = inf
        while not self._sweep.has_work and (worker := self._capacity.take(0)):
            piece = self._sweep.share()
            if piece is not None:
                self._send(worker, piece, now, out)
            self._capacity.add(worker)
            if piece is None:
                return

    def _miss(self, worker: Worker, now: float, out: list[Instruction]) -> None:
        """Handle a missed deadline: let others do the worker's pieces, and decide whether to keep it."""
        piece = worker.pieces[0]
        worker.missed += 1
        worker.lates += piece.settled and worker.missed > 1  # the first miss counts once the piece is answered
        if self._drop_if_late(worker, now, out):
            return
        if worker.missed == 1:
            piece.lates += 1
            for other in reversed(worker.pieces):
                self._sweep.requeue(other)
        # No other worker has answered it: the piece may be slow, so only replace workers one for one.
        silent, allowance = now - worker.started, self._deadlines.allowance(piece)
        longest = max(self._policy.first_deadline, self._policy.lates_before_drop * allowance)
        if silent >= longest * 2**piece.deaths and self._staff.prepay(self.alive, now):
            self._give_up(worker, f"it was silent for {silent:.0f} s", now, out)
        else:
            self._deadlines.move(worker, now + allowance)

    # workers lost, and none left

    def _drop_if_late(self, worker: Worker, now: float, out: list[Instruction]) -> bool:
        late = worker.lates >= self._policy.lates_before_drop
        late = late and (self.alive > 1 or self._staff.prepay(self.alive, now))  # a slow worker is better than none
        if late:
            self._give_up(worker, f"it was late {worker.lates} times in a row", now, out)
        return late

    def _give_up(self, worker: Worker, reason: str, now: float, out: list[Instruction]) -> None:
        out.append(GiveUp(worker.number, reason))
        self._remove(worker, reason, now, out)

    def _remove(self, worker: Worker, reason: str, now: float, out: list[Instruction]) -> None:
        """Take back all of a worker's pieces, the running one first, and start another worker in its place."""
        del self._workers[worker.number]
        self._capacity.remove(worker)
        self._forget_slow(worker)
        self._wait.last_loss = reason
        pieces = worker.pieces.copy()
        worker.pieces.clear()
        self._deadlines.begin(worker, now)
        for piece in reversed(pieces):
            piece.copies -= 1
            if piece is not pieces[0]:
                self._sweep.requeue(piece)
            elif not piece.settled:
                self._bereave(piece, now, out)
        self._proceed(now, out)
        out.sort(key=_is_stop)

    def _bereave(self, piece: Piece, now: float, out: list[Instruction]) -> None:
        """Send a piece again whose worker was lost while running it, unless it must be what kills workers.

        From the second loss on, there is a delay before it is sent again. Otherwise, workers that die together (with
        their node) and are found dead one by one would be taken for its victims.
        """
        piece.deaths += 1
        if piece.deaths >= self._policy.deaths_before_stop:
            units = f"units {piece.shard.lo} to {piece.shard.hi}"
            why = f"{piece.deaths} workers were lost, one after another, while evaluating {units}"
            self._stop(WorkersError(f"{why}; the last because {self._wait.last_loss}"), out)
        elif piece.deaths == 1:
            self._sweep.requeue(piece)
        else:
            self._sweep.delay(piece, now + self._policy.retry_delay * 2**piece.deaths)

    def _watch(self, now: float, out: list[Instruction]) -> None:
        """Without any worker, wait, and say so, but not forever."""
        if self._workers or self.done:
            self._wait.over()
            return
        for instruction in self._wait.wait(now):
            if isinstance(instruction, Stop):
                self._stop(instruction.error, out)
            else:
                out.append(instruction)
