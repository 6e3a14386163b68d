"""The loop: workers evaluate a round's candidates, the strategy makes the next state, observers hear of it."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite
from pathlib import Path
from typing import NamedTuple

import numpy as np
from msgspec import structs

from distsearch.objectives.constraints import Constraints
from distsearch.runs.directory import Result
from distsearch.runs.held import Held
from distsearch.runs.history import RoundRecord
from distsearch.search.assembly import Assembly
from distsearch.search.interrupts import Interrupts
from distsearch.search.limits import CALLBACK, INTERRUPTED, SECONDS
from distsearch.search.noise import Noise
from distsearch.search.observers import Observer, Round
from distsearch.search.rounds import Rounds, best_of_some
from distsearch.strategies.base import Answer, State, losses_of
from distsearch.workers.base import Pool, TimeIsUpError

LOG = logging.getLogger(__name__)

MEMORISED = 0.5  # of the baseline: a lower training loss is no chance
ROUNDS_TO_LEARN = 50  # after fewer, nobody expects a network to know anything


@dataclass(slots=True)
class Spent:
    """What the rounds so far have cost."""

    candidates: int = 0  # losses
    non_finite: int = 0  # those of them that are not finite
    passes: float = 0.0  # forward passes over all training examples
    seconds: float = 0.0

    @classmethod
    def of(cls, done: Sequence[RoundRecord]) -> "Spent":
        """The sum over the rounds that are done."""
        if not done:
            return cls()
        last = done[-1]
        return cls(last.candidates, sum(row.non_finite for row in done), last.passes, last.seconds)


class Found(NamedTuple):
    """How a search has ended, the state that it has come to, and the run's directory, if it is kept."""

    result: Result
    state: State
    path: Path | None = None


def search(
    assembly: Assembly,
    pool: Pool,
    state: State,
    done: Sequence[RoundRecord],
    observer: Observer,
    interrupts: Interrupts,
    run: str = "",
) -> Found:
    """Round after round until a limit is reached, from a state that the rounds `done` have led to.

    SIGINT, SIGTERM and the limit of seconds abandon the current round and end the search; of the first, what was
    evaluated is kept. `run` is the search's name, if it is kept.
    """
    strategy, limits, spent = assembly.strategy, assembly.limits(done), Spent.of(done)
    share = assembly.task.share
    observer.started(state)
    output = assembly.config.output
    target = assembly.config.stop.target_loss
    noise = Noise(pool, found=bool(done) and done[-1].noisy, at_once=target is not None)
    looking = noise if assembly.objective.foreign else None  # a network on its data gives the same bits
    rounds = Rounds(strategy, pool, output.measure_every or 1, output.measure_first, looking, assembly.plan.constraints)
    reason = limits.already  # of a run that was killed when only its result was missing
    began = time.monotonic() - spent.seconds
    pool.deadline, pool.awaits_one = began + limits.seconds, state.best.loss == inf
    while not reason:
        try:
            outcome = interrupts.during(rounds.run, state)
        except TimeIsUpError:
            outcome, reason = None, SECONDS
        if outcome is None:
            reason = reason or INTERRUPTED
            if pool.awaits_one:
                answers = rounds.answered or pool.answered
                return _cut_short(assembly, state, answers, observer, run, reason, time.monotonic() - began)
            if reason == SECONDS and state.round == len(done):
                LOG.warning("not one more round was finished in time: allow more seconds, or make rounds smaller")
            break
        before, losses, state = state, outcome.losses, outcome.after
        if pool.awaits_one:
            pool.awaits_one = state.best.loss == inf
        spent.candidates += len(losses)
        spent.passes += strategy.passes(before) * share
        spent.seconds = time.monotonic() - began
        row = RoundRecord.of(
            before,
            state,
            losses,
            outcome.measured,
            candidates=spent.candidates,
            passes=spent.passes,
            seconds=spent.seconds,
            noisy=noise.found,
        )
        spent.non_finite += row.non_finite
        ends = observer.round(Round(row, losses, state, pool.count))
        reason = limits.reached(row) or (CALLBACK if ends else "")
    result = result_of(run, assembly, reason, spent, state)
    if noise.found and (again := interrupts.during(noise.mean_of_center, state, spent.candidates)) is not None:
        result = structs.replace(result, center_loss=again[0], center_evaluations=again[1])
    observer.ended(result)
    return Found(result, state)


