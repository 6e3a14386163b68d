"""Metrics measured beside the loss, in the course of a search."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distsearch.config import NetworkConfig
from distsearch.data.labels import labels_of
from distsearch.data.scaling import unscaled_targets
from distsearch.data.schema import Schema
from distsearch.objectives import metrics
from distsearch.objectives.losses.base import Array, Loss
from distsearch.objectives.metrics import Outcome


@dataclass(frozen=True)
class Judgement:
    """Metrics by their names, from targets and outputs."""

    names: tuple[str, ...]
    loss: Loss
    schema: Schema
    positive: int = 1

    def __call__(self, targets: Array, outputs: Array) -> dict[str, float]:
        """The metrics, from targets and outputs of all examples, (outputs, examples)."""
        schema, given = self.schema, np.ascontiguousarray(outputs.T)
        if schema.classes is None:
            predicted = unscaled_targets(self.loss.predictions(given), schema)
            return metrics.measured(self.names, Outcome(unscaled_targets(targets.T, schema), given, predicted))
        labels = labels_of(schema.classes, schema.label_type)
        return metrics.measured(self.names, Outcome.of_classes(targets.argmax(axis=0), given, labels, self.positive))


def judgement(names: Sequence[str], settings: NetworkConfig, schema: Schema, loss: Loss) -> Judgement | None:
    """What measures such metrics; None if there are none. SettingError for one that is unknown or does not fit."""
    metrics.check(names, classes=schema.classes is not None)
    return Judgement(tuple(names), loss, schema, positive_number(settings, schema)) if names else None


def positive_number(settings: NetworkConfig, schema: Schema) -> int:
    """The number of the positive class of two."""
    classes, positive = schema.classes, settings.positive
    return classes.index(positive) if classes and positive in classes else 1
