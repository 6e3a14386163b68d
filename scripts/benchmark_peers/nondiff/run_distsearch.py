"""Our own search of a row: the program's rounds and measurements, with a stopwatch that stands while it measures."""

import logging
import time
from functools import partial
from math import inf
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from distsearch.machine import one_thread
from distsearch.objectives.base import Measurement
from distsearch.runs.history import Measured
from distsearch.search.assembly import Assembly, assemble
from distsearch.search.rounds import measure
from distsearch.strategies.base import State
from nondiff.marks import Mark, mark_due
from nondiff.rows import ROWS

logging.getLogger("distsearch").addHandler(logging.NullHandler())  # its messages do not belong in the table


def search(order: dict[str, Any]) -> dict[str, Any]:
    """Search for the order's seconds, or the row's rounds."""
    assembly = assemble(ROWS[order["row"]].config(order["folder"], order["seed"], order["workers"]))
    return searched(assembly, order["seconds"])


def searched(assembly: Assembly, seconds: float, until: float = inf, first: int | None = None) -> dict[str, Any]:
    """Search for that many seconds, or the assembly's rounds, or until a mark has the accuracy `until`.

    What counts at the end is the lowest training loss measured. The marks begin after round `first`, if not where the
    program's own measurements do; they are at the same rounds whatever the number of workers, and so, therefore, is
    what is chosen.
    """
    strategy, config = assembly.strategy, assembly.config
    first, most = first or config.output.measure_first or 1, config.stop.rounds
    marks: list[Mark] = []
    with assembly.pool() as pool, one_thread():
        state, spent, due, over = assembly.plan.first, 0.0, 0.0, False
        pool.evaluate(state)  # by now the workers have what they need, as others have imported what they need
        while not over:
            began = time.perf_counter()
            answers = pool.evaluate(state)
            state = strategy.tell(state, answers, partial(pool.weighted_noise, state))
            took = time.perf_counter() - began
            spent += took
            over = state.round == most or spent + took > seconds  # the next round would be too late
            is_due, due = mark_due(due, state.round, first)
            if is_due or over:
                found = measure(strategy, pool, state)
                state = strategy.measured(state, found.train_loss)
                marks.append(_mark(state, spent, strategy.proposed(state), found))
                over = over or marks[-1].accuracy >= until
        return {"marks": marks, "end": _mark(state, spent, state.best.weights, pool.measure(state.best.weights))}


def _mark(state: State, seconds: float, weights: NDArray[np.float32], found: Measured | Measurement) -> Mark:
    loss = found.loss if isinstance(found, Measurement) else found.train_loss
    return Mark(state.round, seconds, found.test_accuracy, loss, f"{crc32(weights):08x}")
