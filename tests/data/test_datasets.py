import json
import math
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse
from features import read_features
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from distsearch.data.datasets import (
    Schema,
    feature_chunks,
    features_from,
    from_arrays,
    load,
    read_examples,
)
from distsearch.data.generators import Drawn
from distsearch.errors import DataError
from distsearch.randomness import Stream, noise, permutation

FEATURES = [[1, 10], [2, 10], [3, 10], [6, 10]]
LABELS = ["b", "a", "b", "a"]
SCALED = Schema(("x", "y"), "t", ("a", "b"), 2, (3.0, 10.0), (1.5, 1.0))


# Arrays


@pytest.mark.parametrize(
    "features",
    [
        FEATURES,
        np.array(FEATURES, np.uint8),
        np.array(FEATURES, ">f8"),
        tuple(FEATURES),
        np.array(FEATURES).astype(str),
        pd.Series(FEATURES),
        pd.Series(list(map(np.array, FEATURES))),
        [list(map(Fraction, row)) for row in FEATURES],
        scipy.sparse.dok_array(np.array(FEATURES)),
    ],
)
@pytest.mark.parametrize(
    "labels", [LABELS, np.array(LABELS), np.array(LABELS, object), dict(enumerate(LABELS)).values()]
)
def test_arrays_of_any_kind_become_a_data_set(features, labels):
    data = from_arrays(features, labels, numbers=False)
    assert data.train.features.dtype == np.float32
    assert data.train.features.tolist() == FEATURES
    assert data.train.targets.dtype == np.int64
    assert data.train.targets.tolist() == [1, 0, 1, 0]
    assert data.test is None
    assert data.schema.classes == ("a", "b")
    assert data.schema.features == ("x0", "x1")


def test_arrays_in_fortran_order_become_contiguous():
    data = from_arrays(np.asfortranarray(FEATURES, np.float32), LABELS, numbers=False)
    assert data.train.features.flags.c_contiguous
    assert data.train.features.tolist() == FEATURES


def test_arrays_are_copied_and_then_read_only():
    features, targets = np.array(FEATURES, np.float32), np.array([[1], [2], [3], [4]], np.float32)
    data = from_arrays(features, targets, numbers=True)
    features[0, 0] = targets[0, 0] = 99  # the user's stay writable
    assert data.train.features[0, 0] == data.train.targets[0, 0] == 1
    for array in (data.train.features, data.train.targets, features_from(features, data.schema)):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 0


@pytest.mark.parametrize("kind", [Decimal, Fraction])
def test_targets_may_be_decimal_or_other_fractions(kind):
    targets = [kind("1.5"), kind("-2"), kind("0.25"), kind("4")]
    assert from_arrays(FEATURES, targets, numbers=True).train.targets.tolist() == [[1.5], [-2], [0.25], [4]]
    with_gap = from_arrays(FEATURES, [None, *targets[1:]], numbers=True, missing="drop")
    assert with_gap.train.targets.tolist() == [[-2], [0.25], [4]]


def test_numbers_become_the_targets_of_a_regression():
    data = from_arrays(FEATURES, [1, 2, 3, 4.5], numbers=True)
    assert data.train.targets.dtype == np.float32
    assert data.train.targets.tolist() == [[1], [2], [3], [4.5]]
    assert data.schema == Schema(("x0", "x1"), "", None, 1, None, None)


