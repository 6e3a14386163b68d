import numpy as np
import pytest

from distsearch.data.checks import feature_matrix
from distsearch.data.raw import Raw
from distsearch.data.spelling import number_in
from distsearch.errors import DataError


def raw(targets, features=None, **others) -> Raw:
    if features is None:
        features = np.zeros((len(targets), 1))
    return Raw("here", np.asarray(features), np.asarray(targets), **others)


def test_features_are_flattened_in_order():
    found = feature_matrix(raw([0, 1], features=np.arange(12).reshape(2, 2, 3)))
    assert found.tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    assert found.flags.c_contiguous


@pytest.mark.parametrize(
    ("given", "kept"),
    [("?", "f4"), ("i1", "f4"), ("u2", "f4"), ("f2", "f4"), (">f4", "f4"), ("i4", "f8"), ("u8", "f8"), ("O", "f8")],
)
def test_features_that_float32_might_not_hold_stay_float64(given, kept):
    found = feature_matrix(raw([0, 1], features=np.array([[0], [1]], given)))
    assert found.dtype == np.dtype(kept)
    assert found.tolist() == [[0], [1]]


@pytest.mark.parametrize("features", [[[True], [False]], np.array([["1"], [0]], object), np.array([[1], [0]], ">i4")])
def test_features_may_be_of_any_numeric_type(features):
    assert feature_matrix(raw([0, 1], features=features)).tolist() == [[1], [0]]


@pytest.mark.parametrize(
    ("features", "came"),
    [
        ([[b"1"], [b"2"]], r"expected numeric features, got \|S1"),
        (np.array([["x"], [1]], object), "expected numeric features, got something else: .*'x'"),
        (np.array([[10**400], [1]], object), "expected numeric features, got something else: int too large"),
        ([1, 2], r"expected features of shape \(examples, features\), got \(2,\)"),
        (np.zeros((2, 0)), "expected at least one example with at least one feature, got 2 examples with 0"),
        (np.zeros((0, 3)), "expected at least one example with at least one feature, got 0 examples with 3"),
        ([[0, 1], [2, -np.inf]], "index 1: expected a finite number .* in column 'x1', got -inf"),
        ([[0, 1e39], [2, 3]], r"index 0: expected a finite number .* in column 'x1', got 1e\+39"),
    ],
)
def test_unusable_features_are_refused(features, came):
    with pytest.raises(DataError, match=came):
        feature_matrix(raw([0, 1], features=features))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1),
        ("+-1", None),
        ("-2.5e1", -25.0),
        (" 3 ", 3),
        ("1_0", None),
        ("", None),
        ("one", None),
        ("\u0661", None),
    ],
)
def test_numbers_are_read_from_text(text, number):
    assert number_in(text) == number
