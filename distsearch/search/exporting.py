"""A run's best weights as its network's forward pass sees them, in a file for others: as few bits as they have."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.errors import RunError
from distsearch.networks.packing import Layout, unpacked
from distsearch.runs import checkpoints
from distsearch.runs.directory import StoredRun
from distsearch.search.resumption import stored_model

LAYOUT = "layout"  # of the packed tensors, in the file's header


def exported(stored: StoredRun) -> bytes:
    """A safetensors file of the best weights. RunError if the run's files do not fit together."""
    tensors, layouts = stored_model(stored).packed()
    scalars: dict[str, Any] = {LAYOUT: {name: layout._asdict() for name, layout in layouts.items()}}
    return checkpoints.encode(tensors, scalars)


def imported(path: Path) -> dict[str, NDArray[np.float32]]:
    """The network's tensors from a file that `exported` made, as `Model.of_tensors` takes them. RunError if damaged."""
    tensors, scalars = checkpoints.read(path)
    try:
        layouts = {name: Layout(each["bits"], tuple(each["shape"])) for name, each in scalars[LAYOUT].items()}
        return unpacked(tensors, layouts)
    except (KeyError, ValueError, TypeError) as error:
        raise RunError(f"{path} is not an export of distsearch: {error}") from None
