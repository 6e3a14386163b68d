"""Which shard goes to which worker, and what to do about a late, lost or new one: deciding, not acting.

    want  queued  start  joined      ┌────────────┐     StartWorker  Send  Accept
    lost  failed  answered  tick ──▶ │ Dispatcher │ ─▶          GiveUp  Say  Stop
                                     └────────────┘
Events are method calls that carry the time; each returns instructions, to be carried out in order. Nothing here
reads a clock, draws a number or knows of Ray, so that thousands of workers can be simulated. An answer is a pure
function of its units, so a shard may go out twice: the first wins. An event costs the same with two workers as with
thousands; only `start` and `Stop` walk over all.

    sweep.py  what is left to be sent     staff.py  who is started and replaced     deadlines.py  who is late
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
    """The state machine. `now` is in seconds, of any clock that never goes back.

    Feed every event that is ready before `tick`, which alone finds workers late: a busy driver is not their fault.
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
        self._share_at = inf  # when idle workers may take over what others have
        self._wait = Wait(policy.wait_for_worker)  # of a sweep without any worker

    @property
    def done(self) -> bool:
        """Nothing of the sweep is left to be answered."""
        return self._sweep.done

    @property
    def alive(self) -> int:
        """How many workers have joined and are not lost."""
        return len(self._workers)

    @property
    def _sharers(self) -> int:
        """Workers to cut for: those to come as well, or the first to join would be given far too much."""
        return max(len(self._workers), self._staff.wanted)

    def next_deadline(self) -> float | None:
        """When `tick` will have something to do if no event comes before; None: never."""
        earliest = min(self._share_at, self._sweep.next_delayed, self._staff.next_start(self.alive), self._wait.end)
        if (due := self._deadlines.first()) is not None:
            earliest = min(earliest, due.deadline)
        return None if earliest == inf else earliest

    # events

    def want(self, workers: int, now: float) -> list[Instruction]:
        """So many workers are wanted from now on: as the user asked, or as the cluster has room for."""
        self._staff.want(workers)
        return self._staff.fill(self.alive, now)

    def queued(self, now: float) -> list[Instruction]:
        """There is no worker because others have all the cores: they are waited for as long as it takes."""
        return self._wait.queued(now)

    def start(self, boundaries: Sequence[int], now: float, kind: str = "losses") -> list[Instruction]:
        """Begin a sweep over all tiles; an unfinished one is abandoned.

        Tile i is the units boundaries[i] to boundaries[i + 1], and they rise strictly. `kind` names work of
        equal cost a tile: each kind has its own pace.
        """
        self._abandon()
        self._sweeps += 1
        self._sweep = Sweep(self._sweeps, boundaries, self._paces.setdefault(kind, Pace()), self._policy)
        out: list[Instruction] = []
        self._go_on(now, out)
        return out

    def joined(self, worker: int, now: float) -> list[Instruction]:
        """The worker has started and can be sent work."""
        out: list[Instruction] = []
        if self._staff.leave(worker):
            self._workers[worker] = Worker(worker)
            self._wait.over()
            self._feed(self._workers[worker], now, out)
        return out

    def answered(self, worker: int, shard: Shard, now: float, seconds: float | None = None) -> list[Instruction]:
        """The worker has answered the shard. Its answer is wanted only if an Accept comes back.

        `seconds` is how long it ran by the worker's own clock. Without it, it is taken to have run since it came to
        the head of the line, which is too long when the driver is busy and lets answers wait.
        """
        out: list[Instruction] = []
        if (held := self._held(worker, shard)) is None:
            return out  # from a worker that was given up, or said twice
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
                holder.lates += 1  # another began later and was faster
        self._release(holder, piece, now)
        if not piece.settled:
            self._sweep.settle(piece)
            out.append(Accept(shard))
        if not self._drop_if_late(holder, now, out):
            self._feed(holder, now, out)
        return out

    def failed(self, worker: int, shard: Shard, error: Exception, now: float) -> list[Instruction]:
        """The work itself raised an error. It would anywhere, so the shard is never sent again."""
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
        """The worker has died, or could not be started."""
        out: list[Instruction] = []
        if worker in self._workers:
            self._remove(self._workers[worker], reason, now, out)
        elif self._staff.leave(worker):
            self._wait.last_loss = reason
            out += self._staff.fill(self.alive, now)
        return out

    def tick(self, now: float) -> list[Instruction]:
        """Time has passed: due at `next_deadline`, harmless at any time."""
        out: list[Instruction] = []
        self._sweep.wake(now)
        while (worker := self._deadlines.first()) is not None and worker.deadline <= now:
            if worker.slow:
                self._miss(worker, now, out)
            else:
                self._note_slow(worker, now)
        self._go_on(now, out)
        self._share(now, out)
        return out

    def _go_on(self, now: float, out: list[Instruction]) -> None:
        """What is to be done whenever workers or work may be missing."""
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
        """Fill up one worker that has just answered or joined."""
        self._capacity.remove(worker)
        pieces, room = worker.pieces, 0 if worker.slow else self._policy.in_flight
        while len(pieces) < room and (piece := self._sweep.take(pieces, self._sharers)):
            self._send(worker, piece, now, out)
        self._capacity.add(worker)
        if not pieces and self._sweep.can_share:
            self._share_at = now  # not at once: the answers of others may be ready

    def _fill(self, now: float, out: list[Instruction]) -> None:
        """Hand what there is to all workers with room, first to the idle, so that it is spread evenly."""
        for level in self._capacity.levels:
            passed = []
            while self._sweep.has_work and (worker := self._capacity.take(level)):
                if (piece := self._sweep.take(worker.pieces, self._sharers)) is None:
                    passed.append(worker)  # it already has all that there is
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
        """The piece is no longer in flight at the worker; if it ran, the one behind it begins."""
        ran = piece is worker.pieces[0]
        if ran:
            self._forget_slow(worker)
        worker.pieces.remove(piece)
        piece.copies -= 1
        if ran:
            self._deadlines.begin(worker, now)

    def _abandon(self) -> None:
        """What workers still answer of the sweep is not wanted any more."""
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
        """The piece takes long but is not late yet: idle workers, if there are any, try it as well."""
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
        """Nothing is left to be sent: let idle workers repeat what others have not begun or are slow with."""
        self._share_at = inf
        while not self._sweep.has_work and (worker := self._capacity.take(0)):
            piece = self._sweep.share()
            if piece is not None:
                self._send(worker, piece, now, out)
            self._capacity.add(worker)
            if piece is None:
                return

    def _miss(self, worker: Worker, now: float, out: list[Instruction]) -> None:
        """A deadline has passed: let others do what the worker has, and see whether to keep it."""
        piece = worker.pieces[0]
        worker.missed += 1
        worker.lates += piece.settled and worker.missed > 1  # the first one counts when it is answered
        if self._drop_if_late(worker, now, out):
            return
        if worker.missed == 1:
            piece.lates += 1
            for other in reversed(worker.pieces):
                self._sweep.requeue(other)
        # Nobody else has answered it: it may be the piece that is slow, so only change workers one for one.
        silent, allowance = now - worker.started, self._deadlines.allowance(piece)
        longest = max(self._policy.first_deadline, self._policy.lates_before_drop * allowance)
        if silent >= longest * 2**piece.deaths and self._staff.prepay(self.alive, now):
            self._give_up(worker, f"it has been silent for {silent:.0f} s", now, out)
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
        """Take back all that the worker had, the piece that it ran first, and start another in its place."""
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
        self._go_on(now, out)
        out.sort(key=_is_stop)

    def _bereave(self, piece: Piece, now: float, out: list[Instruction]) -> None:
        """The worker that ran the piece is lost: send the piece again, unless it must be what kills workers.

        From the second loss on it waits before it is tried again. Else workers that die together (with their
        node) and are found dead one by one would be taken for its victims.
        """
        piece.deaths += 1
        if piece.deaths >= self._policy.deaths_before_stop:
            units = f"units {piece.shard.lo} to {piece.shard.hi}"
            why = f"{piece.deaths} workers were lost, one after another, while they tried {units}"
            self._stop(WorkersError(f"{why}; the last because {self._wait.last_loss}"), out)
        elif piece.deaths == 1:
            self._sweep.requeue(piece)
        else:
            self._sweep.delay(piece, now + self._policy.retry_delay * 2**piece.deaths)

    def _watch(self, now: float, out: list[Instruction]) -> None:
        """Without any worker there is nothing to do but wait, saying so, and not for ever."""
        if self._workers or self.done:
            self._wait.over()
            return
        for instruction in self._wait.go_on(now):
            if isinstance(instruction, Stop):
                self._stop(instruction.error, out)
            else:
                out.append(instruction)