def _cut_short(
    assembly: Assembly,
    state: State,
    answers: Sequence[tuple[int, Answer]],
    observer: Observer,
    run: str,
    reason: str,
    seconds: float,
) -> Found:
    """The end of a search whose first round was given up: the best of what was evaluated in it, or the start."""
    losses = losses_of([answer for _, answer in answers]) if answers else np.empty(0)
    state = replace(state, best=best_of_some(assembly.strategy, state, answers, assembly.objective.measure))
    units = assembly.strategy.units(state)
    what = f"the result is the best of {len(losses):,} of its {units:,} candidates"
    if not len(losses) or assembly.strategy.chosen_by_measuring:
        what = "the result is the start"
    if not isfinite(state.best.loss):
        what += ", none of which has a finite loss" if len(losses) else ", whose loss is not known"
    if reason == SECONDS:
        LOG.warning(f"not one round was finished in time: {what}; allow more seconds, or make rounds smaller")
    else:
        LOG.warning(f"interrupted in the first round: {what}")
    passes = assembly.strategy.passes(state) * assembly.task.share * len(losses) / units
    spent = Spent(len(losses), int(np.count_nonzero(~np.isfinite(losses))), passes, seconds)
    observer.cut(state)
    result = result_of(run, assembly, reason, spent, state)
    observer.ended(result)
    return Found(result, state)


def result_of(run: str, assembly: Assembly, reason: str, spent: Spent, state: State) -> Result:
    """The result of a search that has come to a state."""
    measured, baseline = assembly.objective.measure(state.best.weights), assembly.objective.baseline()
    found = state.best.loss if measured.test_loss is None else measured.test_loss
    constraints = tuple(_held(assembly.plan.constraints, measured.metrics or {}))
    judged = "train" if measured.validation_loss is None else "validation"
    if violated := [each.constraint for each in constraints if each.examples == judged and not each.holds]:
        LOG.warning(f"the weights do not hold to {' and '.join(violated)}, and none that were found do: search longer")
    if baseline is not None and state.round >= ROUNDS_TO_LEARN and not constraints and not found < baseline:
        training = None if measured.test_loss is None else measured.loss
        memorised = training is not None and training < MEMORISED * baseline
        LOG.warning(_no_better(found, baseline, memorised))
    return Result(
        run=run,
        reason=reason,
        rounds=state.round,
        candidates=spent.candidates,
        passes=spent.passes,
        seconds=spent.seconds,
        loss=state.best.loss,
        accuracy=measured.accuracy,
        test_loss=measured.test_loss,
        test_accuracy=measured.test_accuracy,
        validation_loss=measured.validation_loss,
        validation_accuracy=measured.validation_accuracy,
        best_round=state.best.round,
        best_index=state.best.index,
        non_finite=spent.non_finite,
        baseline=baseline,
        metrics=measured.metrics,
        constraints=constraints,
    )


def _no_better(loss: float, baseline: float, memorised: bool) -> str:
    """What to say of a network that predicts no better than one value for all, except where it was trained."""
    if memorised:
        return (
            f"the network has memorised the training examples: on the test examples its loss is {loss:.4g}, and that "
            f"of the best prediction that is the same for all {baseline:.4g}; set examples aside with "
            "--validation-share, or use fewer neurons"
        )
    return (
        f"the network is no better than the same prediction for every example: its loss is {loss:.4g}, and that of the "
        f"best such prediction {baseline:.4g}"
    )


def _held(constraints: Constraints, values: Mapping[str, float]) -> Iterator[Held]:
    """What comes of each constraint on each part of the examples, from the metrics that were measured."""
    for part, prefix in (("train", ""), ("validation", "validation-"), ("test", "test-")):
        if all(f"{prefix}{name}" in values for name in constraints.names):
            for each in constraints.checked(values, prefix):
                yield Held(constraint=each.constraint, examples=part, values=each.values, holds=each.holds)
