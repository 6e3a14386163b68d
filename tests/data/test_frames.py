"""Data frames of pandas, polars and Arrow: columns by their names."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import distsearch
from distsearch.data.datasets import features_from, from_arrays
from distsearch.data.schema import Schema
from distsearch.errors import DataError
from distsearch.randomness import Stream, noise


def rows_of(columns):
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def structured(columns):
    rows = list(zip(*columns.values(), strict=True))
    return np.array(rows, [(name, np.asarray(column).dtype) for name, column in columns.items()])


KINDS = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "arrow": pa.table,
    "lazy": pl.LazyFrame,
    "columns": dict,
    "rows": rows_of,
    "structured": structured,
}
COLUMNS = {"a": [1.5, 2.5], "b": [3, 4], "c": [True, False]}
LABELS = ["u", "v"]


@pytest.fixture(params=KINDS)
def frame(request):
    return KINDS[request.param]


@pytest.fixture(params=[kind for kind in KINDS if kind != "structured"])
def frame_of_objects(request):
    return KINDS[request.param]


def schema_of(columns, **others) -> Schema:
    return from_arrays(columns, LABELS, numbers=False, **others).schema


def refused(call) -> str:
    with pytest.raises(DataError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_frame_s_columns_become_named_features(frame):
    data = from_arrays(frame(COLUMNS), LABELS, numbers=False)
    assert data.schema.features == ("a", "b", "c")
    assert data.train.features.tolist() == [[1.5, 3, 1], [2.5, 4, 0]]


def test_columns_of_new_data_may_come_in_any_order(frame):
    schema = schema_of(frame(COLUMNS))
    turned = frame({name: COLUMNS[name] for name in ("c", "a", "b")})
    assert features_from(turned, schema).tolist() == [[1.5, 3, 1], [2.5, 4, 0]]
    assert features_from([[1.5, 3, 1]], schema).tolist() == [[1.5, 3, 1]]  # an array has no names, only an order


def test_missing_and_unknown_columns_are_named(frame):
    schema = schema_of(frame(COLUMNS))
    without = frame({"a": [1], "bb": [2], "c": [3]})
    sentence = refused(lambda: features_from(without, schema))
    assert "there is no column 'b' (did you mean 'bb'?); the columns are 'a', 'bb', 'c'" in sentence
    sentence = refused(lambda: features_from(frame({**COLUMNS, "d": [5, 6]}), schema))
    assert "expected only the 3 training features, got 'd' as well" in sentence


def test_the_target_may_be_a_column_beside_the_features():
    series = pd.Series(LABELS, name="kind")
    for target in (series, pl.Series("kind", LABELS)):
        schema = from_arrays(pd.DataFrame(COLUMNS), target, numbers=False).schema
        assert schema.target == "kind"
        assert features_from(pd.DataFrame({"kind": LABELS, **COLUMNS}), schema).shape == (2, 3)


def test_a_frame_is_read_in_order_where_training_had_no_names(frame):
    schema = schema_of(np.ones((2, 3)))
    assert features_from(frame(COLUMNS), schema).tolist() == [[1.5, 3, 1], [2.5, 4, 0]]
    named_so = frame({"x2": [3], "x0": [1], "x1": [2]})
    assert features_from(named_so, schema).tolist() == [[1, 2, 3]]
    assert "expected the 3 training features, got 2" in refused(
        lambda: features_from(frame({"a": [1], "b": [2]}), schema)
    )


def test_masked_values_are_missing_in_whatever_names_its_columns():
    masked = np.ma.array([1.0, 2.0], mask=[False, True])
    texts = np.ma.array(["u", "v"], mask=[True, False])
    days = np.ma.array(np.array(["2024-01-01", "2024-01-02"], "datetime64[ns]"), mask=[False, True])
    assert features_from({"d": days}, schema_of({"d": days}, dates="days")).tolist() == [[19723, 0], [19723, 1]]
    with_mask = np.ma.array([(1.0, "u"), (2.0, "v")], [("a", float), ("b", "U1")], mask=[(0, 1), (1, 0)])
    for given in ({"a": masked, "b": texts}, with_mask):
        assert schema_of(given).inputs == ("a", "a missing", "b=v", "b missing")
    with pytest.raises(DataError, match="index 0: expected one number in column 'a', got 2 in a list or array"):
        schema_of({"a": [[1, 2], [3]]})


def test_column_names_may_be_numbers(tmp_path):
    turned = pd.DataFrame([[1, 2]], columns=[1, 0])
    schema = schema_of(pd.DataFrame([[1, 2], [3, 4]]))
    assert schema.features == ("0", "1")
    assert features_from(turned, schema).tolist() == [[2, 1]]


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (
            pd.DataFrame({"a": pd.to_datetime(["2020", "2021"])}),
            "index 0: expected a number in column 'a', got the date 2020-01-01; convert dates to numbers with",
        ),
        (pd.DataFrame({"a": ["1", "two"]}), "index 1: expected a number in column 'a', got 'two'"),
        (pd.DataFrame({"a": pd.array([1, None], "Int64")}), "index 1: expected a value in column 'a', got nothing"),
        (pd.DataFrame({"a": pd.array([True, None], "boolean")}), "index 1: expected a value in column 'a', got noth"),
        (pl.DataFrame({"a": [1, None]}), "index 1: expected a value in column 'a', got nothing; fill it in, or"),
        (pl.DataFrame({"a": [True, None]}), "index 1: expected a value in column 'a', got nothing"),
        (
            pl.DataFrame({"a": [[1, 2], [3]]}),
            "index 0: expected one number in column 'a', got 2 in a list or array; make a column",
        ),
        (
            pd.DataFrame({"a": [[1, 2], [3]]}),
            "index 0: expected one number in column 'a', got 2 in a list or array; make a column",
        ),
        (pl.DataFrame({"a": pl.Series([[1, 2]] * 2, dtype=pl.Array(pl.Int8, 2))}), "index 0: expected one number in "),
        (pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), "expected every column name once, got 'a' twice"),
        (pd.DataFrame(index=[0, 1]), "expected a feature besides the target, got no columns"),
    ],
)
def test_columns_that_cannot_be_used_are_named(frame, sentence):
    with pytest.raises(DataError, match=f"^the frame(: |, ){sentence}"):
        from_arrays(frame, LABELS, numbers=False, missing="refuse")


def test_text_in_a_frame_becomes_categories_and_a_gap_is_filled(frame_of_objects):
    frame = frame_of_objects
    data = from_arrays(frame({"city": ["p", None], "a": [1.0, 2.0]}), LABELS, numbers=False)
    assert data.schema.inputs == ("city=p", "city missing", "a")
    assert data.train.features.tolist() == [[1, 0, 1], [1, 1, 2]]
    assert features_from(frame({"a": [3], "city": ["q"]}), data.schema).tolist() == [[0, 0, 3]]


def test_all_number_types_of_frames_are_read():
    frame = pd.DataFrame({"a": pd.array([1, 2], "Int64"), "b": pd.array([True, False], "boolean"), "c": ["1.5", "2"]})
    assert from_arrays(frame, LABELS, numbers=False).train.features.tolist() == [[1, 1, 1.5], [2, 0, 2]]


@pytest.mark.parametrize(
    ("index", "said"), [([1, 0], True), ([0, 1], False), ([5, 6], False), ([0, 0], False), (["b", "a"], False)]
)
def test_an_index_in_another_order_is_said(index, said):
    notes = from_arrays(pd.DataFrame({"a": [1, 2]}), pd.Series(LABELS, index=index), numbers=False).notes
    assert any("y.loc[X.index] puts y into the order of X" in note for note in notes) == said


def test_a_row_may_lack_a_column():
    data = from_arrays([{"a": 1}, {"a": 2, "b": 5}], LABELS, numbers=False)
    assert data.schema.inputs == ("a", "b", "b missing")
    assert data.train.features.tolist() == [[1, 5, 1], [2, 5, 0]]


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"a": [1, 2], "b": [1]}, "expected columns of one length, got 2 values for 'a' and 1 for 'b'"),
        ({"a": 1, "b": 2}, "each a list or array, got 1 for 'a'; one example is a list of one dictionary"),
        ([{"a": 1}, [2]], r"expected a dictionary for each example, as at index 0, got \[2\] at index 1"),
    ],
)
def test_dictionaries_that_are_no_table_are_refused(columns, sentence):
    with pytest.raises(DataError, match=sentence):
        from_arrays(columns, LABELS, numbers=False)


def test_a_run_from_a_dictionary_is_resumed_and_verified_with_a_frame(tmp_path):
    settings = {"layers": [], "rounds": 2, "workers": 0, "missing": "refuse"}
    distsearch.search({"b": [1.0, 2.0], "a": [3.0, 4.0]}, LABELS, **settings, runs=str(tmp_path), name="r")
    resumed = distsearch.resume(tmp_path / "r", pd.DataFrame({"a": [3.0, 4.0], "b": [1.0, 2.0]}), LABELS, rounds=2)
    assert resumed.summary.rounds == 4
    assert distsearch.verify(tmp_path / "r", [{"a": 3.0, "b": 1.0}, {"a": 4.0, "b": 2.0}], LABELS).identical


TARGETS = {
    "category": lambda names, values: pd.Series(pd.Categorical(names)),
    "category of numbers": lambda names, values: pd.Series(pd.Categorical(values + 5)),
    "string": lambda names, values: pd.Series(names),
    "Int64": lambda names, values: pd.Series(pd.array(values, "Int64")),
    "boolean": lambda names, values: pd.Series(pd.array(values == 1, "boolean")),
    "frame": lambda names, values: pd.DataFrame({"y": names}),
    "polars": lambda names, values: pl.Series(names),
    "polars enum": lambda names, values: pl.Series(names.tolist(), dtype=pl.Enum(["yes", "no"])),
    "polars boolean": lambda names, values: pl.Series(values == 1),
}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_labels_of_a_frame_come_back_unchanged(target):
    X = noise(1, Stream.DATA, 0, 0, 80, 2)
    values = (X[:, 0] > 0).astype(int)
    y = target(np.array(["no", "yes"])[values], values)
    frame = pd.DataFrame(X, columns=["a", "b"])
    result = distsearch.search(frame, y, layers=[], rounds=60, workers=0)
    predicted = result.predict(frame[["b", "a"]])
    assert predicted.dtype == np.array(y).dtype
    assert predicted.shape == np.shape(y)
    assert (predicted == np.array(y)).mean() == result.accuracy > 0.9
