"""A search as a process of its own: for how long, and what it came to."""

from dataclasses import replace
from typing import Any

from apart import FailedError, answer

from nondiff.marks import Mark, Search

CORES = 2  # for an entry
ALLOWANCE, ALLOWED_SHARE = 300.0, 3.0  # for a process besides its search: data, Ray, measurements
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "2"}


def searched(search: Search, runner: str, order: dict[str, Any], *, whole: bool = True) -> Search:
    """A search with what a process has found that runs the module `runner`, or with why it failed.

    The order has its `seconds`, the `folder` of the data, and the numbers of its `cores`, none for any. A search that
    is not whole ran for its speed alone.
    """
    given = {"row": search.row, "workers": search.workers, "seed": search.seed, **order, "runner": runner}
    try:
        document = answer("nondiff.one", given, ALLOWANCE + ALLOWED_SHARE * order["seconds"], ENVIRONMENT)
    except FailedError as error:
        return replace(search, failure=str(error))
    end = Mark(*document["end"]) if whole else None
    return replace(search, marks=tuple(Mark(*mark) for mark in document["marks"]), end=end)
