"""What each example does to a metric of all of them, so that node perturbation can be given metrics without a mean.

It is the change of the metric, times the examples, if one more such example were there: its influence function (Hampel
1974, doi 10.1080/01621459.1974.10482962). Of metrics of decisions it is a table over true and predicted classes, and
groups, for the decisions drawn with the softmax's probabilities; of metrics of order what their losses use.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from distsearch.errors import SettingError
from distsearch.objectives import metrics
from distsearch.objectives.batches import Columns
from distsearch.objectives.constraints import Constraints, penalty, pressures
from distsearch.objectives.judging import Groups, Judgement
from distsearch.objectives.losses.base import Array, softmax
from distsearch.objectives.losses.ranks import Auc, AveragePrecision, RankLoss
from distsearch.objectives.metrics import Outcome

MOST_CLASSES = 32  # of whose pairs an influence is worked out every round
SMOOTHED = 0.5  # of the errors' deviation, by which the step of share-below is smoothed

Influence = Callable[[Array, Array, Groups], Array]
"""Of each of some examples, (candidates, examples), from outputs, one-hot targets or numbers, and groups."""

RANKS: dict[str, type[RankLoss]] = {"auc": Auc, "average-precision": AveragePrecision}
ERRORS = ("mean-absolute-error", "root-mean-squared-error", "r2", "share-below")
NOT_TOLD = ("calibration-error", "median-absolute-error")


def check(constraints: Constraints, classes: int, moves_nodes: bool) -> None:
    """SettingError for a constraint that does not fit the data, or the strategy if that moves nodes.

    classes is 0 where numbers are predicted.
    """
    try:
        metrics.check(constraints.names, classes=classes > 0)
    except SettingError as error:
        raise SettingError(f"--subject-to: {error}") from None
    for name in constraints.names if moves_nodes else ():
        check_influence(name, classes)


def check_influence(name: str, classes: int) -> None:
    """SettingError if it is not known what an example does to a metric; classes is 0 where numbers are predicted."""
    ours = metrics.METRICS.named(name)
    instead = "choose --strategy evolution-strategy"
    if ours in NOT_TOLD or (not classes and ours not in ERRORS):
        raise SettingError(
            f"--subject-to: node-perturbation needs to know what each example does to a metric, and for {name} it "
            f"cannot: {instead}"
        )
    if classes > MOST_CLASSES and ours not in RANKS:
        raise SettingError(
            f"--subject-to: node-perturbation holds to {name} for at most {MOST_CLASSES} classes, got {classes}: "
            f"{instead}"
        )


def pressed(judge: Judgement, multipliers: NDArray[np.float64], outputs: Array, examples: Columns) -> Influence:
    """What each example does to the penalty of the constraints, given the center's outputs on all of the round's.

    outputs are (1, outputs, examples). Over the round's examples its mean is the penalty.
    """
    groups = judge.named(examples.groups)
    outcome, constraints = judge.outcome(examples.targets, outputs[0], groups), judge.constraints
    excesses = constraints.aims(metrics.measured(constraints.names, outcome))
    weights: dict[str, float] = {}  # of the metrics
    for constraint, slope in zip(constraints.all, pressures(multipliers, excesses), strict=True):
        for side, sign in ((constraint.lower, 1), (constraint.higher, -1)):
            if isinstance(side, str) and slope:
                weights[side] = weights.get(side, 0.0) + sign * float(slope) / constraint.unit
    parts = [(weight, influence(name, judge, outcome, outputs, examples.targets)) for name, weight in weights.items()]

    def each(outputs: Array, targets: Array, groups: Groups) -> Array:
        found = np.zeros((len(outputs), targets.shape[1]), np.float32)
        for weight, part in parts:
            found += np.float32(weight) * part(outputs.copy(order="K"), targets, groups)
        return found

    rest = np.float32(penalty(multipliers, excesses) - each(outputs, examples.targets, groups).mean(dtype=np.float64))
    return lambda outputs, targets, groups: each(outputs, targets, groups) + rest


def influence(name: str, judge: Judgement, outcome: Outcome, outputs: Array, targets: Array) -> Influence:
    """What an example does to a metric, given the center's outcome on all examples of the round.

    outputs are (1, outputs, examples), targets (outputs, examples).
    """
    ours = metrics.METRICS.named(name)
    if ours in RANKS:
        return _of_order(RANKS[ours](outcome.positive), outputs, targets[: outputs.shape[1]])
    if outcome.labels is not None:
        return _of_decisions(name, outcome)
    return _of_errors(ours, judge, outcome)


def _of_order(loss: RankLoss, outputs: Array, targets: Array) -> Influence:
    each, classes = loss.surrogate(outputs.copy(), targets), len(targets)
    return lambda outputs, targets, groups: -each(outputs, targets[:classes], None)


def _of_decisions(name: str, outcome: Outcome) -> Influence:
    """A table of influences, (groups, true classes, predicted classes), weighted by the softmax of the outputs."""
    column = metrics.column_in(name)
    classes, count = outcome.outputs.shape[1], len(outcome.truth)
    groups = np.zeros(count, np.int64) if column is None else outcome.groups[column]
    before = metrics.measured([name], outcome)[name]
    table = np.zeros((int(groups.max()) + 1, classes, classes), np.float32)
    for group in np.unique(groups).tolist():
        for true, predicted in np.ndindex(classes, classes):
            more = outcome.with_one_more(true, predicted, {} if column is None else {column: group})
            table[group, true, predicted] = (count + 1) * (metrics.measured([name], more)[name] - before)

    def each(outputs: Array, targets: Array, groups: Groups) -> Array:
        own = 0 if column is None else groups[column]
        of_examples = table[own, targets[:classes].argmax(axis=0)].T  # (predicted classes, examples)
        return np.add.reduce(np.multiply(softmax(outputs), of_examples), axis=1)

    return each


def _of_errors(name: str, judge: Judgement, outcome: Outcome) -> Influence:
    """From the errors of numbers, the mean over the outputs."""
    truth, errors = outcome.truth, outcome.predicted - outcome.truth
    squares = max(float(np.mean(np.square(errors))), np.finfo(np.float64).tiny)
    spread = np.maximum(np.square(truth - truth.mean(axis=0)).mean(axis=0), np.finfo(np.float64).tiny)
    step = max(SMOOTHED * float(errors.std()), np.finfo(np.float64).tiny)

    def of(errors: NDArray[np.float64]) -> NDArray[np.float64]:
        if name == "mean-absolute-error":
            return np.abs(errors)
        if name == "root-mean-squared-error":
            return np.square(errors) / (2 * np.sqrt(squares))
        if name == "r2":
            return -np.square(errors) / spread
        return 0.5 + 0.5 * np.tanh(errors / (2 * step))

    def each(outputs: Array, targets: Array, groups: Groups) -> Array:
        wanted = judge.numbers(targets)
        return np.stack([of(judge.predicted(one.T) - wanted).mean(axis=1) for one in outputs]).astype(np.float32)

    return each
