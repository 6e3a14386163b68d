"""The loop: workers try a round's candidates, the strategy makes the next state, the run's directory keeps it."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from distsearch.config import RunConfig
from distsearch.documents import finite
from distsearch.history import RoundRecord
from distsearch.interrupts import Interrupts
from distsearch.limits import INTERRUPTED, Limits
from distsearch.problem.objective import Accuracies, Objective
from distsearch.runs import Result, Run
from distsearch.strategies.base import State, Strategy, losses_of
from distsearch.workers.base import Workers

Watch = Callable[[RoundRecord, State, int], None]
"""Is shown every round, the state after it, and the number of workers."""


class Spent(NamedTuple):
    """What the rounds so far have cost: candidates, those of them without a finite loss, and seconds."""

    candidates: int
    non_finite: int
    seconds: float

    @classmethod
    def of(cls, done: Sequence[RoundRecord]) -> "Spent":
        """The sum of the rounds that are done."""
        if not done:
            return cls(0, 0, 0.0)
        return cls(done[-1].candidates, sum(row.non_finite for row in done), done[-1].seconds)


def search(
    config: RunConfig,
    strategy: Strategy,
    objective: Objective,
    workers: Workers,
    run: Run,
    state: State,
    limits: Limits,
    spent: Spent,
    watch: Watch,
) -> Result:
    """Round after round until a limit is reached; SIGINT or SIGTERM give up the round in hand and end it.

    spent is what came before, in a run that goes on.
    """
    meter = _Meter(objective, config.output.measure_every)
    reason = ""
    began = time.perf_counter() - spent.seconds
    with Interrupts() as interrupts:
        try:
            while not reason:
                answers = interrupts.during(workers.evaluate, state)
                if answers is None:
                    reason = INTERRUPTED
                    break
                losses = losses_of(answers)
                before, state = state, strategy.tell(state, answers)
                candidates, seconds = spent.candidates + len(losses), time.perf_counter() - began
                row = RoundRecord.of(before, state, losses, candidates, seconds, meter.accuracies(state))
                spent = Spent(candidates, spent.non_finite + row.non_finite, seconds)
                run.record(row, losses)
                watch(row, state, workers.count)
                reason = limits.reached(row)
                if run.save_is_due:
                    run.save(state, objective.named(state.best.weights))
        finally:
            run.save(state, objective.named(state.best.weights))
        result = _result(run.path.name, reason, spent, state, objective)
        run.finish(result)
    return result


class _Meter:
    """Measures the best weights' accuracy every so many rounds, and only if they are others than last time."""

    def __init__(self, objective: Objective, every: int) -> None:
        self._objective = objective
        self._every = every
        self._measured: tuple[int, int] | None = None
        self._accuracies: Accuracies = (None, None)

    def accuracies(self, state: State) -> Accuracies:
        """Accuracy on the training and on the test examples, if this is a round to measure in."""
        if state.round % self._every:
            return None, None
        if self._measured != (state.best.round, state.best.index):
            self._measured = state.best.round, state.best.index
            self._accuracies = self._objective.accuracies(state.best.weights)
        return self._accuracies


def _result(name: str, reason: str, spent: Spent, state: State, objective: Objective) -> Result:
    accuracy, test_accuracy = objective.accuracies(state.best.weights)
    return Result(
        run=name,
        reason=reason,
        rounds=state.round,
        candidates=spent.candidates,
        seconds=spent.seconds,
        loss=finite(state.best.loss),
        accuracy=accuracy,
        test_loss=objective.test_loss(state.best.weights),
        test_accuracy=test_accuracy,
        best_round=state.best.round,
        best_index=state.best.index,
        non_finite=spent.non_finite,
    )
