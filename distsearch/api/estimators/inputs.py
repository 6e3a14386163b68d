"""What the estimators are given, as scikit-learn's checks take it: they know fewer containers than `search` does."""

import logging
from typing import Any

import numpy as np

from distsearch.api.estimators.sklearn_versions import validate_data
from distsearch.data.arrays import as_array, is_sparse, is_tensor
from distsearch.data.frames import Columns, framed, is_frame, out_of_order
from distsearch.errors import DataError
from distsearch.errors.importing import importing

LOG = logging.getLogger(__name__)

TEXT = "could not convert string to float"  # how NumPy's refusal begins


def validated(estimator: Any, X: Any, *targets: Any, **options: Any) -> Any:
    """X, or X and y, checked by scikit-learn; the estimator learns the features' number and names, or checks them.

    If y has X's index in another order, a warning says so. Raises DataError for what is no table or holds text, and
    what scikit-learn's checks raise.
    """
    for note in out_of_order(X, *targets) if targets else ():
        LOG.warning(note)
    given = [_plain("X", X), *(_plain("y", each) for each in targets)]
    try:
        return validate_data(estimator, *given, dtype=np.float64, **options)
    except ValueError as error:
        if not str(error).startswith(TEXT):
            raise
        raise DataError(
            f"expected numbers, but {error}: turn text into numbers first, for instance with OneHotEncoder in a "
            "ColumnTransformer; distsearch.search does so by itself"
        ) from None


def _plain(what: str, values: Any) -> Any:
    """Values with named columns as a data frame, and sparse, masked and other arrays as NumPy's; all else as it is."""
    values = framed(values)
    if isinstance(values, Columns):
        with importing("pandas", f"{what}: named columns that are no data frame need"):
            import pandas as pd
        return pd.DataFrame({name: values[name] for name in values.columns})
    if is_frame(values):
        return values
    is_array = np.ma.isMaskedArray(values) or is_sparse(values) or is_tensor(values)
    return as_array(what, values) if is_array else values
