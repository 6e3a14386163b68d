"""A trained network in one file, which `distsearch.load` reads."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from distsearch.config.sections import NetworkConfig
from distsearch.runs import checkpoints, documents
from distsearch.runs.directory import Result
from distsearch.runs.history import RoundRecord


def model_file(
    network: NetworkConfig,
    schema: Mapping[str, Any],
    tensors: checkpoints.Tensors,
    summary: Result,
    history: Sequence[RoundRecord] = (),
    provenance: Mapping[str, str] | None = None,
    drawn: int = 0,
) -> bytes:
    """The file's content: the network's tensors, and how it, its data and the search were; the schema as JSON."""
    document = {
        "network": msgspec.to_builtins(network),
        "schema": dict(schema),
        "summary": documents.named(msgspec.to_builtins(summary)),
        "history": [documents.named(msgspec.to_builtins(row)) for row in history],
        "provenance": dict(provenance or {}),
        "drawn": drawn,
    }
    return checkpoints.encode(tensors, document)
