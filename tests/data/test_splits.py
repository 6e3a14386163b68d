"""Which examples are held out: by group, by time, stratified by class, fold by fold."""

import numpy as np
import pandas as pd
import pytest

from distsearch.data.datasets import from_arrays, load
from distsearch.errors import DataError

ROWS = np.arange(60)
FRAME = pd.DataFrame({"row": ROWS / 60, "who": ROWS // 6, "day": pd.to_datetime(ROWS[::-1], unit="D")})
LABELS = np.where(ROWS % 10 == 0, "rare", "often")


def parts(**asked) -> list[list[int]]:
    data = from_arrays(FRAME, LABELS, **{"numbers": False, "drop": ("who", "day"), **asked})
    found = [part for part in (data.train, data.validation, data.test) if part is not None]
    return [np.rint(part.features[:, 0] * 60).astype(int).tolist() for part in found]


def test_groups_stay_together_and_are_not_features():
    train, validation, test = parts(group="who", drop=("day",), test_share=0.2, validation_share=0.2)
    assert sorted(train + validation + test) == ROWS.tolist()
    groups = [{row // 6 for row in part} for part in (train, validation, test)]
    assert sum(map(len, groups)) == 10
    assert len(test) == len(validation) == 12


def test_examples_that_are_in_no_group_are_pointed_out_and_kept_together():
    frame = FRAME.assign(who=[None if row < 6 else f"w{row // 6}" for row in ROWS])
    data = from_arrays(frame, LABELS, numbers=False, group="who", drop=("day",), test_share=0.2)
    assert any("'who': 6 examples have none, and are taken for one group" in note for note in data.notes)
    rows = np.rint(data.test.features[:, 0] * 60)
    assert (len(rows), np.sum(rows < 6) % 6) == (12, 0)
    whole = from_arrays(FRAME, LABELS, numbers=False, group="who", drop=("day",), test_share=0.2)
    assert not any("have none" in note for note in whole.notes)


def test_the_latest_examples_are_the_test_part_and_those_before_them_the_validation_part():
    train, validation, test = parts(time="day", drop=("who",), test_share=0.25, validation_share=0.25)
    assert test == list(range(15))  # the days run backwards
    assert validation == list(range(15, 30))
    assert train == list(range(30, 60))


def test_columns_beside_the_features_are_spelt_as_their_table_is(tmp_path):
    lines = [f"{n},5;{n},250;{3 * n},125;{'ab'[n % 2]}" for n in range(1, 21)]
    (tmp_path / "a.csv").write_text("\n".join(["x;cost_a;cost_b;t", *lines]))
    costs = ("cost_a", "cost_b")
    data = load(str(tmp_path / "a.csv"), numbers=False, costs=costs)
    n = np.arange(1, 21)
    assert np.sort(data.train.beside.costs, axis=0) == pytest.approx(np.stack([n + 0.25, 3 * n + 0.125], axis=1))
    latest = load(str(tmp_path / "a.csv"), numbers=False, time="x", test_share=0.1)
    assert len(latest.test.targets) == 2


def test_validation_has_its_share_of_every_class():
    train, validation = parts(validation_share=0.5)
    assert sorted(train + validation) == ROWS.tolist()
    assert sum(row % 10 == 0 for row in validation) == 3
    assert len(validation) == 30


def test_the_test_part_has_its_share_of_every_class():
    train, validation, test = parts(test_share=0.3, validation_share=0.2)
    assert [sum(row % 10 == 0 for row in part) for part in (train, validation, test)] == [3, 1, 2]
    assert (len(validation), len(test)) == (12, 18)


def test_where_there_are_more_classes_than_are_set_aside_it_has_no_more_than_its_share():
    data = from_arrays(ROWS[:, np.newaxis], [f"c{row // 2}" for row in ROWS], numbers=False, test_share=0.1)
    assert len(data.test.targets) == 6
    with pytest.raises(DataError, match="expected a class with several examples left"):
        from_arrays(ROWS[:2, np.newaxis], ["a", "b"], numbers=False, test_share=0.5)


def test_of_a_thousand_examples_a_tenth_is_set_aside_and_it_is_said():
    rows = np.arange(1000)
    frame, labels = pd.DataFrame({"x": rows % 7}), np.where(rows < 30, "rare", "often")
    for features in (frame, frame.to_numpy()):
        data = from_arrays(features, labels, numbers=False, validation_share=None)
        assert np.bincount(data.validation.targets).tolist() == [97, 3]
        assert any("100 of 1,000 examples are set aside" in note for note in data.notes)
    assert from_arrays(frame[1:], labels[1:], numbers=False, validation_share=None).validation is None


def test_of_built_in_data_none_are_set_aside():
    assert load("spiral", points=400, numbers=False, validation_share=None).validation is None


def test_folds_have_their_share_of_every_class():
    tested = [parts(fold=(number, 3))[1] for number in range(3)]
    assert [sum(row % 10 == 0 for row in fold) for fold in tested] == [2, 2, 2]


def test_a_validation_share_leaves_the_test_split_as_it_is():
    assert parts(test_share=0.3, validation_share=0.2)[-1] == parts(test_share=0.3)[-1]


def test_every_example_is_in_the_test_part_of_one_fold():
    tested = [parts(fold=(number, 5))[1] for number in range(5)]
    assert sorted(row for fold in tested for row in fold) == ROWS.tolist()
    assert {len(fold) for fold in tested} == {12}
    grouped = [parts(fold=(number, 3), group="who", drop=("day",))[1] for number in range(3)]
    assert sum(len({row // 6 for row in fold}) for fold in grouped) == 10


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"group": "whom"}, "there is no column 'whom' .did you mean 'who'?"),
        (
            {"group": "who", "test_share": 0.9, "validation_share": 0.09},
            "expected groups in column 'who' for every",
        ),
        ({"test_share": 0.6, "validation_share": 0.6}, "expected shares that leave examples for training, got 0.6 for"),
        ({"fold": (0, 61)}, "expected at most 60 folds, as there are 60 examples, got 61"),
        (
            {"fold": (0, 11), "group": "who"},
            "expected at most 10 folds, as there are 10 groups in column 'who', got 11",
        ),
        ({"validation_share": 0.001}, "leaves examples for both training and validation, got 0.001, which is 0 of 60"),
    ],
)
def test_impossible_splits_are_refused(asked, sentence):
    with pytest.raises(DataError, match=sentence):
        parts(**{"drop": (), **asked} if "group" in asked else asked)


def test_times_must_be_numbers_or_dates_without_gaps():
    frame = pd.DataFrame({"x": [1.0, 2, 3], "t": ["soon", "later", "now"]})
    for times, index, came in (
        (["2024-01-01", "2024-01-02", "soon"], 2, "'soon'"),
        ([None, "2024-01-02", "soon"], 2, "'soon'"),
        (["2024-01-01", "5", "2024-01-02"], 1, "'5'"),
        (["soon", "later", "now"], 0, "'soon'"),
    ):
        with pytest.raises(DataError, match=f"index {index}: expected a date such as 2024-12-31, .*'t', got {came}"):
            from_arrays(frame.assign(t=times), [0, 1, 0], numbers=False, time="t", test_share=0.4)
    with pytest.raises(DataError, match="index 1: expected a time in column 't', got nothing"):
        from_arrays(frame.assign(t=[1, None, 2]), [0, 1, 0], numbers=False, time="t", test_share=0.4)
    with pytest.raises(DataError, match="the arrays have no named columns, so no 't'; give a data frame"):
        from_arrays([[1.0], [2]], [0, 1], numbers=False, time="t", test_share=0.5)