@pytest.mark.parametrize(
    ("features", "targets", "settings", "sentence"),
    [
        (
            [[1, 2], [3]],
            [0, 1],
            {},
            "expected features that form an array, got a row of 2 at index 0 and one of 1 at index 1",
        ),
        (FEATURES, [[0], [1, 2], [3], [4]], {}, "expected targets that form an array, got a row of 1 at index 0 and"),
        (pd.Series([[1, 2], [3]]), [0, 1], {}, "expected features that form an array, got a row of 2 at index 0 and"),
        ((row for row in FEATURES), LABELS, {}, "expected features as an array, got <generator object"),
        (FEATURES, {"a", "b"}, {}, "; a set has no order: make a list"),
        ("table.csv", None, {}, "expected features as an array, got 'table.csv'; read a file first, with pandas for"),
        (FEATURES, "y", {}, "expected targets as an array, got 'y'; read a file first, with pandas for instance, and"),
        (np.ma.masked_greater(FEATURES, 6), LABELS, {}, "expected features without masked values"),
        (FEATURES, np.ma.masked_equal([0, 1, 0, 2], 2), {}, "expected targets without masked values"),
        (FEATURES, [0, 1], {}, "expected one target per example, got 2 for 4 examples"),
        ([[1, 2]], [0], {}, "expected at least 2 examples to learn from, got 1"),
        (FEATURES, ["a"] * 4, {}, "expected at least 2 classes, but every label is 'a'"),
        (FEATURES, LABELS, {"numbers": True}, "index 0: expected a numeric target, got 'b'"),
        (FEATURES, LABELS, {"test_share": 0.1}, "0.1, which is 0 of 4; use a value from 0.25 to 0.75"),
        (FEATURES, LABELS, {"test_share": 0.9}, "0.9, which is 4 of 4; use a value from 0.25 to 0.75"),
        (FEATURES, LABELS, {"test_share": 1.0}, "expected a test share of at least 0 and below 1, got 1.0"),
        (FEATURES, LABELS, {"test_share": -0.5}, "expected a test share of at least 0 and below 1, got -0.5"),
        (FEATURES, LABELS, {"test_share": math.nan}, "expected a test share of at least 0 and below 1, got nan"),
    ],
)
def test_unusable_arrays_are_refused(features, targets, settings, sentence):
    with pytest.raises(DataError) as caught:
        from_arrays(features, targets, **{"numbers": False, **settings})
    assert sentence in str(caught.value)


# Split


@given(count=st.integers(4, 60), share=st.floats(0.3, 0.7), seed=st.integers(0, 2**64 - 1))
def test_a_split_is_a_seeded_partition_in_the_source_s_order(count, share, seed):
    ids = np.arange(count, dtype=np.float32)
    data = from_arrays(ids[:, np.newaxis], 2 * ids, numbers=True, test_share=share, seed=seed)
    train, test = data.train.features[:, 0].tolist(), data.test.features[:, 0].tolist()
    assert len(test) == round(share * count)
    assert set(test) == set(permutation(seed, Stream.SPLIT, 0, count)[: len(test)].tolist())
    assert sorted(train + test) == ids.tolist()
    assert (train, test) == (sorted(train), sorted(test))
    assert data.train.targets[:, 0].tolist() == [2 * number for number in train]
    assert data.test.targets[:, 0].tolist() == [2 * number for number in test]


def test_every_class_is_trained_on_and_a_rare_one_is_tested_on_as_well():
    labels = np.array(["single", "rare", "rare"] + ["a", "b"] * 10)
    features = np.arange(23)[:, np.newaxis]
    for seed in range(20):
        data = from_arrays(features, labels, numbers=False, test_share=10 / 23, seed=seed)
        assert data.schema.classes == ("a", "b", "rare", "single")
        assert np.bincount(data.train.targets).tolist() in ([6, 5, 1, 1], [5, 6, 1, 1])
        assert len(data.test.targets) == 10


def test_a_class_that_groups_keep_out_of_training_is_named():
    frame = pd.DataFrame({"x": [1.0, 2, 3, 4], "who": [1, 1, 2, 2]})
    with pytest.raises(DataError, match="all of '[ab]' .* --test-share or another --data-seed"):
        from_arrays(frame, ["a", "a", "b", "b"], numbers=False, test_share=0.5, group="who")


def test_a_source_with_a_test_set_of_its_own_is_not_split(tmp_path):
    path = str(tmp_path / "a.npz")
    np.savez(path, x_train=FEATURES, y_train=LABELS, x_test=FEATURES, y_test=LABELS)
    with pytest.raises(DataError, match=r"has its own test set; leave the test share at 0, got 0\.5"):
        load(path, numbers=False, test_share=0.5)


# Scale


def test_scaling_matches_a_calculation_by_hand():
    data = from_arrays(FEATURES, LABELS, numbers=False, scale=True)
    deviation = math.sqrt((4 + 1 + 0 + 9) / 4)
    assert data.schema.mean == (3, 10)
    assert data.schema.deviation == (float(np.float32(deviation)), 1)  # a constant feature is not scaled
    assert data.train.features[:, 0] == pytest.approx(np.array([-2, -1, 0, 3]) / deviation)
    assert data.train.features[:, 1].tolist() == [0, 0, 0, 0]


