"""Data sets of torch as arrays. torch is not imported: who gives such a data set has done so."""

import os
import sys
from typing import Any

import numpy as np

from distsearch.data.arrays import of_tensor
from distsearch.errors import DataError, brief
from distsearch.machine import memory


def arrays_of(X: Any, y: Any) -> tuple[Any, Any]:
    """Features and targets: those given, or all that a data set of torch has.

    DataError if that has no fixed length, or if targets are missing.

    Images come with their channels first, (channels, height, width), and are returned with them last.
    """
    if not is_of_torch(X):
        if y is None and not isinstance(X, str | os.PathLike):  # a path is refused later: it stands for no examples
            raise DataError("y: expected the targets of X, one for each example, got None")
        return X, y
    if isinstance(X, sys.modules["torch.utils.data"].DataLoader):
        raise DataError(
            "X: expected arrays or a data set, got a DataLoader, whose batches would do nothing: give its X.dataset"
        )
    if y is not None:
        raise DataError("y: would do nothing, for the data set X has targets of its own: leave it out")
    count = _length(X)
    first, target = _pair(X, 0)
    memory.require(f"{count:,} examples of shape {first.shape}", count * first.nbytes, "take a Subset of them")
    features, targets = np.empty((count, *first.shape), first.dtype), [target]
    features[0] = first
    for number in range(1, count):
        example, target = _pair(X, number)
        _check_shape("examples", first, example, number)
        _check_shape("targets", targets[0], target, number)
        if not np.can_cast(example.dtype, features.dtype):
            features = features.astype(np.result_type(example, features))
        features[number] = example
        targets.append(target)
    return np.moveaxis(features, 1, -1) if features.ndim == 4 else features, np.array(targets)


def _check_shape(what: str, first: Any, other: Any, number: int) -> None:
    if np.shape(other) != np.shape(first):
        raise DataError(
            f"X: expected {what} of one shape, got {np.shape(first)} at index 0 and {np.shape(other)} at index {number}"
        )


def is_of_torch(X: Any) -> bool:
    """Whether it is a data set of torch, which has targets of its own, or a loader of one."""
    data = sys.modules.get("torch.utils.data")
    return data is not None and isinstance(X, data.Dataset | data.DataLoader)


def _length(X: Any) -> int:
    try:
        count = len(X)
    except (TypeError, NotImplementedError):
        raise DataError(
            f"X: expected a data set of a fixed length, got {type(X).__name__}: give its examples as arrays"
        ) from None
    if not count:
        raise DataError(f"X: expected at least one example, got an empty {type(X).__name__}")
    return count


def _pair(X: Any, number: int) -> tuple[Any, Any]:
    """An example and its target."""
    pair = X[number]
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise DataError(f"X: expected (example, target) at index {number} of the data set, got {brief(pair)}")
    example, target = map(of_tensor, pair)
    array = np.asarray(example)
    if array.dtype.kind not in "biuf":
        raise DataError(f"X: expected numbers at index {number} of the data set, got {brief(example)}: transform it")
    return array, np.asarray(target)[()]
