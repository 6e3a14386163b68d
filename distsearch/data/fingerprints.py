"""Fingerprints of data sets: what a run was trained on, to the bit."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from numpy.typing import NDArray

from distsearch.data.schema import Schema


def fingerprint(arrays: Iterable[NDArray[Any]], schema: Schema) -> str:
    """sha256:… of the arrays of all examples, and of what a schema says of what is learnt."""
    digest = hashlib.sha256(json.dumps(schema.learnt, sort_keys=True).encode())
    for array in arrays:
        digest.update(f"{array.shape}{array.dtype.str}".encode())
        digest.update(array.data)
    return f"sha256:{digest.hexdigest()}"
