"""The loop: workers try a round's candidates, the strategy makes the next state, the run's directory keeps it."""

import time
from collections.abc import Callable

from distsearch.config import RunConfig
from distsearch.interrupts import Interrupts
from distsearch.limits import INTERRUPTED, Limits
from distsearch.problem.objective import Accuracies, Objective
from distsearch.runs import Result, RoundRecord, Run
from distsearch.strategies.base import State, Strategy
from distsearch.workers.base import Workers

Watch = Callable[[RoundRecord, State, int], None]
"""Is shown every round, the state after it, and the number of workers."""


def search(
    config: RunConfig,
    strategy: Strategy,
    objective: Objective,
    workers: Workers,
    run: Run,
    state: State,
    limits: Limits,
    spent: tuple[int, float],
    watch: Watch,
) -> Result:
    """Round after round until a limit is reached; SIGINT or SIGTERM give up the round in hand and end it.

    spent is what came before, in a run that goes on: candidates and seconds.
    """
    meter = _Meter(objective, config.output.measure_every)
    (candidates, seconds), reason = spent, ""
    began = time.perf_counter() - seconds
    with Interrupts() as interrupts:
        try:
            while not reason:
                answers = interrupts.during(workers.evaluate, state)
                if answers is None:
                    reason = INTERRUPTED
                    break
                before, state = state, strategy.tell(state, answers)
                candidates += strategy.units(before)
                seconds = time.perf_counter() - began
                row = RoundRecord(
                    before.round,
                    candidates,
                    seconds,
                    float(answers[0].losses[0]),
                    state.best.loss,
                    state.best is not before.best,
                    before.sigma,
                    *meter.accuracies(state),
                )
                run.record(row)
                watch(row, state, workers.count)
                reason = limits.reached(row)
                if run.save_is_due:
                    run.save(state, objective.named(state.best.weights))
        finally:
            run.save(state, objective.named(state.best.weights))
        result = _result(run.path.name, reason, candidates, seconds, state, objective)
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


def _result(name: str, reason: str, candidates: int, seconds: float, state: State, objective: Objective) -> Result:
    accuracy, test_accuracy = objective.accuracies(state.best.weights)
    return Result(
        run=name,
        reason=reason,
        rounds=state.round,
        candidates=candidates,
        seconds=seconds,
        loss=state.best.loss,
        accuracy=accuracy,
        test_loss=objective.test_loss(state.best.weights),
        test_accuracy=test_accuracy,
        best_round=state.best.round,
        best_index=state.best.index,
    )
