"""What the estimators are given: the containers of tables that `search` takes, and refusals."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse

from distsearch import SearchClassifier, SearchRegressor

CONTAINERS = {
    "a dictionary of columns": lambda columns: columns,
    "a list of dictionaries": lambda columns: pd.DataFrame(columns).to_dict("records"),
    "a structured array": lambda columns: pd.DataFrame(columns).to_records(index=False),
    "a lazy frame": pl.LazyFrame,
    "a table of Arrow": pa.table,
    "a sparse array": lambda columns: scipy.sparse.csr_array(np.column_stack(list(columns.values()))),
    "a masked array without a mask": lambda columns: np.ma.array(np.column_stack(list(columns.values()))),
}


@pytest.mark.parametrize("made", CONTAINERS.values(), ids=CONTAINERS)
def test_what_search_takes_as_a_table_is_fitted_like_a_data_frame(made):
    columns = {"x": np.arange(30.0), "y": np.tile([0.0, 2.0, 1.0], 10)}
    labels = np.arange(30) > 12
    X, matrix = made(columns), np.column_stack(list(columns.values()))
    fitted, plain = (SearchClassifier(rounds=5, random_state=0).fit(given, labels) for given in (X, matrix))
    assert fitted.result_.weights.tobytes() == plain.result_.weights.tobytes()
    assert (fitted.predict(X) == plain.predict(matrix)).all()
    if hasattr(fitted, "feature_names_in_") or isinstance(X, dict | list):
        assert fitted.feature_names_in_.tolist() == ["x", "y"]
        with pytest.raises(ValueError, match="Feature names must be in the same order"):
            fitted.predict(made(dict(reversed(columns.items()))))


def test_masked_values_and_text_are_refused_in_a_sentence():
    masked = np.ma.array([[0.0], [1.0], [2.0]], mask=[[False], [True], [False]])
    with pytest.raises(ValueError, match="^expected X without masked values; fill them in or remove their rows$"):
        SearchClassifier().fit(masked, [0, 1, 0])
    with pytest.raises(ValueError, match="^expected y without masked values"):
        SearchRegressor().fit([[0.0], [1.0], [2.0]], masked[:, 0])
    with pytest.raises(
        ValueError, match="^expected numbers, but could not .* 'red': turn text into numbers first, for"
    ):
        SearchClassifier().fit({"colour": ["red", "blue"]}, [0, 1])
    with pytest.raises(ValueError, match="^y: expected numbers, got text; SearchClassifier fits labels$"):
        SearchRegressor().fit([[0.0], [1.0]], ["red", "blue"])


def test_an_index_of_y_in_another_order_is_pointed_out_as_by_search(said):
    frame, labels = pd.DataFrame({"x": np.arange(10.0)}), pd.Series(np.arange(10) > 4)
    SearchClassifier(rounds=2).fit(frame, labels)
    assert "the same index" not in " ".join(said)
    SearchClassifier(rounds=2).fit(frame[::-1], labels)
    assert " ".join(said).count("X and y have the same index, but in another order") == 1