def test_scaling_is_fitted_on_the_training_examples_alone():
    features = np.arange(40, dtype=np.float32).reshape(20, 2) ** 2
    data = from_arrays(features, np.arange(20), numbers=True, scale=True, test_share=0.5, seed=3)
    order = permutation(3, Stream.SPLIT, 0, 20)
    train, test = features[np.sort(order[10:])].astype(float), features[np.sort(order[:10])].astype(float)
    assert data.train.features.mean(axis=0) == pytest.approx([0, 0], abs=1e-6)
    assert data.train.features.std(axis=0) == pytest.approx([1, 1], rel=1e-6)
    assert data.test.features == pytest.approx((test - train.mean(axis=0)) / train.std(axis=0), rel=1e-5)


@pytest.mark.parametrize("count", [3, 7, 11])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_rounding_gives_a_constant_feature_no_deviation(count, kind):
    data = from_arrays(np.full((count, 1), 0.1, kind), np.arange(count), numbers=True, scale=True)
    assert data.schema.deviation == (1,)
    assert not data.train.features.any()


TIMES = 1_700_000_000 + np.arange(120)  # seconds since 1970, which float32 maps to two numbers


@pytest.mark.parametrize("kind", ["arrays", "csv", "parquet", "npz"])
def test_features_keep_all_their_digits_when_standardised(tmp_path, kind):
    labels = (np.arange(120) >= 60).astype(int)
    path = str(tmp_path / f"data.{kind}")
    if kind == "arrays":
        data = from_arrays(TIMES[:, np.newaxis], labels, numbers=False, scale=True)
    else:
        if kind == "csv":
            np.savetxt(path, np.stack([TIMES, labels], axis=1), "%d", delimiter=",", header="x,y", comments="")
        elif kind == "parquet":
            parquet.write_table(pa.table({"x": TIMES, "y": labels}), path)
        else:
            np.savez(path, X=TIMES[:, np.newaxis], y=labels)
        data = load(path, numbers=False, scale=True)
        assert read_features(path, data.schema).tobytes() == data.train.features.tobytes()
    expected = (TIMES - TIMES.mean()) / TIMES.std()
    assert data.train.features[:, 0] == pytest.approx(expected, rel=1e-6)
    assert features_from(TIMES[:7, np.newaxis], data.schema)[:, 0] == pytest.approx(expected[:7], rel=1e-6)


def test_the_mean_of_float32_features_is_kept_in_float64():
    schema = from_arrays(TIMES[:, np.newaxis], TIMES, numbers=True, scale=True).schema
    rounded = TIMES.astype(np.float32)
    expected = (rounded.astype(float) - TIMES.mean()) / TIMES.std()
    assert features_from(rounded[:, np.newaxis], schema)[:, 0] == pytest.approx(expected, rel=1e-6)


@given(values=st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=30))
def test_scaling_float32_features_gives_the_bits_of_float32(values):
    """What was standardised before float64 was used still gives the same bits."""
    features = np.array(values, np.float32)[:, np.newaxis]
    data = from_arrays(features, np.arange(len(values)), numbers=True, scale=True)
    mean, deviation = (np.array(part, np.float32) for part in (data.schema.mean, data.schema.deviation))
    assert data.train.features.tobytes() == ((features - mean) / deviation).tobytes()


def test_a_deviation_that_underflows_in_float32_becomes_one():
    schema = from_arrays([[0], [1e-45]] + [[0]] * 9, np.arange(11), numbers=True, scale=True).schema
    assert schema.deviation == (1,)


@pytest.mark.parametrize(
    ("column", "settings", "lost"),
    [
        ([1e-300, 2e-300, 3e-300], {}, True),
        ([1e9, 1e9 + 1, 1e9 + 2], {"scale": False}, True),
        ([1e9, 1e9 + 1, 1e9 + 2], {"scale": None}, False),
        ([1e9, 1e9, 1e9], {}, False),
    ],
)
def test_a_feature_whose_differences_are_lost_is_named(column, settings, lost):
    features = np.column_stack([[0.0, 1.0, 2.0], column])
    said = from_arrays(features, [0, 1, 0], numbers=False, **settings).notes
    assert any("the values of 'x1' differ" in note for note in said) == lost
    assert not any("'x0'" in note for note in said)


