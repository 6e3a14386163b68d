"""The formats of exported models, by the suffix of the file."""

from collections.abc import Callable, Mapping
from pathlib import Path

from distsearch.errors import SettingError
from distsearch.export import json_graph, numpy_code, onnx, tensors
from distsearch.export.pipeline import Pipeline, pipeline_of
from distsearch.objectives.model import Model

Encoder = Callable[[Model, Mapping[str, str]], bytes]


def _of_layers(model: Model) -> Pipeline:
    """The graph of a network of layers, which has few operations. SettingError for a module."""
    if model.config.model:
        raise SettingError("expected a file that ends in .onnx or .safetensors to export a torch module to")
    return pipeline_of(model)


FORMATS: dict[str, Encoder] = {
    ".json": lambda model, provenance: json_graph.encode(_of_layers(model), provenance),
    ".onnx": lambda model, provenance: onnx.encode(pipeline_of(model), provenance),
    ".py": lambda model, provenance: numpy_code.encode(_of_layers(model), provenance),
    ".safetensors": tensors.encode,
}


def check_format(path: Path) -> Encoder:
    """What encodes to the format of a file. SettingError if there is none, or if its package is not installed."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise SettingError(f"expected a file that ends in one of {', '.join(FORMATS)} to export to, got {str(path)!r}")
    if suffix == ".onnx":
        onnx.check()
    return FORMATS[suffix]
