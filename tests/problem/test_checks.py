import numpy as np
import pytest

from distsearch.errors import DataError
from distsearch.problem.checks import class_names, class_numbers, feature_matrix, target_numbers
from distsearch.problem.raw import Raw, number_in


def raw(targets, features=None, **others) -> Raw:
    if features is None:
        features = np.zeros((len(targets), 1))
    return Raw("here", np.asarray(features), np.asarray(targets), **others)


def labelled(targets) -> tuple[tuple[str, ...], list[int]]:
    found = raw(targets)
    names = class_names(found)
    return names, class_numbers(found, names).tolist()


@pytest.mark.parametrize(
    ("targets", "names", "numbers"),
    [
        (["b", "a", "b"], ("a", "b"), [1, 0, 1]),
        ([10, 9, 10], ("9", "10"), [1, 0, 1]),
        ([10.0, 9.0, -1.0], ("-1", "9", "10"), [2, 1, 0]),
        (["10", "9", "9.0", "010"], ("9", "10"), [1, 0, 0, 1]),  # all are numbers
        (["10", "9", "x", "9.0"], ("10", "9", "9.0", "x"), [0, 1, 3, 2]),  # not all are
        ([0.5, 0.25, 0.5], ("0.25", "0.5"), [1, 0, 1]),
        (["0.50", "1.5", "0.5"], ("0.5", "1.5"), [0, 1, 0]),
        (np.array([0.1, 0.2], np.float32), ("0.1", "0.2"), [0, 1]),
        (np.array([1, 0], np.uint8), ("0", "1"), [1, 0]),
        ([True, False], ("False", "True"), [1, 0]),
        (np.array([b"caf\xc3\xa9", b"a"]), ("a", "café"), [1, 0]),
        (np.array([2, "1", 10], object), ("1", "2", "10"), [1, 0, 2]),
        ([[3], [1]], ("1", "3"), [1, 0]),
        (["9007199254740993", "9007199254740992"], ("9007199254740992", "9007199254740993"), [1, 0]),
        ([-0.0, 0.0, 1.0], ("0", "1"), [0, 0, 1]),
        (["1_0", "2_0"], ("1_0", "2_0"), [0, 1]),
        (["nan", "x"], ("nan", "x"), [0, 1]),
    ],
)
def test_labels_become_class_numbers(targets, names, numbers):
    assert labelled(targets) == (names, numbers)


def test_twenty_fractional_labels_are_few_and_twenty_one_are_not():
    assert len(class_names(raw(np.arange(20) + 0.5))) == 20
    with pytest.raises(DataError, match=r"21 different values that are not whole.*--loss mean-squared-error"):
        class_names(raw(np.arange(21) + 0.5))
    assert len(class_names(raw(np.arange(500)))) == 500


@pytest.mark.parametrize(
    ("targets", "came"),
    [
        (["a", "", "b"], "index 1: expected a target, got ''"),
        (["a", " ", "b"], "index 1: expected a target, got ' '"),
        (np.array(["a", "b", None], object), "index 2: expected a target, got None"),
        (np.array(["a", float("nan")], object), "index 1: expected a target, got nan"),
        ([1.0, np.nan], "index 1: expected a finite number .* in column 'y', got nan"),
        (["1", "2", "inf"], "index 2: expected a target, got 'inf'"),
        (np.array(["2020-01-01"] * 2, "M8[D]"), r"index 0: expected a target, got datetime\.date"),
        (np.array([1j, 2]), "index 0: expected a target, got 1j"),
        (np.array([[1], [1, 2]], object), "expected labels that are text or numbers, got others"),
        ([[0, 1], [1, 0]], r"expected one label an example, got targets of shape \(2, 2\); give class numbers"),
    ],
)
def test_what_is_no_label_is_named_with_its_place(targets, came):
    with pytest.raises(DataError, match=f"^here(, |: ){came}"):
        class_names(raw(targets))


