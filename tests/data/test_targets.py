from datetime import date

import numpy as np
import pytest

from distsearch.data.datasets import load
from distsearch.data.raw import Raw
from distsearch.data.targets import Labels, target_numbers
from distsearch.errors import DataError


def raw(targets, features=None, **others) -> Raw:
    if features is None:
        features = np.zeros((len(targets), 1))
    return Raw("here", np.asarray(features), np.asarray(targets), **others)


def labelled(targets) -> tuple[tuple[str, ...], list[int]]:
    labels = Labels.of(raw(targets))
    names = labels.classes()
    return names, labels.class_numbers(names).tolist()


@pytest.mark.parametrize(
    ("targets", "names", "numbers"),
    [
        (["b", "a", "b"], ("a", "b"), [1, 0, 1]),
        ([10, 9, 10], ("9", "10"), [1, 0, 1]),
        ([10.0, 9.0, -1.0], ("-1", "9", "10"), [2, 1, 0]),
        (["10", "9", "9.0", "010"], ("9", "9.0", "010", "10"), [3, 0, 1, 2]),  # ordered by number, then by spelling
        (["10", "9", "x", "9.0"], ("10", "9", "9.0", "x"), [0, 1, 3, 2]),  # not all are
        ([0.5, 0.25, 0.5], ("0.25", "0.5"), [1, 0, 1]),
        (["0.50", "1.5", "0.5"], ("0.5", "0.50", "1.5"), [1, 2, 0]),
        (["01234", "1234"], ("01234", "1234"), [0, 1]),
        (np.array([0.1, 0.2], np.float32), ("0.1", "0.2"), [0, 1]),
        (np.array([1, 0], np.uint8), ("0", "1"), [1, 0]),
        ([True, False], ("False", "True"), [1, 0]),
        (np.array([b"caf\xc3\xa9", b"a"]), ("a", "café"), [1, 0]),
        (np.array([2, 1, 10], object), ("1", "2", "10"), [1, 0, 2]),
        (np.array([True, False], object), ("False", "True"), [1, 0]),
        (np.array([2**64 - 1, 2**64 - 2], np.uint64), ("18446744073709551614", "18446744073709551615"), [1, 0]),
        ([[3], [1]], ("1", "3"), [1, 0]),
        (["9007199254740993", "9007199254740992"], ("9007199254740992", "9007199254740993"), [1, 0]),
        ([-0.0, 0.0, 1.0], ("0", "1"), [0, 0, 1]),
        (["1_0", "2_0"], ("1_0", "2_0"), [0, 1]),
        (["nan", "x"], ("nan", "x"), [0, 1]),
    ],
)
def test_labels_become_class_numbers(targets, names, numbers):
    assert labelled(targets) == (names, numbers)


def test_numbers_that_cannot_be_labels_are_refused_with_both_remedies():
    assert len(labelled(np.arange(20) + 0.5)[0]) == 20
    for targets, words in ((np.arange(21) + 0.5, "21 distinct numbers in 21"), (range(120), "120 distinct whole")):
        for each in (list(targets), list(map(str, targets))):
            with pytest.raises(DataError, match=f"^here: .*{words}.*--loss mean-squared-error, or .* as text"):
                labelled(each)
    assert len(labelled(np.repeat(np.arange(500), 4))[0]) == 500
    assert len(labelled([f"c{number}" for number in range(500)])[0]) == 500
    assert len(Labels.of(raw(range(500), labels=True)).classes()) == 500  # as a file of images reports it


@pytest.mark.parametrize(
    ("targets", "came"),
    [
        (["a", "", "b"], "index 1: expected a target in column 'y', got ''"),
        (["a", " ", "b"], "index 1: expected a target in column 'y', got ' '"),
        (np.array(["a", "b", None], object), "index 2: expected a target in column 'y', got None"),
        (np.array(["a", float("nan")], object), "index 1: expected a target in column 'y', got nan"),
        (np.array(["a", "b\ud800"]), r"index 1: expected a target in column 'y', got 'b\\ud800'"),
        (np.array([0x110000, 0x61], np.uint32).view("U1"), "expected labels that are text, .*, got something else"),
        (["1", "0", "NA", "0"], "index 2: expected a target in column 'y', got 'NA'; fill it in"),
        (["True", "false", "n/a"], "index 2: expected a target in column 'y', got 'n/a'"),
        *[(["0.5", text], f"index 1: expected a target in column 'y', got {text!r}") for text in ("null", "NaN")],
        (["1", "?"], r"index 1: expected a target in column 'y', got '\?'"),
        (
            [1.0, np.nan],
            "index 1: expected a target in column 'y', got nan; fill it in or remove the row, as --missing drop",
        ),
        (["1", "2", "inf"], "index 2: expected a target, got 'inf'"),
        (
            np.array(["2020-01-01"] * 2, "M8[D]"),
            r"expected .*, got datetime64\[D\]; convert them to text or numbers",
        ),
        (np.array([1, 2], "m8[s]"), r"expected labels that are text, .*, got timedelta64\[s\]"),
        (np.array([date(2020, 1, 1), 1], object), r"index 0: expected .* got datetime.date\(2020, 1, 1\), a date"),
        (np.array([1j, 2]), "index 0: expected labels that are text, .*, got .*1j.*, a complex"),
        (
            np.array([[1], [1, 2]], object),
            "expected labels that are text, .*, got something else",
        ),
        (np.array([1, "1"], object), "expected labels of one type, got int and str; convert all of them to text"),
        (np.array([b"a", b"\xff"]), r"index 1: expected a label in UTF-8, got b'\\xff'"),
        (["a", "a"], "expected at least 2 classes, but every label is 'a'"),
        ([[0, 1], [1, 0]], r"expected one label per example, got targets of shape \(2, 2\); give class numbers"),
    ],
)
def test_a_value_that_is_not_a_label_is_named_with_its_place(targets, came):
    with pytest.raises(DataError, match=f"^here(, |: ){came}"):
        labelled(targets)


