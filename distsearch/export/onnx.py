"""ONNX: a graph that onnxruntime and many others run."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.errors import SettingError
from distsearch.export.pipeline import LABEL, Pipeline
from distsearch.export.raw_columns import INPUT

OPSET = 18
IR_VERSION = 8  # the one that came with it
EXAMPLES = "examples"  # the name of the first dimension


def check() -> None:
    """Raise SettingError if the package is not installed."""
    try:
        import onnx  # noqa: F401
    except ImportError:
        raise SettingError('an export to ONNX needs the package onnx: type pip install "distsearch[onnx]"') from None


def encode(pipeline: Pipeline, provenance: Mapping[str, str]) -> bytes:
    """The file's content: an input X of raw columns; the outputs label and probabilities, or scores, or prediction.

    Raises SettingError if the package onnx is not installed, or refuses.
    """
    check()
    from onnx import TensorProto, checker, helper, numpy_helper

    kinds = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}
    renamed = {output.value: output.name for output in pipeline.outputs}
    nodes = [
        helper.make_node(
            node.operation,
            [renamed.get(name, name) for name in node.inputs],
            [renamed.get(node.output, node.output)],
            **{name: kinds[value] if name == "to" else value for name, value in node.attributes.items()},
        )
        for node in pipeline.graph.nodes
    ]
    constants = dict(pipeline.graph.constants)
    outputs = [
        helper.make_tensor_value_info(output.name, TensorProto.FLOAT, [EXAMPLES, *output.shape])
        for output in pipeline.outputs
    ]
    if pipeline.choice is not None and pipeline.labels is not None:
        labels = _storable(pipeline.labels)
        constants["labels"] = labels
        chosen = LABEL if pipeline.flat else "chosen"
        nodes.append(helper.make_node("Gather", ["labels", pipeline.choice], [chosen], axis=0))
        if not pipeline.flat:
            constants["upright"] = np.array([-1, 1], np.int64)
            nodes.append(helper.make_node("Reshape", [chosen, "upright"], [LABEL]))
        kind = numpy_helper.from_array(labels).data_type
        shape = [EXAMPLES] if pipeline.flat else [EXAMPLES, 1]
        outputs.insert(0, helper.make_tensor_value_info(LABEL, kind, shape))
    columns = [EXAMPLES, len(pipeline.features)]
    graph = helper.make_graph(
        nodes,
        "distsearch",
        [helper.make_tensor_value_info(INPUT, kinds[pipeline.input_type], columns)],
        outputs,
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="distsearch")
    model.ir_version = IR_VERSION
    model.producer_version = provenance.get("version", "")
    helper.set_model_props(model, {**provenance, "features": json.dumps(pipeline.features, ensure_ascii=False)})
    checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


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
