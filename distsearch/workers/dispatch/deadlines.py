"""When a worker is late with what it runs, and whose deadline comes first."""

from heapq import heappop, heappush
from math import inf

from distsearch.workers.dispatch.instructions import Policy
from distsearch.workers.dispatch.sweep import Piece


class Worker:
    """A worker that is alive. The first of its pieces runs, and only that one has a deadline."""

    __slots__ = ("deadline", "lates", "level", "missed", "number", "pieces", "slow", "started", "timer")

    def __init__(self, number: int) -> None:
        self.number = number
        self.pieces: list[Piece] = []
        self.started = 0.0  # when the first piece came to the head of the line
        self.deadline = inf  # when it is to be looked at next: first to be found slow, then late
        self.timer = inf  # when it is looked at: never after its deadline
        self.slow = False  # it takes long for the piece that runs
        self.missed = 0  # deadlines of the piece that runs
        self.lates = 0  # deadlines that others met in its place, in a row
        self.level: int | None = None  # where it is listed as having room


class Deadlines:
    """One timer a worker, which is set anew when it rings too early: a short shard costs none."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._timers: list[tuple[float, int, Worker]] = []

    def allowance(self, piece: Piece) -> float:
        """Seconds until the piece is late."""
        if not piece.usual:
            return self._policy.first_deadline
        return max(self._policy.deadline_floor, self._policy.deadline_factor * piece.usual) * _patience(piece)

    def begin(self, worker: Worker, now: float) -> None:
        """The first piece of the worker, if it has any, runs from now on."""
        worker.slow = False
        worker.missed = 0
        worker.started = now
        worker.deadline = inf
        if worker.pieces:
            piece = worker.pieces[0]
            backup = max(self._policy.backup_floor, self._policy.backup_factor * (piece.usual or inf))
            worker.deadline = now + min(backup * _patience(piece), self.allowance(piece))
        self._set_timer(worker)

    def move(self, worker: Worker, when: float) -> None:
        """Look at the worker at another time."""
        worker.deadline = when
        self._set_timer(worker)

    def first(self) -> Worker | None:
        """The worker whose deadline comes first."""
        while self._timers:
            when, _, worker = self._timers[0]
            if when == worker.timer == worker.deadline:
                return worker
            heappop(self._timers)
            if when == worker.timer:
                worker.timer = inf
                self._set_timer(worker)
        return None

    def _set_timer(self, worker: Worker) -> None:
        if worker.deadline < worker.timer:
            worker.timer = worker.deadline
            heappush(self._timers, (worker.timer, worker.number, worker))


def _patience(piece: Piece) -> int:
    """More for each time that the piece was late: it may be the piece that is slow, and not its workers."""
    return 1 if piece.settled else 1 + piece.lates
