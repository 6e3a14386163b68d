"""Weights of examples and classes: how the data set uses them, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
from pyarrow import Table, parquet

from distsearch.data.datasets import Schema, examples_from, features_from, from_arrays, load, read_examples
from distsearch.errors import DataError, SettingError

X = np.arange(12.0).reshape(6, 2)
Y = ["b", "a", "b", "a", "c", "b"]
TABLE = "x,w,y,t\n1,2,5,b\n2,0,6,a\n3,4,7,b\n4,2,9,a\n"


def weighted(weights=None, class_weight=(), **others):
    return from_arrays(X, Y, numbers=False, weights=weights, class_weight=class_weight, **others)


def test_only_ratios_of_weights_matter_and_their_mean_is_1():
    data = weighted([1, 2, 3, 1, 2, 3])
    assert data.train.weights.dtype == np.float32
    assert data.train.weights.tolist() == [0.5, 1, 1.5, 0.5, 1, 1.5]
    for scale in (1e-30, 7, 1e30):
        assert weighted(scale * np.array([1.0, 2, 3, 1, 2, 3])).train.weights == pytest.approx(data.train.weights)


def test_equal_weights_are_no_weights():
    assert weighted(np.full(6, 0.3)).train.weights is None
    assert weighted(np.full(6, 0.3)).fingerprint == weighted().fingerprint
    assert weighted([1, 2, 1, 1, 1, 1]).fingerprint != weighted().fingerprint


def test_an_example_of_weight_0_is_left_out_everywhere():
    left_out = np.arange(6) != 2
    data = weighted(left_out, scale=True, input_bits=4)
    alone = from_arrays(X[left_out], np.array(Y)[left_out], numbers=False, scale=True, input_bits=4)
    assert data.fingerprint == alone.fingerprint
    assert len(data.train.features) == 5


def test_scaling_counts_an_example_of_weight_2_twice():
    twice = from_arrays(np.concatenate([X, X[3:4]]), [*Y, Y[3]], numbers=False, scale=True)
    data = weighted([1, 1, 1, 2, 1, 1], scale=True)
    assert data.schema.mean == pytest.approx(twice.schema.mean)
    assert data.schema.deviation == pytest.approx(twice.schema.deviation)
    constant = from_arrays(np.full((6, 1), 0.1), Y, numbers=False, scale=True, weights=[1, 1, 1, 2, 1, 1])
    assert (constant.train.features == 0).all()


def test_balanced_classes_have_the_same_sum():
    data = weighted(class_weight=["balanced"])
    assert data.schema.class_weights == pytest.approx((6 / (3 * 2), 6 / (3 * 3), 6 / (3 * 1)))
    sums = np.bincount(data.train.targets, data.train.weights)
    assert sums == pytest.approx([2, 2, 2])
    again = weighted([1, 2, 3, 4, 5, 6], ["balanced"])  # with sample weights, the sums of weights are balanced
    assert np.bincount(again.train.targets, again.train.weights) == pytest.approx([2, 2, 2])


def test_class_weights_multiply_sample_weights():
    data = weighted([1, 1, 2, 1, 1, 1], ["b:3"])
    assert data.schema.class_weights == (1, 3, 1)
    assert data.train.weights == pytest.approx(np.array([3, 1, 6, 1, 1, 3]) * 6 / 15)
    whole = from_arrays(X, [1.0, 2, 1, 2, 3, 1], numbers=False, class_weight=["1.0:5", "3:2"])
    assert whole.schema.class_weights == (5, 1, 2)


def test_a_label_with_a_colon_can_have_a_weight():
    data = from_arrays(X, ["a:1", "b"] * 3, numbers=False, class_weight=["a:1:3"])
    assert data.schema.class_weights == (3, 1)


def test_weights_leave_the_split_unchanged_and_have_a_mean_of_1_in_both_parts():
    X, y = np.arange(40.0)[:, np.newaxis], np.arange(40) % 2
    weights = np.arange(40) + 1.0
    weights[7] = 0
    plain = from_arrays(X, y, numbers=False, test_share=0.25, seed=3)
    data = from_arrays(X, y, numbers=False, test_share=0.25, seed=3, weights=weights)
    for part, unweighted in ((data.train, plain.train), (data.test, plain.test)):
        kept = unweighted.features[unweighted.features[:, 0] != 7]
        assert part.features.tolist() == kept.tolist()
        assert part.weights.mean() == pytest.approx(1)
        assert part.weights / part.weights[0] == pytest.approx((kept[:, 0] + 1) / (kept[0, 0] + 1))


def test_a_column_of_weights_is_not_a_feature(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(TABLE)
    data = load(str(path), numbers=False, weight="w")
    assert data.schema.features == ("x", "y")
    assert data.schema.weight == "w"
    assert data.train.features.tolist() == [[1, 5], [3, 7], [4, 9]]
    assert data.train.weights == pytest.approx([0.75, 1.5, 0.75])
    assert read_examples(str(path), data.schema).weights.tobytes() == data.train.weights.tobytes()
    assert Schema.from_json(data.schema.to_json()) == data.schema
    frame = pd.read_csv(path)
    assert features_from(frame, data.schema).shape == (4, 2)  # the column of weights may be there
    parquet.write_table(Table.from_pandas(frame), tmp_path / "t.parquet")
    assert load(str(tmp_path / "t.parquet"), numbers=False, weight="w").fingerprint == data.fingerprint


def test_new_examples_get_the_class_weights_of_training():
    data = weighted(class_weight=["a:2"])
    further = examples_from(X[:3], ["a", "b", "c"], data.schema)
    assert further.weights == pytest.approx([1.5, 0.75, 0.75])
    assert examples_from(X[:3], ["a", "b", "c"], data.schema, [1, 2, 2]).weights is None
    own = weighted([1, 1, 2, 1, 1, 1])
    assert examples_from(X, Y, own.schema, [1, 1, 2, 1, 1, 1]).weights.tobytes() == own.train.weights.tobytes()


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ([1, 1, -2, 1, 1, 1], "index 2: expected a weight of at least 0 in sample_weight, got -2.0; 0 leaves"),
        ([1, 1, np.nan, 1, 1, 1], "index 2: expected a finite number .* 'sample_weight', got nan"),
        ([1, 1, np.inf, 1, 1, 1], "index 2: expected a finite number"),
        ([1, 1, 1], r"expected one weight per example in sample_weight, so 6, got the shape \(3,\)"),
        (np.ones((6, 2)), r"so 6, got the shape \(6, 2\)"),
        (np.zeros(6), "expected examples with a weight above zero, but all 6 have 0"),
        (3.0, "expected sample_weight as an array, got 3.0"),
        (list("abcdef"), "expected numbers in sample_weight, got <U1"),
        ([1, None, 1, 1, 1, "x"], "expected numbers in sample_weight, got something else"),
        ([1, 1, 1, 1, 0, 1], "of every class, but all of 'c' fell into the test split or have weight 0"),
        (np.ma.masked_array(np.ones(6), [0, 0, 1, 0, 0, 0]), "expected sample_weight without masked values"),
    ],
)
def test_bad_weights_are_refused(weights, sentence):
    with pytest.raises(DataError, match=sentence):
        weighted(weights)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["d:2"], r"--class-weight: expected labels of the data \('a', 'b', 'c'\), got 'd'"),
        (["balance"], "expected balanced, or label:weight for some of the labels, got 'balance'"),
        (["balanced", "a:2"], "or label:weight for some of the labels, got 'balanced'"),
        (["a:0"], "expected a weight above 0 for the label 'a', got '0'; to leave a class out, remove its rows"),
        (["a:-1"], "got '-1'"),
        (["a:nan"], "got 'nan'"),
        (["a:1e39"], "got '1e39'"),
        (["a:much"], "got 'much'"),
        (["a:"], "got ''"),
        (["a:1", "a:2"], "expected one weight per label, got several for 'a'"),
    ],
)
def test_bad_class_weights_are_refused(words, sentence):
    with pytest.raises(SettingError, match=sentence):
        weighted(class_weight=words)


def test_class_weights_are_refused_in_a_regression():
    with pytest.raises(SettingError, match="--class-weight: expected a loss for classes, but this one compares"):
        from_arrays(X, np.arange(6.0), numbers=True, class_weight=["balanced"])


@pytest.mark.parametrize(
    ("table", "column", "sentence"),
    [
        (TABLE, "v", "expected a column of weights, but there is no column 'v'"),
        (TABLE, "t", "expected --weight-column and --target to differ, but both are 't'"),
        (TABLE.replace("2,0", "2,no"), "w", "line 3: expected a number in column 'w', got 'no'"),
        (TABLE.replace("2,0", "2,"), "w", "line 3: expected a weight in column 'w', got nothing; fill it in"),
        (TABLE.replace("2,0", "2,-1"), "w", "line 3: expected a weight of at least 0 in column 'w', got -1"),
    ],
)
def test_bad_columns_of_weights_are_refused(tmp_path, table, column, sentence):
    path = tmp_path / "t.csv"
    path.write_text(table)
    with pytest.raises(DataError, match=sentence):
        load(str(path), numbers=False, weight=column)


def test_a_column_of_weights_needs_named_columns():
    with pytest.raises(DataError, match="vertical has no named columns, so no weights in 'w'; leave out"):
        load("vertical", numbers=False, weight="w")


@pytest.mark.parametrize("damage", [{"class_weights": [1.0]}, {"class_weights": [1, 0, 1]}, {"weight": 3}])
def test_a_damaged_schema_is_refused(damage):
    with pytest.raises(DataError, match="data schema: expected"):
        Schema.from_json({**weighted().schema.to_json(), **damage})
