"""A slow function of the user's own: two Ray workers beside one."""

import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from figures import Figure
from numpy.typing import NDArray
from pool import crewed
from timing import in_turns

from distsearch.config import from_flags
from distsearch.search.assembly import Assembly, assemble_function

CALL_SECONDS = 0.1  # of the function, which stands for a simulator
WEIGHTS = 10
# With an odd number of candidates one worker has one more to do: of the 65, two workers are at most 1.97 times one.
POPULATIONS = {"hill-climb": 32, "cma-es": 32, "snes": 65, "evolution-strategy": 65}


def slow_function() -> Callable[[NDArray[np.float32]], float]:
    """A function that can be sent to workers, which have no module of this name."""

    def simulate(weights: NDArray[np.float32]) -> float:
        time.sleep(CALL_SECONDS)
        return float(np.square(weights - 1).sum())

    return simulate


def function_scaling() -> Iterator[Figure]:
    """Rounds of a slow function by two Ray workers, compared with one."""
    from distsearch.workers.ray.cluster import connected

    with connected(2, 0):
        for strategy, population in POPULATIONS.items():
            flags = {"strategy": strategy, "population": population}
            prepared = assemble_function(from_flags(flags), slow_function(), np.zeros(WEIGHTS, np.float32))
            alone, together = in_turns(partial(_round, prepared, 1), partial(_round, prepared, 2), turns=2)
            yield Figure(
                f"{strategy}, {population} calls of {CALL_SECONDS:g} s, two workers",
                f"{together:.2f} s",
                f"{alone:.2f} s, one worker",
                alone / together,
                1.9,
                True,
            )


def _round(prepared: Assembly, workers: int) -> float:
    """Seconds of a round, once all workers are there."""
    with crewed(prepared, workers) as pool:
        began = time.perf_counter()
        pool.evaluate(prepared.plan.first)
        return time.perf_counter() - began
