"""Which workers have room for another piece, the idle first, and of equals the one heard of last."""

from distsearch.workers.dispatch.deadlines import Worker


class Capacity:
    """The workers by how many pieces they have, as far as they can take more."""

    def __init__(self, in_flight: int) -> None:
        self._levels: list[dict[Worker, None]] = [{} for _ in range(in_flight)]  # the one heard of last at the end

    def add(self, worker: Worker) -> None:
        """Note how much room the worker has. While it is slow it has none: nothing is put behind what it has."""
        level = len(worker.pieces)
        if level < len(self._levels) and not worker.slow:
            worker.level = level
            self._levels[level][worker] = None

    def remove(self, worker: Worker) -> None:
        """The worker is not to be sent anything for now."""
        if worker.level is not None:
            del self._levels[worker.level][worker]
            worker.level = None

    @property
    def levels(self) -> range:
        """Numbers of pieces with which a worker may have room, the idle first."""
        return range(len(self._levels))

    def take(self, level: int) -> Worker | None:
        """A worker that has so many pieces, which is removed; None if there is none."""
        if not self._levels[level]:
            return None
        worker = next(reversed(self._levels[level]))
        self.remove(worker)
        return worker
