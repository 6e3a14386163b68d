"""Metrics measured beside the loss, in the course of a search, and the constraints on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distsearch.config.sections import NetworkConfig
from distsearch.data.labels import labels_of
from distsearch.data.scaling import unscaled_targets
from distsearch.data.schema import Schema
from distsearch.objectives import metrics
from distsearch.objectives.constraints import Constraints
from distsearch.objectives.losses.base import Array, Loss
from distsearch.objectives.metrics import Outcome

Groups = Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Judgement:
    """Metrics by their names, from targets and outputs; those that constraints are about among them."""

    names: tuple[str, ...]
    loss: Loss
    schema: Schema
    positive: int
    constraints: Constraints

    def __call__(self, targets: Array, outputs: Array, groups: NDArray[np.int64] | None) -> dict[str, float]:
        """The metrics of all examples, (outputs, examples), and their groups, (columns, examples)."""
        return metrics.measured(self.names, self.outcome(targets, outputs, self.named(groups)))

    def aims(self, targets: Array, outputs: Array, groups: NDArray[np.int64] | None) -> NDArray[np.float64]:
        """How far each constraint is from what the search aims at, (constraints,)."""
        outcome = self.outcome(targets, outputs, self.named(groups))
        return self.constraints.aims(metrics.measured(self.constraints.names, outcome))

    def outcome(self, targets: Array, outputs: Array, groups: Groups) -> Outcome:
        """What a network makes of examples, for metrics."""
        schema, given = self.schema, np.ascontiguousarray(outputs.T)
        if schema.classes is None:
            return Outcome(self.numbers(targets), given, self.predicted(given))
        labels = labels_of(schema.classes, schema.label_type)
        truth = targets[: schema.outputs].argmax(axis=0)  # below are the costs, if there are any
        return Outcome.of_classes(truth, given, labels, self.positive, groups=groups)

    def numbers(self, targets: Array) -> NDArray[np.floating]:
        """Targets, (outputs, examples), in their own units, (examples, outputs)."""
        return unscaled_targets(targets.T, self.schema)

    def predicted(self, outputs: Array) -> NDArray[np.floating]:
        """The numbers that outputs, (examples, outputs), stand for, in the targets' own units."""
        return unscaled_targets(self.loss.predictions(outputs), self.schema)

    def named(self, groups: NDArray[np.int64] | None) -> Groups:
        """Groups, (columns, examples), by the names of their columns."""
        return named_groups(groups, self.schema)


def judgement(names: Sequence[str], settings: NetworkConfig, schema: Schema, loss: Loss) -> Judgement | None:
    """What measures such metrics; None if there are none. SettingError for one that is unknown or does not fit."""
    metrics.check(names, classes=schema.classes is not None)
    constraints = Constraints(settings.subject_to)
    everything = tuple(dict.fromkeys((*names, *constraints.names)))
    return Judgement(everything, loss, schema, positive_number(settings, schema), constraints) if everything else None


def named_groups(groups: NDArray[np.int64] | None, schema: Schema) -> Groups:
    """Groups, (columns, examples), by the names of the schema's columns; none if there are none."""
    return {} if groups is None else dict(zip(schema.groups or (), groups, strict=True))


def positive_number(settings: NetworkConfig, schema: Schema) -> int:
    """The number of the positive class of two."""
    classes, positive = schema.classes, settings.positive
    return classes.index(positive) if classes and positive in classes else 1
