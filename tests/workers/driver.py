"""A search for tests to disturb, as a separate program: `driver.py FOLDER WORKERS ROUNDS`.

WORKERS is a number, `all`, or 0 for the undisturbed twin. Prints a line at the start of each round, with the number of
workers, one for each sentence to the user and each look at the cluster's CPUs, and at the end the machines and a digest
of every loss and of the weights.
Ends after ROUNDS, or earlier when FOLDER has a file `stop`. Whoever evaluates candidates leaves its process id there.
"""

import hashlib
import logging
import os
import sys
import time
from math import inf
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from problems import create, network_objective, told

from distsearch.candidates.base import Dense
from distsearch.machine import one_thread
from distsearch.objectives.base import Objective
from distsearch.workers.base import Pool
from distsearch.workers.local import LocalPool

POPULATION = 1024
TILE_SECONDS = 0.001  # so that a disturbance at any time hits a round, without keeping the machine busy


class Signed(Objective):
    """A slow objective; each process that evaluates candidates leaves its id in a folder."""

    foreign = True

    def __init__(self, objective: Objective, folder: Path, tile_seconds: float) -> None:
        self._objective, self._folder, self._tile_seconds = objective, folder, tile_seconds
        self.tiling, self.nbytes = objective.tiling, objective.nbytes

    def losses(self, candidates: Dense, round_number: int) -> np.ndarray:
        losses = self._objective.losses(candidates, round_number)
        (self._folder / str(os.getpid())).touch()
        time.sleep(self._tile_seconds)
        return losses


def search(workers: Pool, strategy, state, rounds: int, stop: Path) -> None:
    digest = hashlib.sha256()
    while state.round < rounds and not stop.exists():
        print("round", state.round, workers.count, flush=True)
        answers = workers.evaluate(state)
        digest.update(np.concatenate([answer.losses for answer in answers]).tobytes())
        state = told(strategy, state, answers)
        digest.update(state.center.tobytes() + state.best.weights.tobytes())
    for machine in workers.machines:
        print("machine", machine["processor"], machine["blas"], flush=True)
    print("done", state.round, digest.hexdigest(), flush=True)


def printed(kind: str, number: int) -> int:
    print(kind, number, flush=True)
    return number


def main(folder: Path, workers: str, rounds: int) -> None:
    network = network_objective("digits", (16,))
    strategy = create("hill-climb", {"population": POPULATION}, network)
    state = strategy.init(network.network.start("he", 0), 0)
    objective = Signed(network, folder, TILE_SECONDS if workers != "0" else 0.0)
    with one_thread():
        if workers == "0":
            pool: Pool = LocalPool(strategy, objective)
        else:
            from distsearch.workers.ray import pool as ray_pool

            ray_pool.LOOK_SECONDS, ray_pool.LOOK_SHARE = 0.1, inf  # however long a look takes on a busy machine
            looked = ray_pool.cpus_of_cluster
            ray_pool.cpus_of_cluster = lambda: printed("cpus", looked())
            count = None if workers == "all" else int(workers)
            logging.basicConfig(level=logging.INFO, format="said %(message)s", stream=sys.stdout)
            pool = ray_pool.RayPool(strategy, objective, count)
        with pool:
            search(pool, strategy, state, rounds, folder / "stop")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
