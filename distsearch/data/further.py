"""Further examples, read as those of training were."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data import preparation, scaling, unseen
from distsearch.data.beside import beside_of
from distsearch.data.checks import feature_matrix, finite
from distsearch.data.examples import Examples
from distsearch.data.raw import Raw, Table, training_features
from distsearch.data.schema import Schema
from distsearch.data.tabular import tabular
from distsearch.data.targets import Labels, target_numbers
from distsearch.data.weights import kept_of
from distsearch.errors import DataError


def network_features(raw: Raw, schema: Schema, warned: set[str] | None = None) -> NDArray[np.float32]:
    """The inputs of further examples, (examples, inputs), read as those of training were.

    warned: columns for which nobody needs to be warned (again) of texts that training had not.
    """
    if schema.columns is None:
        features = feature_matrix(raw)
    else:
        raw = tabular(raw, texts=[name in schema.texts for name in schema.features])
        table = raw.features
        if not isinstance(table, Table):
            raise DataError(f"{raw.source}: expected the {training_features(len(schema.features))}, got an image")
        _check_width(raw, len(table.columns), schema)
        unseen.warn(raw, table, schema, set() if warned is None else warned)
        features = preparation.encode(raw, table, schema.features, schema.columns)
        finite(raw, features, schema.inputs)
    _check_width(raw, features.shape[1] if schema.columns is None else len(schema.features), schema)
    return scaling.scaled(raw, features, schema)


def _check_width(raw: Raw, width: int, schema: Schema) -> None:
    if width != len(schema.features):
        raise DataError(f"{raw.source}: expected the {training_features(len(schema.features))}, got {width}")


def examples_of(raw: Raw, schema: Schema) -> Examples:
    """Further examples, read as the training examples were. Raises DataError if there are none."""
    features = network_features(raw, schema)
    if not len(features):
        raise DataError(f"{raw.source}: expected at least one example, got none; add some")
    targets: NDArray[Any]
    if schema.classes is not None:
        targets = Labels.of(raw).class_numbers(schema.classes)
    else:
        targets = target_numbers(raw)
        if targets.shape[1] != schema.outputs:
            raise DataError(f"{raw.source}: expected {schema.outputs} targets per example, got {targets.shape[1]}")
        targets = scaling.scaled_targets(targets, schema)
    kept, weights = kept_of(raw, None)
    return Examples.of(features[kept], targets[kept], weights, schema, beside_of(raw, schema).at(kept))
