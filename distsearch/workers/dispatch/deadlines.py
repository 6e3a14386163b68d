"""When a worker is late with the piece it runs, and whose deadline comes first."""

from heapq import heappop, heappush
from math import inf

from distsearch.workers.dispatch.instructions import Policy
from distsearch.workers.dispatch.sweep import Piece


class Worker:
    """A live worker. The first of its pieces is running, and only that one has a deadline."""

    __slots__ = ("deadline", "lates", "level", "missed", "number", "pieces", "slow", "started", "timer")

    def __init__(self, number: int) -> None:
        self.number = number
        self.pieces: list[Piece] = []
        self.started = 0.0  # when the first piece reached the head of the queue
        self.deadline = inf  # when it must be checked next: first for being slow, then for being late
        self.timer = inf  # when it will be checked: never after its deadline
        self.slow = False  # whether it is taking long for the running piece
        self.missed = 0  # deadlines of the running piece
        self.lates = 0  # deadlines in a row that others met in its place
        self.level: int | None = None  # where it is listed as having capacity


class Deadlines:
    """One timer per worker, reset if it fires too early, so that short shards need no timers of their own."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._timers: list[tuple[float, int, Worker]] = []

    def allowance(self, piece: Piece) -> float:
        """The seconds after which the piece is late."""
        if not piece.usual:
            return self._policy.first_deadline
        return max(self._policy.deadline_floor, self._policy.deadline_factor * piece.usual) * _patience(piece)

    def begin(self, worker: Worker, now: float) -> None:
        """Start timing the worker's first piece, if it has any: it runs from now on."""
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
        """Set the worker's deadline to another time."""
        worker.deadline = when
        self._set_timer(worker)

    def first(self) -> Worker | None:
        """The worker with the earliest deadline, if any has one."""
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
    """A factor that grows each time the piece is late: the piece may be slow, rather than its workers."""
    return 1 if piece.settled else 1 + piece.lates
