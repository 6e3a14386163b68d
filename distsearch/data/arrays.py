"""What Python users give as arrays, as NumPy has it: copied, sparse matrices made dense."""

import math
import os
from collections.abc import Iterator, KeysView, Set, ValuesView
from decimal import Decimal
from fractions import Fraction
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
    if is_sparse(values):
        return _dense(what, values)
    values = of_tensor(collected(values))
    if isinstance(values, KeysView | ValuesView):
        values = list(values)
    try:
        array = np.array(values)
    except (TypeError, ValueError, RuntimeError) as error:  # the last of tensors in lists that need a gradient
        raise DataError(f"expected {what} that form an array, got {_lengths(values) or error}") from None
    if not array.ndim:
        raise DataError(f"expected {what} as an array, got {quoted(values)}{_instead(values)}")
    if array.ndim == 1 and array.dtype.kind in "US" and _turned_into_text(values, array):
        array = np.array(values, object)
    return _of_objects(what, array) if array.dtype.kind == "O" else array


def _turned_into_text(values: Any, array: NDArray[Any]) -> bool:
    """Whether NumPy has made text of what was none: a number, NaN or True beside text in a list, or bytes."""
    text = str if array.dtype.kind == "U" else bytes
    return isinstance(values, list | tuple) and not all(isinstance(value, text) for value in values)


def collected(values: Any) -> Any:
    """What a lazy frame, as polars has them, holds; all else as it is."""
    is_lazy = all(hasattr(type(values), name) for name in ("collect", "collect_schema", "lazy"))
    return values.collect() if is_lazy and not hasattr(type(values), "__len__") else values


def unmasked(values: Any) -> Any:
    """A masked array of numbers with NaN where it is masked; all else as it is."""
    if not np.ma.is_masked(values) or values.dtype.kind not in "biuf":
        return values
    return values.astype(np.float64).filled(np.nan)


def is_tensor(values: object) -> bool:
    """Whether the values are a tensor of torch."""
    return hasattr(values, "detach") and hasattr(values, "numpy")


def of_tensor(values: Any) -> Any:
    """A tensor of torch as an array, of any precision and layout, on any device, in need of a gradient or not.

    All else is returned as it is. torch is not imported: who gives tensors has done so.
    """
    if not is_tensor(values):
        return values
    dense = values.to_dense() if str(values.layout) != "torch.strided" else values
    try:
        return dense.numpy(force=True)
    except TypeError:  # bfloat16, which NumPy does not have
        return dense.float().numpy(force=True)


def _of_objects(what: str, array: NDArray[Any]) -> NDArray[Any]:
    """Objects with decimal and other fractions as floats, and rows that are each a list or an array as a matrix."""
    if array.ndim == 1 and len(array) and all(isinstance(row, list | tuple | np.ndarray) for row in array):
        if lengths := _lengths(array):
            raise DataError(f"expected {what} that form an array, got {lengths}")
        return np.array(array.tolist())
    for place, value in enumerate(array.flat):
        if isinstance(value, Decimal | Fraction):
            array.flat[place] = float(value)
    return array


def _lengths(values: Any) -> str:
    """What is wrong with rows of more than one length, in words; empty if they are not."""
    counts = (
        [len(row) for row in values if hasattr(row, "__len__")] if isinstance(values, list | tuple | np.ndarray) else []
    )
    other = next((place for place, count in enumerate(counts) if count != counts[0]), None)
    return "" if other is None else f"a row of {counts[0]} at index 0 and one of {counts[other]} at index {other}"


def _instead(values: object) -> str:
    """What to give instead of something that is no array."""
    if isinstance(values, Iterator):
        return "; make a list of it"
    if isinstance(values, Set):
        return "; a set has no order: make a list"
    if isinstance(values, str | os.PathLike):
        return "; read a file first, with pandas for instance, and give a column as frame[name]"
    return ""


def is_sparse(values: object) -> bool:
    """Whether the values are a sparse matrix or array, as SciPy has them."""
    return all(hasattr(values, name) for name in ("toarray", "nnz", "shape", "dtype"))


def _dense(what: str, values: Any) -> NDArray[Any]:
    """A sparse matrix as a dense one. TooLargeError if that would take more memory than there is."""
    size = math.prod(values.shape) * np.dtype(values.dtype).itemsize
    memory.require(f"{what} of shape {values.shape} as a dense array", size, "leave out columns")
    dense: NDArray[Any] = values.toarray()
    return dense
