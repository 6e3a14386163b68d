"""The features of files, as predictions read them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distsearch.data.datasets import feature_chunks
from distsearch.data.schema import Schema


def read_features(path: str | Path, schema: Schema) -> NDArray[np.float32]:
    """Those of a file, or of its test set, (examples, features); it may lack the target."""
    return np.concatenate([features for features, _ in feature_chunks(str(path), schema)])
