"""ONNX: a graph that onnxruntime and many others run."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.errors.importing import importing
from distsearch.export.pipeline import LABEL, NAMES, Pipeline
from distsearch.export.raw_columns import TEXT
from distsearch.networks.graph import Value

OPSET = 18
ML, ML_OPSET = "ai.onnx.ml", 3  # which has what makes numbers of texts
IR_VERSION = 8  # the one that came with it
INTERNAL = "distsearch/"  # before the names of all that is neither a column nor an output
EXAMPLES = "examples"  # the name of the first dimension


def check() -> None:
    """Raise SettingError if the package is not installed."""
    with importing("onnx", "an export to ONNX needs", extra="onnx"):
        import onnx  # noqa: F401


def encode(pipeline: Pipeline, provenance: Mapping[str, str]) -> bytes:
    """The file's content: raw columns as input; the outputs label and probabilities, or scores, or prediction.

    Raises SettingError if the package onnx is not installed, or refuses.
    """
    check()
    from onnx import TensorProto, checker, helper, numpy_helper

    kinds = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE, TEXT: TensorProto.STRING}
    renamed = _names(pipeline)
    nodes = []
    for node in pipeline.graph.nodes:
        inputs, found = ([renamed[name] for name in names] for names in (node.inputs, node.outputs))
        attributes = {
            name: kinds.get(value, value) if name == "to" else value for name, value in node.attributes.items()
        }
        if node.operation == "LabelEncoder":
            attributes = _label_encoder(**attributes)
        nodes.append(helper.make_node(node.operation, inputs, found, **attributes))
    constants = {renamed[name]: array for name, array in pipeline.graph.constants.items()}
    outputs = [
        helper.make_tensor_value_info(output.name, kinds[output.type], [EXAMPLES, *output.shape])
        for output in pipeline.outputs
    ]
    if pipeline.choice is not None and pipeline.labels is not None:
        labels = _storable(pipeline.labels)
        every, chosen, upright = (f"{INTERNAL}{name}" for name in ("labels", "chosen", "upright"))
        constants[every] = labels
        chosen = LABEL if pipeline.flat else chosen
        nodes.append(helper.make_node("Gather", [every, renamed[pipeline.choice]], [chosen], axis=0))
        if not pipeline.flat:
            constants[upright] = np.array([-1, 1], np.int64)
            nodes.append(helper.make_node("Reshape", [chosen, upright], [LABEL]))
        kind = numpy_helper.from_array(labels).data_type
        shape = [EXAMPLES] if pipeline.flat else [EXAMPLES, 1]
        outputs.insert(0, helper.make_tensor_value_info(LABEL, kind, shape))
    graph = helper.make_graph(
        nodes,
        "distsearch",
        [
            helper.make_tensor_value_info(renamed[each.value], kinds[each.type], [EXAMPLES, each.columns])
            for each in pipeline.inputs
        ],
        outputs,
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="distsearch")
    model.ir_version = IR_VERSION
    model.producer_version = provenance.get("version", "")
    helper.set_model_props(model, {**provenance, "features": json.dumps(pipeline.features, ensure_ascii=False)})
    checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _names(pipeline: Pipeline) -> dict[Value, str]:
    """The name of each value: columns and outputs have their own, which must differ."""
    names = {"": ""}  # an input that is left out
    names |= {name: f"{INTERNAL}{name}" for name in pipeline.graph.constants}
    names |= {output: f"{INTERNAL}{output}" for node in pipeline.graph.nodes for output in node.outputs}
    names |= {each.value: f"{each.name} (column)" if each.name in NAMES else each.name for each in pipeline.inputs}
    return names | {output.value: output.name for output in pipeline.outputs}


def _label_encoder(places: Mapping[str, int], other: int) -> dict[str, Any]:
    """The attributes of the operation that looks a text up."""
    return {
        "domain": ML,
        "keys_strings": list(places),
        "values_int64s": list(places.values()),
        "default_int64": other,
    }


def _storable(labels: NDArray[Any]) -> NDArray[Any]:
    """The labels as a tensor of ONNX's: whole numbers, numbers, truths, or else texts."""
    if labels.dtype.kind == "b":
        return labels
    if labels.dtype.kind in "iu" and labels.astype(np.int64).astype(labels.dtype).tolist() == labels.tolist():
        return labels.astype(np.int64)
    if labels.dtype.kind == "f":
        return labels.astype(np.float64 if labels.dtype.itemsize > 4 else np.float32)
    values = labels.tolist()
    for kind, stored in ((bool, np.bool_), (int, np.int64)):
        if all(type(value) is kind for value in values):
            return np.array(values, stored)
    return np.array([value.decode() if isinstance(value, bytes) else str(value) for value in values], object)