@pytest.mark.parametrize("size", [1e-200, 1e-30, 1.0, 1e30])
def test_targets_of_any_size_are_standardised(size):
    data = from_arrays([[0], [1], [2]], np.array([1.0, 2.0, 6.0]) * size, numbers=True, degree=2, scale=True)
    assert data.train.targets.std() == pytest.approx(1)
    assert data.schema.target_deviation == pytest.approx([math.sqrt(14 / 3) * size], rel=1e-6)


def test_a_large_constant_target_is_the_mean_that_is_added_back():
    data = from_arrays([[0], [1]], [1e9, 1e9], numbers=True, degree=2, scale=None)
    assert (data.schema.target_mean, data.schema.target_deviation) == ((1e9,), (1.0,))
    assert data.train.targets.tolist() == [[0], [0]]


def test_a_feature_that_scaling_makes_infinite_is_named():
    with pytest.raises(DataError, match=r"index 1: expected a finite number .* in column 'x0', got inf"):
        features_from([[0], [1e38]], Schema(("x0",), "", None, 1, (0.0,), (float(np.float32(1e-20)),)))


@pytest.mark.parametrize(
    ("largest", "bits", "step"), [(1.0, 8, 2**-8), (1.01, 8, 2**-7), (255.0, 4, 16.0), (0.0, 3, 1.0)]
)
def test_features_are_rounded_to_a_number_of_bits_below_the_largest(largest, bits, step):
    features = np.array([[0.3], [-0.4], [1.0], [0.0]], np.float32) * np.float32(largest)
    data = from_arrays(features, LABELS, numbers=False, input_bits=bits)
    assert data.schema.step == step
    assert data.train.features.tolist() == (np.rint(features.astype(np.float64) / step) * step).tolist()
    assert np.abs(data.train.features / step).max() <= 2**bits
    assert features_from([[5.7 * step], [-1e3 * step]], data.schema).tolist() == [[6 * step], [-1e3 * step]]


def test_features_are_rounded_after_scaling():
    data = from_arrays(FEATURES, LABELS, numbers=False, scale=True, input_bits=2)
    plain = from_arrays(FEATURES, LABELS, numbers=False, scale=True)
    assert data.schema.step == 0.5
    assert data.train.features.tolist() == (np.rint(plain.train.features * 2) / 2).tolist()
    assert data.fingerprint != plain.fingerprint


def test_features_that_overflow_when_rounded_are_refused():
    schema = from_arrays(np.float32([[1e-5], [2e-5]]), ["a", "b"], numbers=False, input_bits=16).schema
    with pytest.raises(DataError, match="x0"):
        features_from(np.float32([[3e38]]), schema)


def test_new_data_is_scaled_by_the_schema(tmp_path):
    path = tmp_path / "more.csv"
    path.write_text("x,t,y\n6,b,10\n0,a,12\n")
    expected = [[2, 0], [-2, 2]]
    assert read_features(str(path), SCALED).tolist() == expected
    assert read_examples(str(path), SCALED).features.tolist() == expected
    assert features_from([[6, 10], [0, 12]], SCALED).tolist() == expected


def test_training_data_read_again_is_the_same_to_the_bit(tmp_path):
    path = str(tmp_path / "data.csv")
    rows = noise(0, Stream.DATA, 0, 0, 50, 3)
    np.savetxt(path, rows, delimiter=",", header="x,y,t", comments="")
    data = load(path, numbers=True, scale=True)
    schema = Schema.from_json(json.loads(json.dumps(data.schema.to_json())))
    assert read_features(path, schema).tobytes() == data.train.features.tobytes()
    assert read_examples(path, schema).targets.tobytes() == data.train.targets.tobytes()


def test_new_targets_of_a_regression_must_have_as_many_columns(tmp_path):
    path = str(tmp_path / "a.npz")
    np.savez(path, X=[[1], [2]], y=[[1, 2], [3, 4]])
    with pytest.raises(DataError, match="expected 1 targets per example, got 2"):
        read_examples(path, Schema(("x0",), "", None, 1, None, None))


# Fingerprint