def test_a_label_that_was_not_trained_on_is_named_with_those_that_were():
    with pytest.raises(DataError, match=r"^here, index 1: expected .* \('cat', 'dog'\), got 'cow'"):
        class_numbers(raw(["cat", "cow"]), ("cat", "dog"))
    many = [f"c{number:02}" for number in range(33)]
    with pytest.raises(DataError, match=r"'c19' and 13 more\), got 'cow'"):
        class_numbers(raw(["cow"]), many)


@pytest.mark.parametrize("targets", [[1, 0, 1], [1.0, 0.0, 1.0], ["1", "0", "1.0"], ["01", "0", "1"]])
def test_labels_are_known_however_they_are_written(targets):
    assert class_numbers(raw(targets), ("0", "1")).tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("targets", "numbers"),
    [
        ([1, 2], [[1], [2]]),
        (["1.5", "-2e3"], [[1.5], [-2000]]),
        ([[1, 2], [3, 4]], [[1, 2], [3, 4]]),
        (np.array([1, 2.5], object), [[1], [2.5]]),
        ([True, False], [[1], [0]]),
    ],
)
def test_targets_of_a_regression_stay_numbers(targets, numbers):
    found = target_numbers(raw(targets))
    assert found.dtype == np.float32
    assert found.tolist() == numbers


@pytest.mark.parametrize(
    ("targets", "came"),
    [
        (["1", "two"], ", index 1: expected a target that is a number, got 'two'.*--loss cross-entropy"),
        ([1, np.inf], ", index 1: expected a finite number .* in column 'y', got inf"),
        ([1, 1e39], r", index 1: expected a finite number .* got 1e\+39"),
        (["1", "9" * 400], ", index 1: expected a finite number .* got inf"),
        (["1", ""], ", index 1: expected a target, got ''"),
        ([[1, 2], [3, np.nan]], ", index 1: expected a finite number .* in column 'y1', got nan"),
        (np.zeros((2, 1, 1)), r": expected targets of shape \(examples, outputs\), got \(2, 1, 1\)"),
    ],
)
def test_what_is_no_number_is_named_with_its_place(targets, came):
    with pytest.raises(DataError, match=f"^here{came}"):
        target_numbers(raw(targets))


@pytest.mark.parametrize("check", [class_names, target_numbers])
def test_features_and_targets_must_be_as_many(check):
    with pytest.raises(DataError, match="expected one target an example, got 3 for 2 examples"):
        check(raw([1, 2, 3], features=np.zeros((2, 1))))


def test_features_are_flattened_in_order():
    found = feature_matrix(raw([0, 1], features=np.arange(12).reshape(2, 2, 3)))
    assert found.tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    assert found.dtype == np.float32
    assert found.flags.c_contiguous


@pytest.mark.parametrize("features", [[[True], [False]], np.array([["1"], [0]], object), np.array([[1], [0]], ">i4")])
def test_features_of_any_numeric_kind(features):
    assert feature_matrix(raw([0, 1], features=features)).tolist() == [[1], [0]]


@pytest.mark.parametrize(
    ("features", "came"),
    [
        ([["1"], ["2"]], "expected features that are numbers, got <U1"),
        (np.array([["x"], [1]], object), "expected features that are numbers, got others: .*'x'"),
        ([1, 2], r"expected features of shape \(examples, features\), got \(2,\)"),
        (np.zeros((2, 0)), "expected at least one example with at least one feature, got 2 examples with 0"),
        (np.zeros((0, 3)), "expected at least one example with at least one feature, got 0 examples with 3"),
        ([[0, 1], [2, -np.inf]], "index 1: expected a finite number .* in column 'x1', got -inf"),
        ([[0, 1e39], [2, 3]], r"index 0: expected a finite number .* in column 'x1', got 1e\+39"),
    ],
)
def test_features_that_cannot_be_used(features, came):
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
def test_numbers_in_text(text, number):
    assert number_in(text) == number
