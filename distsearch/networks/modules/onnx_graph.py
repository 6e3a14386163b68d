"""A module's forward pass as a graph of ONNX's operations: what torch writes of it, read again and checked."""

import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from distsearch.errors import SettingError
from distsearch.networks.graph import Graph, Value

Array = NDArray[np.float32]

OPSET = 18
CLOSE = 1e-4  # relative and absolute, of float32 sums in another order
INSTEAD = "export the weights alone, to a .safetensors file"


class Flat(torch.nn.Module):  # type: ignore[misc]  # torch's types are skipped
    """A module that takes all examples as (examples, features), and returns (examples, outputs)."""

    def __init__(self, module: Any, shaped: Callable[[Any], Any], of_outputs: Callable[[Any], Any]) -> None:
        super().__init__()
        self.module = module
        self._shaped = shaped
        self._of_outputs = of_outputs

    def forward(self, features: Any) -> Any:
        """The module's outputs."""
        return self._of_outputs(self.module(self._shaped(features)))


def express(module: Any, graph: Graph, features: Value, made_up: Any) -> Value:
    """Add a module that maps (examples, features) to (examples, outputs) to a graph. SettingError if it cannot be.

    made_up are examples that it is tried on: what was written has to give for half of them what the module gives.
    """
    content = _written(module, made_up)
    half = made_up[: len(made_up) // 2]
    try:
        found = _answers(content, half.numpy())
    except Exception as error:
        raise _cannot(
            "what torch wrote cannot be run on another number of examples: take that from x.shape[0], not len(x)"
        ) from error
    expected = module(half).numpy()
    if found.shape != expected.shape or not np.allclose(found, expected, CLOSE, CLOSE, equal_nan=True):
        raise _cannot("what torch wrote gives other outputs, as where its Python decides by values or by their number")
    return _added(content, graph, features)


def _written(module: Any, made_up: Any) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about its own ways to write, and about what tracing cannot see
        try:
            torch.onnx.export(
                module,
                (made_up,),
                file,
                dynamo=False,
                opset_version=OPSET,
                input_names=["features"],
                output_names=["outputs"],
                dynamic_axes={"features": {0: "examples"}, "outputs": {0: "examples"}},
            )
        except Exception as error:
            raise _cannot(_first_line(error)) from error
    return file.getvalue()


def _answers(content: bytes, inputs: Array) -> Array:
    """What ONNX's own interpreter, or the faster one if there is one, makes of inputs."""
    try:
        import onnxruntime
    except ImportError:
        from onnx import load_from_string
        from onnx.reference import ReferenceEvaluator

        return np.asarray(ReferenceEvaluator(load_from_string(content)).run(None, {"features": inputs})[0])
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is told by us
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"features": inputs})[0])


def _added(content: bytes, graph: Graph, features: Value) -> Value:
    """The operations of a model of ONNX, added to a graph: its output."""
    import onnx

    model = onnx.load_from_string(content).graph
    names: dict[str, Value] = {"": "", "features": features}
    for each in model.initializer:
        names[each.name] = graph.constant(onnx.numpy_helper.to_array(each), "W")
    for node in model.node:
        attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        if node.domain or any(isinstance(each, onnx.GraphProto) for each in attributes.values()):
            raise _cannot(f"it has an operation {node.op_type} that others may not know")
        if node.op_type == "Constant":
            names[node.output[0]] = graph.constant(onnx.numpy_helper.to_array(attributes["value"]))
        else:
            made = graph.add_with(node.op_type, [names[each] for each in node.input], len(node.output), attributes)
            names |= {name: value for name, value in zip(node.output, made, strict=True) if name}
    return names[model.output[0].name]


def _cannot(why: str) -> SettingError:
    return SettingError(f"network.model: cannot be exported to ONNX: {why}; {INSTEAD}")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
