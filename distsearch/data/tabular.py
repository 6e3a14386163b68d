"""Matrices as tables, where there are values missing or text among their numbers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data.preparation import REFUSE
from distsearch.data.raw import Raw, Table, unnamed
from distsearch.data.readers.values import column_of


def tabular(raw: Raw, missing: str = "", texts: Sequence[bool] | None = None) -> Raw:
    """The examples with their features as a table if they are not simply a matrix of numbers.

    texts: which features are text whatever is in them; if given, the features become a table in any case.
    """
    features = raw.features
    test = None if raw.test is None else tabular(raw.test, missing, texts)
    if isinstance(features, Table) or np.ndim(features) != 2:
        return replace(raw, test=test)
    gaps = features.dtype.kind == "f" and missing != REFUSE and bool(np.isnan(features).any())
    others = features.dtype.kind in "UTM" or (features.dtype.kind == "O" and not _are_numbers(features))
    if texts is None and not gaps and not others:
        return replace(raw, test=test)
    names = raw.names or unnamed(features.shape[1])

    def where(index: int) -> str:
        return f"{raw.source}, {raw.place(index)}"

    texts = texts if texts is not None and len(texts) == len(names) else [False] * len(names)
    columns = tuple(column_of(features[:, index], where, name, text=texts[index]) for index, name in enumerate(names))
    return replace(raw, features=Table(columns, len(features)), test=test)


def _are_numbers(features: NDArray[Any]) -> bool:
    """Whether objects are all numbers, and none is missing."""
    try:
        return bool(np.isfinite(features.astype(np.float64)).all())
    except (TypeError, ValueError, OverflowError):
        return False
