"""The way from raw columns to the features that a network was trained on, as part of a graph.

This is the one place that knows how `data` prepares features. Columns that are simply numbers are one input, X; if any
has texts, dates or missing values, each column is an input of its own. A missing number is NaN, a missing text is
empty, and a date is its days since 1970.
"""

from dataclasses import fields
from typing import NamedTuple

import numpy as np

from distsearch.data.preparation import CATEGORY, PARTS, Encoding
from distsearch.data.schema import Schema
from distsearch.errors import SettingError
from distsearch.export.dates import parts_of
from distsearch.networks.graph import Graph, Value

INPUT = "X"
TEXT = "text"

EXPRESSED = {
    *("mean", "deviation", "shape", "step", "classes", "label_type", "flat"),
    *("columns", "target_mean", "target_deviation"),
}
"""What a schema says that a graph does, here or in `pipeline`."""
WITHOUT_EFFECT = {
    "commas",
    "costs",
    "decimal",
    "features",
    "groups",
    "ignored",
    "outputs",
    "steps",
    "target",
    "targets",
    "weight",
    "class_weights",
}
"""What it says that changes no prediction from numbers: a graph reads no text that spells some."""


class Input(NamedTuple):
    """What enters the graph: (examples, columns)."""

    value: Value
    name: str
    type: str  # float32, float64 or text
    columns: int


def inputs_of(schema: Schema) -> tuple[Input, ...]:
    """The inputs: float64 if features are standardised, as a time in seconds has too many digits for float32."""
    if schema.columns is None:
        return (Input(INPUT, INPUT, "float32" if schema.mean is None else "float64", len(schema.features)),)
    named = enumerate(zip(schema.features, schema.columns, strict=True), start=1)
    return tuple(
        Input(f"x{number}", name, TEXT if encoding.kind == CATEGORY else "float64", 1)
        for number, (name, encoding) in named
    )


def features_of(graph: Graph, schema: Schema) -> Value:
    """Add the way from the inputs to features, (examples, features) float32.

    Raises SettingError if the schema says anything that is not expressed: a graph must never predict something else.
    """
    for part in fields(schema):
        if part.name not in EXPRESSED | WITHOUT_EFFECT and getattr(schema, part.name) != part.default:
            raise _refusal(f"data that is prepared by {part.name}")
    value: Value = INPUT
    if schema.columns is not None:
        values = [each.value for each in inputs_of(schema)]
        encoded = [_encoded(graph, *each) for each in zip(values, schema.columns, strict=True)]
        value = graph.add("Concat", *encoded, axis=1)
    if schema.mean is not None and schema.deviation is not None:
        centred = graph.add("Sub", value, graph.constant(np.array(schema.mean, np.float64), "mean"))
        deviation = graph.constant(np.array(schema.deviation, np.float32), "deviation")
        value = graph.add("Div", graph.add("Cast", centred, to="float32"), deviation)
    elif schema.columns is not None:
        value = graph.add("Cast", value, to="float32")
    if schema.step is not None:
        steps = graph.add("Round", graph.add("Div", value, float(schema.step)))
        value = graph.add("Mul", steps, float(schema.step))
    return value


def _encoded(graph: Graph, column: Value, encoding: Encoding) -> Value:
    """The inputs of a column, (examples, inputs) float64, as `preparation` has them."""
    if encoding.kind == CATEGORY:
        return _one_hot(graph, column, encoding)
    missing = None if encoding.fill is None else graph.add("IsNaN", column)
    if missing is not None:
        column = graph.add("Where", missing, np.array(encoding.fill, np.float64), column)
    inputs = parts_of(graph, column) if encoding.kind == PARTS else [column]
    if missing is not None:
        inputs.append(graph.add("Cast", missing, to="float64"))
    return graph.add("Concat", *inputs, axis=1) if len(inputs) > 1 else inputs[0]


def _one_hot(graph: Graph, column: Value, encoding: Encoding) -> Value:
    places = {text: number for number, text in enumerate(encoding.categories)}
    other = len(places) if encoding.others else -1
    numbers = np.arange(len(places) + encoding.others, dtype=np.int64)[np.newaxis]
    if encoding.fill is not None:
        places[""] = places.get(str(encoding.fill), other)
    place = graph.add("LabelEncoder", column, places=places, other=other)
    inputs = graph.add("Cast", graph.add("Equal", place, numbers), to="float64")
    if encoding.fill is None:
        return inputs
    missing = graph.add("LabelEncoder", column, places={"": 1}, other=0)
    return graph.add("Concat", inputs, graph.add("Cast", missing, to="float64"), axis=1)


def _refusal(what: str) -> SettingError:
    return SettingError(f"{what} cannot be exported as a graph; export the weights alone, to a .safetensors file")
