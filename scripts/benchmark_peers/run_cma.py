"""pycma: ask, the whole population in one batched NumPy call, tell."""

from typing import Any

import cma
import numpy as np
from tasks import Problem, Race

from distsearch.machine import use_one_thread


def search(problem: Problem, settings: dict[str, Any], race: Race, folder: str) -> None:
    """Search; pycma's own tolerances do not end it."""
    use_one_thread()
    problem.losses_on_all_cores(problem.start[np.newaxis])
    race.begin()
    options = {
        "seed": problem.seed + 1,
        "popsize": settings["population"],
        "verbose": -9,
        "tolfun": 0,
        "tolfunhist": 0,
        "tolx": 0,
        "tolflatfitness": 10**9,
    }
    strategy = cma.CMAEvolutionStrategy(problem.start.astype(np.float64), settings["sigma"], options)
    candidates, best, lowest = 0, problem.start, np.inf
    while True:
        population = strategy.ask()
        losses = problem.losses_on_all_cores(np.array(population, np.float32))
        strategy.tell(population, losses.tolist())
        candidates += len(losses)
        index = int(losses.argmin())
        if losses[index] < lowest:
            best, lowest = population[index], float(losses[index])
        if race.record(candidates, lowest, lambda best=best: best):
            return
