import json
import math

import numpy as np
import pytest

from distsearch.data.schema import Schema
from distsearch.errors import DataError

OF_TABLES = ("columns", "target_mean", "target_deviation", "targets", "decimal", "commas", "ignored", "groups", "costs")

SCALED = Schema(("x", "y"), "t", ("a", "b"), 2, (3.0, 10.0), (1.5, 1.0))


def test_a_schema_of_format_1_is_read():
    """Format 1 did not record the type of labels: they were text from a file, or could not be returned."""
    document = SCALED.to_json()
    for name in ("label_type", "flat", "shape", "step", "steps", "weight", "class_weights"):
        del document[name]
    assert Schema.from_json({name: document[name] for name in document if name not in OF_TABLES}) == SCALED
    for name in OF_TABLES:
        del document[name]
    assert document == SCALED.learnt
    assert Schema.from_json(document) == SCALED


@pytest.mark.parametrize(
    "schema",
    [
        SCALED,
        Schema(("x",), "", None, 3, None, None),
        Schema(
            ("é", "y"),
            "t",
            ("0", "1", "2"),
            3,
            (float(np.float32(0.1)), -0.5),
            (1.0, 0.5),
            "<i8",
            False,
            (1, 2, 1),
            0.25,
            256,
        ),
    ],
)
def test_a_schema_survives_a_round_trip_through_json(schema):
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"features": []}, "expected features to be a list of distinct names, got []"),
        ({"features": "xy"}, "expected features to be a list of distinct names, got 'xy'"),
        ({"features": ["x", "x"]}, "expected features to be a list of distinct names, got ['x', 'x']"),
        ({"features": ["x", 1]}, "expected features to be a list of distinct names"),
        ({"target": None}, "expected target to be a name, got None"),
        ({"classes": ["a"]}, "expected classes to be a list of at least 2 distinct labels, or null, got ['a']"),
        ({"classes": [0, 1]}, "expected classes to be"),
        ({"outputs": 0}, "expected outputs to be a whole number above 0, got 0"),
        ({"outputs": True}, "expected outputs to be a whole number above 0, got True"),
        ({"outputs": 3}, "expected an output for each of 2 classes, got 3"),
        ({"mean": [1.0]}, "expected a mean and a deviation for each of 2 features, or for none"),
        ({"mean": None}, "expected a mean and a deviation for each of 2 features, or for none"),
        ({"mean": [math.nan, 1.0]}, "expected mean to be a list of numbers, or null, got [nan, 1.0]"),
        ({"mean": [10**400, 1.0]}, "expected mean to be a list of numbers"),
        ({"mean": ["1", 1.0]}, "expected mean to be a list of numbers"),
        ({"mean": [[1.0], 1.0]}, "expected mean to be a list of numbers"),
        ({"deviation": [0.0, 1.0]}, "expected deviation to be a list of numbers above 0, or null"),
        ({"label_type": "O"}, "expected label_type to be a label type, got 'O'"),
        ({"label_type": 8}, "expected label_type to be a label type, got 8"),
        ({"step": 0}, "expected step to be a number above 0, or null, got 0"),
        ({"steps": 3}, "expected steps to be a power of two, or null, got 3"),
        ({"flat": 1}, "expected flat to be true or false, got 1"),
        (
            {"more": 1},
            "expected the fields features, target, classes, outputs, mean, deviation, label_type, flat, shape, step, "
            "steps, weight, class_weights, columns, target_mean, target_deviation, targets, decimal, commas, ignored, "
            "groups, costs, got",
        ),
    ],
)
def test_a_damaged_schema_is_refused(changes, sentence):
    with pytest.raises(DataError) as caught:
        Schema.from_json(SCALED.to_json() | changes)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("document", [{}, [], None, {"features": ["x"]}])
def test_a_document_that_is_not_a_schema_is_refused(document):
    with pytest.raises(DataError, match="data schema: expected the fields features, target"):
        Schema.from_json(document)
