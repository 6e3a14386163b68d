"""The loop: workers try a round's candidates, the strategy makes the next state, the run's directory keeps it."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from distsearch.config import RunConfig
from distsearch.objectives.base import Objective
from distsearch.runs.directory import Result, Run
from distsearch.runs.history import RoundRecord
from distsearch.search.interrupts import Interrupts
from distsearch.search.limits import INTERRUPTED, Limits
from distsearch.search.rounds import Rounds
from distsearch.strategies.base import State, Strategy
from distsearch.workers.base import Workers

Watch = Callable[[RoundRecord, State, int], None]
"""Is shown every round, the state after it, and the number of workers."""


class Spent(NamedTuple):
    """What the rounds so far have cost.

    These are losses, those of them that are not finite, forward passes over all training examples, and seconds.
    """

    candidates: int
    non_finite: int
    passes: float
    seconds: float

    @classmethod
    def of(cls, done: Sequence[RoundRecord]) -> "Spent":
        """The sum of the rounds that are done."""
        if not done:
            return cls(0, 0, 0.0, 0.0)
        last = done[-1]
        return cls(last.candidates, sum(row.non_finite for row in done), last.passes, last.seconds)


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
    interrupts: Interrupts,
) -> Result:
    """Round after round until a limit is reached; SIGINT or SIGTERM give up the round in hand and end it.

    spent is what came before, in a run that goes on.
    """

    def save() -> None:
        run.save(state, objective.named(state.best.weights), workers.machines)

    save()  # from here on, whatever happens, it can be resumed
    rounds = Rounds(strategy, workers, config.output.measure_every or 1, config.output.measure_first)
    reason = limits.already  # of a run that was killed when only its result was missing
    began = time.perf_counter() - spent.seconds
    try:
        while not reason:
            outcome = interrupts.during(rounds.run, state)
            if outcome is None:
                reason = INTERRUPTED
                break
            before, state = state, outcome.after
            row = RoundRecord.of(
                before,
                state,
                outcome.losses,
                outcome.measured,
                candidates=spent.candidates + len(outcome.losses),
                passes=spent.passes + strategy.passes(before) * strategy.space.share,
                seconds=time.perf_counter() - began,
            )
            spent = Spent(row.candidates, spent.non_finite + row.non_finite, row.passes, row.seconds)
            run.record(row, outcome.losses)
            watch(row, state, workers.count)
            reason = limits.reached(row)
            if run.save_is_due:
                save()
    finally:
        save()
    result = _result(run.path.name, reason, spent, state, objective)
    run.finish(result)
    return result


def _result(name: str, reason: str, spent: Spent, state: State, objective: Objective) -> Result:
    measured = objective.measure(state.best.weights)
    return Result(
        run=name,
        reason=reason,
        rounds=state.round,
        candidates=spent.candidates,
        passes=spent.passes,
        seconds=spent.seconds,
        loss=state.best.loss,
        accuracy=measured.accuracy,
        test_loss=measured.test_loss,
        test_accuracy=measured.test_accuracy,
        best_round=state.best.round,
        best_index=state.best.index,
        non_finite=spent.non_finite,
    )
