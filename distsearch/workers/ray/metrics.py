"""The progress of a search as gauges in the metrics of its Ray cluster, which Prometheus reads."""

from ray.util.metrics import Gauge

from distsearch.runs.history import RoundRecord
from distsearch.workers.base import Pool

SECONDS = 1.0  # between two times that the gauges are set

GAUGES = {
    "best_loss": "The lowest loss so far.",
    "rounds": "Rounds that are done.",
    "passes_per_second": "Forward passes over all training examples per second, lately.",
    "workers_alive": "Workers that evaluate candidates.",
    "shards_retried": "Shards sent a second time, because the first worker was lost or slow.",
}
"""Each gauge by its name, which Ray prefixes with ray_distsearch_, and what it shows."""


class Gauges:
    """The gauges of one run, tagged with its name."""

    def __init__(self, run: str, pool: Pool) -> None:
        self._pool = pool
        self._gauges = {name: Gauge(f"distsearch_{name}", text, ("run",)) for name, text in GAUGES.items()}
        for gauge in self._gauges.values():
            gauge.set_default_tags({"run": run})
        self._shown = 0.0, 0.0  # passes and seconds when they were last set

    def show(self, row: RoundRecord) -> None:
        """Set them to how it is after a round, at most once a second."""
        passes, seconds = row.passes - self._shown[0], row.seconds - self._shown[1]
        if seconds < SECONDS:
            return
        self._shown = row.passes, row.seconds
        figures = {
            "best_loss": row.best_loss,
            "rounds": row.round + 1,
            "passes_per_second": passes / seconds,
            "workers_alive": self._pool.count,
            "shards_retried": self._pool.retried,
        }
        for name, figure in figures.items():
            self._gauges[name].set(figure)
