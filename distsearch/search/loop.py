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

    def save() -> None:
        run.save(state, objective.named(state.best.weights), workers.machines)

    save()  # from here on, whatever happens, it can be resumed
    rounds = Rounds(strategy, workers, config.output.measure_every or 1, config.output.measure_first)
    reason = limits.already  # of a run that was killed when only its result was missing
    began = time.perf_counter() - spent.seconds
    with Interrupts() as interrupts:
        try:
            while not reason:
                outcome = interrupts.during(rounds.run, state)
                if outcome is None:
                    reason = INTERRUPTED
                    break
                before, state = state, outcome.after
                candidates, seconds = spent.candidates + len(outcome.losses), time.perf_counter() - began
                row = RoundRecord.of(before, state, outcome.losses, candidates, seconds, outcome.measured)
                spent = Spent(candidates, spent.non_finite + row.non_finite, seconds)
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
        seconds=spent.seconds,
        loss=state.best.loss,
        accuracy=measured.accuracy,
        test_loss=measured.test_loss,
        test_accuracy=measured.test_accuracy,
        best_round=state.best.round,
        best_index=state.best.index,
        non_finite=spent.non_finite,
    )
