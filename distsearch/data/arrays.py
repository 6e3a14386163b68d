"""What Python users give as arrays, as NumPy has it: copied, sparse matrices made dense."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distsearch.data.raw import quoted
from distsearch.errors import DataError
from distsearch.machine import memory


def as_array(what: str, values: ArrayLike) -> NDArray[Any]:
    """The values as an array of their own. DataError, which calls them `what`, if they form none."""
    if np.ma.is_masked(values):  # a plain array has no mask and would expose the masked values
        raise DataError(f"expected {what} without masked values; fill them in or remove their rows")
    if _is_sparse(values):
        return _dense(what, values)
    try:
        array = np.array(values)
    except (TypeError, ValueError, RuntimeError) as error:  # the last of tensors that need a gradient
        raise DataError(f"expected {what} that form an array, got something else: {error}") from None
    if not array.ndim:
        instead = "; make a list of it" if isinstance(values, Iterator) else ""
        raise DataError(f"expected {what} as an array, got {quoted(values)}{instead}")
    return array


def _is_sparse(values: object) -> bool:
    """Whether the values are a sparse matrix or array, as SciPy has them."""
    return all(hasattr(values, name) for name in ("toarray", "nnz", "shape", "dtype"))


def _dense(what: str, values: Any) -> NDArray[Any]:
    """A sparse matrix as a dense one. TooLargeError if that would take more memory than there is."""
    size = math.prod(values.shape) * np.dtype(values.dtype).itemsize
    memory.require(f"{what} of shape {values.shape} as a dense array", size, "leave out columns")
    dense: NDArray[Any] = values.toarray()
    return dense
