"""Workers in this process: the twin of the Ray pool, without Ray."""

from typing import Any

from distsearch.errors import DistsearchError, ObjectiveError
from distsearch.workers.base import Workers, raised
from distsearch.workers.jobs import Job


class LocalWorkers(Workers):
    """Does every job here and now."""

    count = 0

    def sweep(self, job: Job) -> list[Any]:
        """The whole job in one. ObjectiveError with the message of what the objective raised."""
        try:
            return [job.work(self.strategy, self.objective, 0, job.end(self.strategy, self.objective))]
        except DistsearchError:
            raise
        except Exception as error:
            raise ObjectiveError(raised(error)) from error
