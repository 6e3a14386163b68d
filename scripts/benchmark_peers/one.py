"""One search in its own process: reads its entry as JSON from the first argument, writes its outcome to the file in
the second.
"""

import importlib
import json
import os
import sys
import time
import warnings
from pathlib import Path

from apart import end_with_parent
from tasks import CORES, TASKS, Problem, Race


def main() -> None:
    end_with_parent(sys.argv[2])
    order = json.loads(sys.argv[1])
    if hasattr(os, "sched_setaffinity"):  # the libraries use as many threads as they have cores
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    warnings.simplefilter("ignore")
    search = importlib.import_module(f"run_{order['kind']}").search
    problem = Problem.of(TASKS[order["task"]], order["mnist"], order["seed"])
    race = Race(problem, order["limit"])
    began = time.perf_counter()
    search(problem, order["settings"], race, order["mnist"])
    values = [value for _, _, value in race.points]
    best = (max if problem.task.accuracy is not None else min)(values, default=None)
    document = {
        "seconds": race.reached,
        "final": race.final if race.final is not None else best,
        "points": race.points,
        "pace": race.pace or [point[:2] for point in (race.points[:1] + race.points[-1:])],
        "process_seconds": time.perf_counter() - began,
        "flops": problem.flops(race.seen or problem.seen),
        "exponentials": problem.exponentials(race.seen or problem.seen),
    }
    Path(sys.argv[2]).write_text(json.dumps(document), encoding="utf-8")


if __name__ == "__main__":
    main()
