"""Feature checks shared by every source: raw features in, matrices of finite numbers out.

Each error gives the location in the source's own terms: a line of a CSV file, a row of a Parquet file, an index.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data.preparation import plain_matrix
from distsearch.data.raw import Raw, Table, quoted, unnamed
from distsearch.errors import DataError


def feature_names(raw: Raw, count: int) -> tuple[str, ...]:
    """The names of the features, or x0, x1, … where the source has none."""
    return raw.names or unnamed(count)


Features = NDArray[np.float32] | NDArray[np.float64]


def feature_matrix(raw: Raw) -> Features:
    """The features, (examples, features), all finite; images and the like are flattened. Raises DataError.

    They are float32, or float64 where float32 might lose digits: standardising timestamps, say, needs all of them.
    """
    features = plain_matrix(raw, raw.features) if isinstance(raw.features, Table) else np.asarray(raw.features)
    if features.dtype.kind in "OUT":
        try:
            features = features.astype(np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(f"{raw.source}: expected numeric features, got something else: {error}") from None
    if features.dtype.kind not in "biuf":
        raise DataError(f"{raw.source}: expected numeric features, got {features.dtype}; encode them as numbers")
    if features.ndim < 2:
        instead = "; one feature is X.reshape(-1, 1), and one example X.reshape(1, -1)" if features.ndim else ""
        raise DataError(f"{raw.source}: expected features of shape (examples, features), got {features.shape}{instead}")
    width = math.prod(features.shape[1:])
    if not len(features) or not width:
        raise DataError(
            f"{raw.source}: expected at least one example with at least one feature, "
            f"got {len(features)} examples with {width} features; add some"
        )
    features = features.reshape(len(features), width)
    floats = finite(raw, features, feature_names(raw, width))
    return floats if np.can_cast(features.dtype, np.float32) else np.ascontiguousarray(features, np.float64)


def image_shape(raw: Raw, given: Sequence[int] | None) -> tuple[int, int, int] | None:
    """Height, width and channels of each example, as given or as the source has them; None if they are no images.

    Raises DataError if the given shape is not that of the examples.
    """
    own = (len(raw.features.columns),) if isinstance(raw.features, Table) else np.shape(raw.features)[1:]
    if given is None:
        if len(own) not in (2, 3):
            return None
        height, width, *channels = own
        return height, width, (channels or [1])[0]
    shape = tuple(given)
    if len(shape) not in (2, 3) or math.prod(shape) != math.prod(own):
        raise DataError(
            f"{raw.source}: expected a --shape of height, width and channels whose product is the "
            f"{math.prod(own)} features, such as 28,28,1 for 784, got {','.join(map(str, shape))}"
        )
    return shape[0], shape[1], (shape[2:] or (1,))[0]


def finite(raw: Raw, values: NDArray[Any], columns: Sequence[str]) -> NDArray[np.float32]:
    """The values, (examples, columns), as float32. Raises DataError with the location of one that is not finite."""
    with np.errstate(over="ignore"):
        floats = np.ascontiguousarray(values, np.float32)
    good = np.isfinite(floats)
    if not good.all():
        example, column = np.unravel_index(int(np.argmin(good)), good.shape)
        raise DataError(
            f"{raw.source}, {raw.place(int(example))}: expected a finite number (below 3.4e38) in column "
            f"{quoted(columns[int(column)])}, got {float(values[example, column])}; "
            "fix it or remove the row"
        )
    return floats
