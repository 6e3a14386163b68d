"""The way from raw columns to the features that a network was trained on, as part of a graph.

This is the one place that knows how `data` prepares features: what is added there (categories, missing values) is added
here, as further inputs of the graph where they are not numbers.
"""

from dataclasses import fields

import numpy as np

from distsearch.data.schema import Schema
from distsearch.errors import SettingError
from distsearch.networks.graph import Graph, Value

INPUT = "X"

EXPRESSED = {"mean", "deviation", "shape", "step", "classes", "label_type", "flat"}
"""What a schema says that a graph does, here or in `pipeline`."""
WITHOUT_EFFECT = {"features", "target", "targets", "ignored", "outputs", "steps", "weight", "class_weights"}
"""What it says that changes no prediction."""


def input_type(schema: Schema) -> str:
    """The type of the input: float64 if features are standardised, as a time in seconds has too many digits else."""
    return "float32" if schema.mean is None else "float64"


def features_of(graph: Graph, schema: Schema) -> Value:
    """Add the way from the input, (examples, columns), to features, (examples, features) float32.

    Raises SettingError if the schema says anything that is not expressed: a graph must never predict something else.
    """
    for part in fields(schema):
        if part.name not in EXPRESSED | WITHOUT_EFFECT and getattr(schema, part.name) != part.default:
            raise SettingError(
                f"data that is prepared by {part.name} cannot be exported as a graph; "
                "export the weights alone, to a .safetensors file"
            )
    value: Value = INPUT
    if schema.mean is not None and schema.deviation is not None:
        centred = graph.add("Sub", value, graph.constant(np.array(schema.mean, np.float64), "mean"))
        deviation = graph.constant(np.array(schema.deviation, np.float32), "deviation")
        value = graph.add("Div", graph.add("Cast", centred, to="float32"), deviation)
    if schema.step is not None:
        steps = graph.add("Round", graph.add("Div", value, float(schema.step)))
        value = graph.add("Mul", steps, float(schema.step))
    return value