@pytest.mark.parametrize(
    ("targets", "sentence"),
    [
        (["Africa", "NA", "Europe"], "the label 'NA' is learnt as a class like any other"),
        (["1", "1.0", "2"], "the labels '1', '1.0' are separate classes, though some are the same number"),
        (["01", "1", "x"], "the labels '01', '1' are separate classes"),
        (["Yes", "no", "yes"], "the labels 'Yes', 'yes' are separate classes, though some differ only in capitals"),
    ],
)
def test_suspicious_labels_are_warned_about(targets, sentence):
    (note,) = Labels.of(raw(targets)).notes()
    assert note.startswith(f"here: {sentence}")


@pytest.mark.parametrize("targets", [["a", "b"], ["1", "2"], [1.0, 2.0], [True, False], ["01", "2"]])
def test_plain_labels_cause_no_warning(targets):
    assert Labels.of(raw(targets)).notes() == ()


def test_a_label_that_was_not_trained_on_is_named_beside_those_that_were():
    with pytest.raises(DataError, match=r"^here, index 1: expected .* \('cat', 'dog'\), got 'cow'"):
        Labels.of(raw(["cat", "cow"])).class_numbers(("cat", "dog"))
    many = [f"c{number:02}" for number in range(33)]
    with pytest.raises(DataError, match=r"'c19' and 13 more\), got 'cow'"):
        Labels.of(raw(["cow"])).class_numbers(many)


@pytest.mark.parametrize("targets", [[1, 0, 1], [1.0, 0.0, 1.0], ["1", "0", "1.0"], ["01", "0", "1"]])
def test_new_labels_are_recognised_however_they_are_written(targets):
    assert Labels.of(raw(targets)).class_numbers(("0", "1")).tolist() == [1, 0, 1]


def test_an_ambiguous_new_label_belongs_to_the_class_of_its_exact_spelling():
    classes = ("01", "1", "2")
    assert Labels.of(raw(["1", "01", "2.0"])).class_numbers(classes).tolist() == [1, 0, 2]
    with pytest.raises(DataError, match="got '1.0'"):
        Labels.of(raw(["1.0"])).class_numbers(classes)


@pytest.mark.parametrize(
    ("targets", "numbers"),
    [
        ([1, 2], [[1], [2]]),
        (["1.5", "-2e3"], [[1.5], [-2000]]),
        ([[1, 2], [3, 4]], [[1, 2], [3, 4]]),
        (np.array([1, 2.5], object), [[1], [2.5]]),
        ([True, False], [[1], [0]]),
        (np.array([True, False], object), [[1], [0]]),
        (["True", "false"], [[1], [0]]),
        (np.array([b"1.5", b"2"]), [[1.5], [2]]),
    ],
)
def test_targets_of_a_regression_stay_numbers(targets, numbers):
    found = target_numbers(raw(targets))
    assert found.dtype == np.float64
    assert found.tolist() == numbers


@pytest.mark.parametrize(
    ("targets", "came"),
    [
        (["1", "two"], ", index 1: expected a numeric target, got 'two'.*--loss cross-entropy"),
        ([1, np.inf], ", index 1: expected a finite number .* in column 'y', got inf"),
        ([1, 1e39], r", index 1: expected a finite number .* got 1e\+39"),
        (["1", "9" * 400], ", index 1: expected a finite number .* got inf"),
        (["1", ""], ", index 1: expected a target in column 'y', got ''"),
        (["1", "NA"], ", index 1: expected a target in column 'y', got 'NA'; fill it in"),
        (np.array(["2020-01-01"] * 2, "M8[D]"), r": expected labels that are text, .*, got datetime64\[D\]"),
        ([[1, 2], [3, np.nan]], ", index 1: expected a target in column 'y1', got nan; fill it in or remove the row"),
        (np.zeros((2, 1, 1)), r": expected targets of shape \(examples, outputs\), got \(2, 1, 1\)"),
    ],
)
def test_a_value_that_is_not_a_number_is_named_with_its_place(targets, came):
    with pytest.raises(DataError, match=f"^here{came}"):
        target_numbers(raw(targets))


@pytest.mark.parametrize("check", [Labels.of, target_numbers])
def test_features_and_targets_must_be_equal_in_number(check):
    with pytest.raises(DataError, match="expected one target per example, got 3 for 2 examples"):
        check(raw([1, 2, 3], features=np.zeros((2, 1))))


def test_numbers_written_with_more_than_digits_are_pointed_out(write):
    rows = "".join(f"{number},{number}%\n" for number in range(30))
    data = load(write(f"x,share\n{rows}"), numbers=None)
    assert data.train.targets[5, 0] == np.float32(0.05)
    assert "in the target 'share', '1%' is 0.01, and predictions are such numbers" in data.notes[-1]
    assert " is " not in "".join(load(write("x,y\n1,2.5\n2,3.5\n"), numbers=True).notes)
