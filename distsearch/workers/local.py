"""Workers in this process: the twin of the Ray pool, without Ray."""

from typing import Any

from distsearch.workers.base import Workers
from distsearch.workers.jobs import Job


class LocalWorkers(Workers):
    """Does every job here and now."""

    count = 0

    def sweep(self, job: Job) -> list[Any]:
        """What comes of a job, in one run. ObjectiveError with the message of what the objective raised."""
        return [self.done_here(job)]
