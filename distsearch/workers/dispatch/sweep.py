"""One pass over the tiles of a round: cut into shards as workers become free; taken back if need be, never lost.

Each shard is a fixed fraction of what is left, so shards shrink towards the end and all workers finish together
(guided self-scheduling, Polychronopoulos & Kuck 1987, doi 10.1109/TC.1987.5009495). A sweep too short for that, as
shards have to be worth a call, is cut into equally many for each worker.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from math import ceil, inf, sqrt

from distsearch.workers.dispatch.instructions import Policy, Shard


class Pace:
    """The usual seconds per tile: the median of the latest answers, which no straggler can skew."""

    __slots__ = ("_latest", "_sorted", "median")
    WINDOW = 63

    def __init__(self) -> None:
        self.median = 0.0  # seconds per tile; 0 before the first answer
        self._latest: deque[float] = deque()
        self._sorted: list[float] = []

    def add(self, tile_seconds: float) -> None:
        """Record another answer, which took `tile_seconds` per tile."""
        if len(self._latest) == self.WINDOW:
            del self._sorted[bisect_left(self._sorted, self._latest.popleft())]
        self._latest.append(tile_seconds)
        insort(self._sorted, tile_seconds)
        self.median = self._sorted[len(self._sorted) // 2]


class Piece:
    """A shard and its status."""

    __slots__ = ("copies", "deaths", "lates", "pace", "settled", "shard", "slows", "tiles", "waiting")

    def __init__(self, shard: Shard, tiles: int, pace: Pace) -> None:
        self.shard = shard
        self.tiles = tiles
        self.pace = pace
        self.settled = False  # answered, or no longer wanted
        self.waiting = False  # to be sent again, at once or after a delay
        self.copies = 0  # workers that have it in flight
        self.slows = 0  # how many of those are slow
        self.lates = 0  # times that a worker was late with it
        self.deaths = 0  # workers lost while running it

    @property
    def usual(self) -> float:
        """The seconds that it should take; 0 while nothing is known."""
        return self.pace.median * self.tiles


class Sweep:
    """The tiles of one sweep. Every unsettled tile is at a worker, waiting here, or not cut yet."""

    def __init__(self, number: int, boundaries: Sequence[int], pace: Pace, policy: Policy) -> None:
        self._number = number
        self._boundaries = boundaries
        self._pace = pace
        self._policy = policy
        self._tiles = self._unsettled = max(0, len(boundaries) - 1)
        self._cut_tiles = 0
        self._planned = False  # whether the pace was known, so that shards could be counted
        self._shards_left = 0  # to cut, if it is a short sweep
        self._queue: deque[Piece] = deque()  # to be sent again
        self._delayed: list[tuple[float, int, Piece]] = []  # the same, but not before a time
        # Pieces queued behind other work, and those at slow workers; each with its worker's pieces, oldest first.
        self._behind: deque[tuple[list[Piece], Piece]] = deque()
        self._slow: deque[tuple[list[Piece], Piece]] = deque()

    @property
    def done(self) -> bool:
        """Whether every tile has been answered."""
        return self._unsettled == 0

    @property
    def has_work(self) -> bool:
        """Whether something can be sent at once."""
        while self._queue and self._queue[0].settled:
            self._queue.popleft()
        return bool(self._queue) or self._cut_tiles < self._tiles

    def has_work_at(self, level: int, workers: int) -> bool:
        """Whether something can be sent to a worker with that many pieces; the last shards go to idle ones."""
        return self.has_work and (level == 0 or bool(self._queue) or not self._are_last(workers))

    @property
    def next_delayed(self) -> float:
        """When the next delayed piece is due; infinite if there is none."""
        return self._delayed[0][0] if self._delayed else inf

    def settle(self, piece: Piece) -> None:
        """Mark a piece as answered."""
        piece.settled = True
        self._unsettled -= piece.tiles

    def take(self, held: list[Piece], workers: int) -> Piece | None:
        """The next piece for a worker that has `held`: first those taken back, then a new cut."""
        for index, piece in enumerate(self._queue):
            # A worker holds so few pieces that one of the first in the queue is not among them.
            if not piece.settled and piece not in held:
                del self._queue[index]
                piece.waiting = False
                return piece
        if (left := self._tiles - self._cut_tiles) == 0:
            return None
        tiles = self._next_tiles(left, workers)
        return None if held and self._are_last(workers) else self._cut(tiles)

    def _are_last(self, workers: int) -> bool:
        """Whether a short sweep has one shard left for each worker: queued, a shard would wait for its own worker.

        Not with so many workers that they would all wait for the driver instead.
        """
        reachable = workers * self._policy.call_seconds <= self._policy.shortest_shard
        return reachable and 0 < self._shards_left <= workers

    def _cut(self, tiles: int) -> Piece:
        lo, hi = self._boundaries[self._cut_tiles], self._boundaries[self._cut_tiles + tiles]
        self._cut_tiles += tiles
        self._shards_left -= self._shards_left > 0
        return Piece(Shard(self._number, lo, hi), tiles, self._pace)

    def _next_tiles(self, left: int, workers: int) -> int:
        """The tiles of the next shard."""
        busy = min(workers, self._most_shards)
        least, share = self._least(workers, busy), self._policy.shards_per_worker * workers
        if self._pace.median and not self._planned:
            self._planned = True
            if least > 1 and self._tiles < least * share:
                self._shards_left = self._count(left, least, busy)
        return ceil(left / self._shards_left) if self._shards_left else min(left, max(least, left // share))

    @property
    def _most_shards(self) -> int:
        """Beyond how many shards a sweep only becomes longer, as the driver sends one after the other.

        N shards take c N / 2 to send, where c is the driver's time per call, and the last one then runs for 1 / N of
        the work: the sum is lowest at N = √(2 work / c).
        """
        work = self._tiles * self._pace.median
        return ceil(sqrt(2 * work / self._policy.call_seconds)) if work else self._tiles

    def _least(self, workers: int, busy: int) -> int:
        """The tiles of a shard that is worth a call; in a short sweep, each of the busy workers has one shard."""
        policy, pace = self._policy, self._pace.median
        least = ceil(self._tiles / policy.max_shards)
        if not pace:
            return least
        seconds = max(policy.shortest_shard, policy.call_seconds * workers)
        return max(least, min(ceil(seconds / pace), ceil(self._tiles / busy)))

    def _count(self, left: int, least: int, busy: int) -> int:
        """The shards of what is left of a short sweep: of `least` tiles or more, and equally many for each worker."""
        most = left // ceil(self._tiles / self._policy.max_shards)
        return max(1, min(most, busy * max(1, left // (least * busy))))

    def requeue(self, piece: Piece) -> None:
        """Queue the piece to be sent again, before all others."""
        if not (piece.settled or piece.waiting):
            piece.waiting = True
            self._queue.appendleft(piece)

    def delay(self, piece: Piece, until: float) -> None:
        """Send the piece again, but not before the time `until`, in seconds."""
        if not (piece.settled or piece.waiting):
            piece.waiting = True
            heappush(self._delayed, (until, piece.shard.lo, piece))

    def wake(self, now: float) -> None:
        """Queue the delayed pieces that are due."""
        while self.next_delayed <= now:
            piece = heappop(self._delayed)[2]
            piece.waiting = False
            self.requeue(piece)

    def note_behind(self, held: list[Piece], piece: Piece) -> None:
        """Note that a piece was sent to a worker still busy with another: it may be shared."""
        behind = self._behind
        while behind and not self._not_begun(*behind[0]):
            behind.popleft()
        behind.append((held, piece))

    def note_slow(self, held: list[Piece], piece: Piece) -> None:
        """Note that the worker that has the piece takes so long that it may be shared."""
        self._slow.append((held, piece))

    @property
    def can_share(self) -> bool:
        """Whether there may be something worth repeating by an idle worker."""
        behind, shortest = self._behind, self._policy.shortest_shard
        while behind and not (self._not_begun(*behind[0]) and behind[0][1].usual > shortest):
            behind.popleft()
        return bool(behind or self._slow)

    def share(self) -> Piece | None:
        """A piece for an idle worker: one not yet begun, from whoever is probably furthest behind; or a slow one.

        It cannot be withdrawn from its first worker (Ray runs a queued call anyway), so a short piece that has not
        begun is not worth sharing.
        """
        if self.can_share and self._behind:
            return self._behind.popleft()[1]
        while self._slow:
            held, piece = self._slow.popleft()
            nobody_else = piece.copies == piece.slows
            if piece in held and nobody_else and not (piece.settled or piece.waiting):
                return piece
        return None

    @staticmethod
    def _not_begun(held: list[Piece], piece: Piece) -> bool:
        """Whether it waits behind another piece."""
        return not piece.settled and piece in held[1:]
