"""A model's weights as its network's forward pass sees them, in a safetensors file: as few bits as they have."""

from collections.abc import Mapping
from typing import Any

from distsearch.networks.packing import LAYOUT
from distsearch.objectives.model import Model
from distsearch.runs import checkpoints

PROVENANCE = "provenance"


def encode(model: Model, provenance: Mapping[str, str]) -> bytes:
    """A safetensors file of the weights, with the layout of packed ones and the provenance in its header."""
    tensors, layouts = model.packed()
    scalars: dict[str, Any] = {
        LAYOUT: {name: layout._asdict() for name, layout in layouts.items()},
        PROVENANCE: dict(provenance),
    }
    return checkpoints.encode(tensors, scalars)
