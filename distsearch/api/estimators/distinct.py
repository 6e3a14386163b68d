"""Rows that are the same become one, of their weights' sum: what is minimised stays the same.

So a row of weight 2 is the same as the row twice, to the bit; neither does the order of the rows matter.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def distinct(features: Floats, targets: NDArray[Any], weights: Floats | None) -> tuple[Floats, NDArray[Any], Floats]:
    """The distinct examples in an order of their own, and the sum of each one's weights.

    features are (examples, features), targets (examples,) or (examples, outputs), weights (examples,).
    """
    counted = np.ones(len(features)) if weights is None else weights
    if not counted.all():
        some = counted > 0
        features, targets, counted = features[some], targets[some], counted[some]
    columns = targets.reshape(len(targets), -1).astype(np.float64)
    rows = np.ascontiguousarray(np.concatenate([features, columns], axis=1)) + 0.0  # of −0 and 0, 0
    as_bytes = rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize)))[:, 0]
    _, first, which = np.unique(as_bytes, return_index=True, return_inverse=True)
    if len(first) < 2:  # nothing is learnt from a single example
        return features, targets, counted
    return features[first], targets[first], np.bincount(which, counted).astype(np.float64)
