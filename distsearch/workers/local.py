"""A pool without workers: this process does everything. The twin of the Ray pool, without Ray."""

from typing import Any

from distsearch.workers.base import Pool
from distsearch.workers.requests import Request


class LocalPool(Pool):
    """Answers every request here and now."""

    count = 0

    def sweep(self, request: Request) -> list[Any]:
        """The answer to a request, as one range."""
        return [self.answered_here(request)]
