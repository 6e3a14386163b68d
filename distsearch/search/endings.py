"""How a search ends: its result, and what there is to say of it."""

import logging
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import NamedTuple

from distsearch.objectives.constraints import Constraints
from distsearch.runs.directory import Result
from distsearch.runs.held import Held
from distsearch.search.assembly import Assembly
from distsearch.search.limits import SECONDS
from distsearch.search.spent import Spent
from distsearch.strategies.base import State

LOG = logging.getLogger(__name__)

MEMORISED = 0.5  # of the baseline: a lower training loss is no chance
ROUNDS_TO_LEARN = 50  # after fewer, nobody expects a network to know anything


class Found(NamedTuple):
    """How a search has ended, the state that it has come to, and the run's directory, if it is kept."""

    result: Result
    state: State
    path: Path | None = None


def warn_of_no_round(assembly: Assembly, state: State, evaluated: int, reason: str) -> None:
    """Say that the first round was given up, and what the result is after so many of its units."""
    what = f"the result is the best of {evaluated:,} of its {assembly.strategy.units(state):,} candidates"
    if not evaluated or assembly.strategy.chosen_by_measuring:
        what = "the result is the start"
    if not isfinite(state.best.loss):
        what += ", none of which has a finite loss" if evaluated else ", whose loss is not known"
    if reason == SECONDS:
        LOG.warning(f"not one round was finished in time: {what}; allow more seconds, or make rounds smaller")
    else:
        LOG.warning(f"interrupted in the first round: {what}")


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
            f"of the best prediction that is the same for all {baseline:.4g}; set a validation share aside, or use "
            "fewer neurons"
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