def test_the_fingerprint_covers_everything_that_is_learnt_from():
    def fingerprint(features=FEATURES, targets=LABELS, **settings) -> str:
        return from_arrays(features, targets, **{"numbers": False, **settings}).fingerprint

    assert fingerprint() == fingerprint(np.array(FEATURES, np.float64))
    assert fingerprint().startswith("sha256:")
    assert len(fingerprint()) == len("sha256:") + 64
    assert fingerprint() == fingerprint(targets=np.array(LABELS, object))  # other labels, the same classes
    assert fingerprint() == fingerprint(targets=np.array(LABELS)[:, np.newaxis])
    others = [
        fingerprint(),
        fingerprint([[1, 10], [2, 10], [3, 10], [6, 10.000001]]),
        fingerprint(np.reshape(FEATURES, (4, 2, 1))[:, ::-1]),
        fingerprint(targets=["b", "a", "a", "b"]),
        fingerprint(targets=["b", "A", "b", "A"]),  # the same numbers, another schema
        fingerprint(targets=[1, 0, 1, 0], numbers=True),
        fingerprint(scale=True),
        fingerprint(test_share=0.5, seed=0),
    ]
    assert len(set(others)) == len(others)


# Sources


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("spirals", "unknown data set 'spirals': did you mean 'spiral'?"),
        ("xyz", "expected one of breast-cancer, digits, iris, spiral, vertical, wine, or the path of a file"),
        ("spiral.csv", "expected a data file, but spiral.csv does not exist"),
        ("data/spiral", "expected a data file, but data/spiral does not exist"),
        ("", "unknown data set ''"),
    ],
)
def test_unknown_sources_are_refused(source, sentence):
    with pytest.raises(DataError) as caught:
        load(source, numbers=False)
    assert sentence in str(caught.value)


def test_only_tables_let_a_target_be_chosen():
    with pytest.raises(DataError, match="vertical has no named columns, so no target 't'; leave the target out"):
        load("vertical", numbers=False, target="t")


def test_importing_loads_no_heavy_module():
    code = (
        "import sys, distsearch.data.datasets\n"
        "print(sorted({'sklearn', 'scipy', 'pyarrow', 'pandas', 'ray', 'distsearch.config'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


# Built-in data as further data


def test_a_built_in_data_set_is_further_data():
    data = load("iris", numbers=False, scale=True, features=("petal width (cm)", "sepal width (cm)"))
    examples = read_examples("iris", data.schema)
    assert examples.features.tobytes() == data.train.features.tobytes()
    assert examples.targets.tobytes() == data.train.targets.tobytes()
    ((features, beside),) = feature_chunks("iris", data.schema, keep=("petal length (cm)",))
    assert features.tobytes() == data.train.features.tobytes()
    assert beside["petal length (cm)"][:2].tolist() == pytest.approx([1.4, 1.4])


def test_drawn_further_data_is_drawn_as_it_is_said():
    data = load("spiral", numbers=False, points=20, classes=2, seed=3)
    same = read_examples("spiral", data.schema, drawn=Drawn(20, 2, 3))
    assert same.features.tobytes() == data.train.features.tobytes()
    assert len(read_examples("spiral", data.schema, drawn=Drawn(5, 2)).features) == 10


@pytest.mark.parametrize(
    ("name", "target", "sentence"),
    [
        ("irs", "", "unknown data set 'irs': did you mean 'iris'"),
        ("iris", "species", "iris has no named columns for targets"),
        ("spiral", "", "spiral: expected the 4 training features, got 2"),
    ],
)
def test_built_in_data_that_does_not_fit_is_refused(name, target, sentence):
    schema = load("iris", numbers=False).schema
    with pytest.raises(DataError, match=sentence):
        read_examples(name, schema, target)


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        ([0, "a"] * 3, "expected labels of one type, got int and str; convert all of them to text"),
        ((b"0", "a") * 3, "expected labels of one type, got bytes and str; convert all of them to text"),
        (["a", math.nan, "b"] * 2, "index 1: expected a target in column 'y', got nan; fill it in or remove the row"),
    ],
)
def test_a_list_of_labels_is_not_silently_made_text(y, sentence):
    with pytest.raises(DataError, match=sentence):
        from_arrays(np.eye(6), y, numbers=None)
