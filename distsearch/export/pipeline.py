"""A model as one graph: from raw columns to labels and probabilities, or to numbers."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.export.raw_columns import Input, features_of, inputs_of
from distsearch.networks.graph import Graph, Value
from distsearch.objectives.model import Model

NAMES = LABEL, PROBABILITIES, SCORES, PREDICTION = "label", "probabilities", "scores", "prediction"


class Output(NamedTuple):
    """A value that leaves the graph."""

    name: str
    value: Value
    shape: tuple[int, ...]  # besides the examples
    type: str = "float32"


class Pipeline(NamedTuple):
    """What a model computes."""

    graph: Graph  # without the labels
    features: tuple[str, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    raw: Value  # the network's own outputs, or numbers in the targets' units, (examples, outputs)
    choice: Value | None  # the number of the predicted class, (examples,), where there are classes
    labels: NDArray[Any] | None  # (classes,), of the training's type
    flat: bool  # whether what is predicted is (examples,), and not (examples, 1)


def pipeline_of(model: Model) -> Pipeline:
    """The graph of a model. Raises SettingError if its network has a part without such a form."""
    schema, graph = model.schema, Graph()
    outputs = model.network.express(graph, model.weights, features_of(graph, schema))
    labels, choice, count = model.labels, None, schema.outputs
    if labels is None:
        kind = "float32"
        if model.gives_logarithms:
            outputs = graph.add("Exp", outputs)
        if schema.target_mean is not None and schema.target_deviation is not None:
            kind = "float64"
            spread = graph.constant(np.array(schema.target_deviation, np.float64), "target_deviation")
            middle = graph.constant(np.array(schema.target_mean, np.float64), "target_mean")
            outputs = graph.add("Add", graph.add("Mul", graph.add("Cast", outputs, to=kind), spread), middle)
        single = schema.flat and count == 1
        found = [Output(PREDICTION, graph.reshaped(outputs) if single else outputs, () if single else (count,), kind)]
    else:
        choice = graph.strongest(outputs)
        if model.probabilities(np.zeros((1, count), np.float32)) is None:
            found = [Output(SCORES, outputs, (count,))]
        else:
            found = [Output(PROBABILITIES, graph.add("Softmax", outputs, axis=1), (count,))]
    kept = [output.value for output in found] + ([choice] if choice else [])
    graph = graph.needed(kept)
    return Pipeline(graph, schema.features, inputs_of(schema), tuple(found), outputs, choice, labels, schema.flat)
