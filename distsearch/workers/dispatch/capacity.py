"""Which workers have capacity for another piece: idle ones first, and among equals the most recently active."""

from distsearch.workers.dispatch.deadlines import Worker


class Capacity:
    """The workers that can take more pieces, grouped by how many they have."""

    def __init__(self, in_flight: int) -> None:
        self._levels: list[dict[Worker, None]] = [{} for _ in range(in_flight)]  # each most recently active last

    def add(self, worker: Worker) -> None:
        """Register the worker's capacity. A slow worker has none: nothing is queued after what it has."""
        level = len(worker.pieces)
        if level < len(self._levels) and not worker.slow:
            worker.level = level
            self._levels[level][worker] = None

    def remove(self, worker: Worker) -> None:
        """Unregister the worker, which is not to be sent anything for now."""
        if worker.level is not None:
            del self._levels[worker.level][worker]
            worker.level = None

    @property
    def levels(self) -> range:
        """The numbers of pieces at which a worker may have capacity, idle first."""
        return range(len(self._levels))

    def take(self, level: int) -> Worker | None:
        """Remove and return a worker that has `level` pieces; None if there is none."""
        if not self._levels[level]:
            return None
        worker = next(reversed(self._levels[level]))
        self.remove(worker)
        return worker
