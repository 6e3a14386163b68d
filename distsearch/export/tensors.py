"""A model's weights as its network's forward pass sees them, in a safetensors file: as few bits as they have."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.errors import RunError
from distsearch.networks.packing import Layout, unpacked
from distsearch.objectives.model import Model
from distsearch.runs import checkpoints

LAYOUT = "layout"  # of the packed tensors, in the file's header
PROVENANCE = "provenance"


def encode(model: Model, provenance: Mapping[str, str]) -> bytes:
    """A safetensors file of the weights, with the layout of packed ones and the provenance in its header."""
    tensors, layouts = model.packed()
    scalars: dict[str, Any] = {
        LAYOUT: {name: layout._asdict() for name, layout in layouts.items()},
        PROVENANCE: dict(provenance),
    }
    return checkpoints.encode(tensors, scalars)


def decode(path: Path) -> dict[str, NDArray[np.float32]]:
    """The network's tensors from a file that `encode` made, as `Model.of_tensors` takes them. RunError if damaged."""
    tensors, scalars = checkpoints.read(path)
    try:
        layouts = {name: Layout(each["bits"], tuple(each["shape"])) for name, each in scalars[LAYOUT].items()}
        return unpacked(tensors, layouts)
    except (KeyError, ValueError, TypeError) as error:
        raise RunError(f"{path} is not an export of distsearch: {error}") from None
