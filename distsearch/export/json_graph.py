"""JSON: the graph, its constants as lists of numbers, for a reader in any language."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from distsearch.export.pipeline import Pipeline

FORMAT = 1


def encode(pipeline: Pipeline, provenance: Mapping[str, str]) -> bytes:
    """The file's content. Operations are those of ONNX, opset 18; the label of an example is labels[choice]."""
    document = {
        "format": FORMAT,
        "provenance": dict(provenance),
        "features": pipeline.features,
        "inputs": [each._asdict() for each in pipeline.inputs],
        "outputs": [
            {"name": output.name, "value": output.value, "shape": ["examples", *output.shape]}
            for output in pipeline.outputs
        ],
        "choice": pipeline.choice,
        "labels": None if pipeline.labels is None else [_plain(label) for label in pipeline.labels.tolist()],
        "nodes": [
            {"operation": node.operation, "inputs": node.inputs, "output": node.output, "attributes": node.attributes}
            for node in pipeline.graph.nodes
        ],
        "constants": {
            name: {"type": array.dtype.name, "shape": array.shape, "values": _values(array)}
            for name, array in pipeline.graph.constants.items()
        },
    }
    return msgspec.json.encode(document) + b"\n"


def _values(array: NDArray[Any]) -> list[Any]:
    """All numbers in order, in as few digits as tell them apart."""
    flat = array.ravel()
    if array.dtype == np.float32:
        return [float(str(number)) for number in flat]
    return flat.tolist()


def _plain(label: Any) -> Any:
    return label.decode() if isinstance(label, bytes) else label
