"""How columns that are not plain numbers are prepared, and how the same preparation is applied to new data."""

import json
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from features import read_features

from distsearch.data import datasets
from distsearch.data.datasets import (
    Schema,
    feature_chunks,
    features_from,
    from_arrays,
    load,
    read_examples,
)
from distsearch.data.spelling import date_in
from distsearch.errors import DataError

MIXED = "age,city,seen,y\n1,Rome,2024-01-01,a\n2,Oslo,2024-01-03,b\n,Rome,,a\n5,,2024-01-03T12:00,b\n"


def refused(path: str, **asked) -> str:
    with pytest.raises(DataError) as caught:
        load(path, **{"numbers": None, **asked})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_missing_values_text_and_dates_become_inputs(write):
    data = load(write(MIXED), numbers=None, dates="days")
    assert data.schema.inputs == (
        "age",
        "age missing",
        "city=Oslo",
        "city=Rome",
        "city missing",
        "seen",
        "seen missing",
    )
    assert data.train.features.tolist() == [
        [1, 0, 0, 1, 0, 19723, 0],
        [2, 0, 1, 0, 0, 19725, 0],
        [2, 1, 0, 1, 0, 19725, 1],  # medians
        [5, 0, 0, 1, 1, 19725.5, 0],  # the most frequent
    ]
    assert "'age' (1), 'city' (1), 'seen' (1) are filled in with the median" in data.notes[0]
    assert "text becomes inputs of 0 and 1, one for each value: 'city' (2)" in data.notes[1]


@pytest.mark.parametrize(
    ("spelt", "days"),
    [
        ("2024/1/2", 19724),
        ("2.1.2024", 19724),
        ("02.01.2024 06:00", 19724.25),
        ("2024-01-02 06:00:00.0000000", 19724.25),
        ("2024-01-02T06:00:00.000000000Z", 19724.25),
        ("02-Jan-2024", 19724),
        ("2 january 2024T18:00:00", 19724.75),
    ],
)
def test_dates_that_can_be_read_in_one_way_are_read(write, spelt, days):
    data = load(write(f"d,y\n{spelt},a\n2024-01-01,b\n"), numbers=None, dates="days")
    assert data.train.features.tolist() == [[days], [19723]]


@pytest.mark.parametrize("spelt", ["31.02.2024", "2.13.2024", "2 Yule 2024", "2-1-2024", "2/1/2024"])
def test_dates_that_cannot_be_read_in_one_way_are_text(write, spelt):
    data = load(write(f"d,y\n{spelt},a\n{spelt},b\n"), numbers=None, dates="days")
    assert data.schema.inputs == (f"d={spelt}",)


@pytest.mark.parametrize("marker", ["#DIV/0!", "#N/A", "n.a.", ".", "-nan"])
def test_what_programs_write_for_nothing_is_missing(write, marker):
    data = load(write(f"x,y\n1,a\n{marker},b\n3,a\n5,b\n"), numbers=None)
    assert data.train.features.tolist() == [[1, 0], [3, 1], [3, 0], [5, 0]]


def test_moments_at_the_ends_of_the_calendar_are_read_in_any_zone():
    late, early = "9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+01:00"
    assert [date_in(text) for text in (late, early)] == [datetime(9999, 12, 31, 23, 59, 59), datetime(1, 1, 1)]
    frame = pd.DataFrame({"a": [datetime.fromisoformat(late), datetime.fromisoformat(early)]}, dtype=object)
    days = from_arrays(frame, ["u", "v"], numbers=False, dates="days", scale=False).train.features[:, 0]
    assert days == pytest.approx([2932896.99999, -719162])


def test_texts_with_spaces_around_them_are_what_they_were_in_training(tmp_path):
    words = [" Private", "State  ", " Private", "State  ", " Private", "State  "] * 3
    frame, y = pd.DataFrame({"work": words, "x": range(18)}), ["a", "b"] * 9
    data = from_arrays(frame, y, numbers=False)
    assert features_from(frame, data.schema).tolist() == data.train.features.tolist()
    frame.assign(y=y).to_parquet(tmp_path / "a.parquet")
    stored = load(str(tmp_path / "a.parquet"), numbers=False)
    assert read_features(str(tmp_path / "a.parquet"), stored.schema).tolist() == stored.train.features.tolist()
    assert stored.train.features[:, :2].sum(axis=1).tolist() == [1] * 18


def test_dates_can_be_split_into_parts(write):
    data = load(write("d,y\n2024-02-29 06:00,a\n1969-12-31T18:00:00Z,b\n"), numbers=None, dates="parts")
    assert data.schema.inputs == ("d.year", "d.month", "d.day", "d.weekday", "d.hour")
    assert data.train.features.tolist() == [[2024, 2, 29, 3, 6], [1969, 12, 31, 2, 18]]


def test_new_examples_in_files_chunks_and_frames_are_prepared_as_in_training(write):
    path = write(MIXED)
    data = load(path, numbers=None, dates="days", scale=True)
    schema = Schema.from_json(json.loads(json.dumps(data.schema.to_json())))
    assert schema == data.schema
    assert read_features(path, schema).tobytes() == data.train.features.tobytes()
    assert read_examples(path, schema).targets.tolist() == data.train.targets.tolist()
    ((chunk, beside),) = feature_chunks(path, schema, keep=("y",))
    assert chunk.tobytes() == data.train.features.tobytes()
    assert beside["y"].tolist() == ["a", "b", "a", "b"]
    frame = pd.read_csv(path)
    assert features_from(frame, schema).tobytes() == data.train.features.tobytes()
    fresh = write("city,seen,age\nParis,2024-01-03,2\n", "fresh.csv")
    assert (read_features(fresh, schema)[0, 2:5] == 0).all()  # a city that training did not see has no input of its own


def test_preparation_is_fitted_on_the_training_part_alone(write):
    rows = [f"{'' if index % 7 == 0 else index},{'ab'[index % 2]},{index % 2}" for index in range(70)]
    data = load(write("x,c,y\n" + "\n".join(rows) + "\n"), numbers=False, test_share=0.5, seed=3)
    trained = data.train.features
    assert data.schema.columns[0].fill == np.median(trained[trained[:, 1] == 0, 0])
    whole = np.median([index for index in range(70) if index % 7])
    assert data.schema.columns[0].fill != whole


def test_rare_and_unseen_categories_share_an_input(write):
    path = write("c,x,y\n" + "a,1,0\nb,2,1\n" * 600 + "rare,1,0\n")
    data = load(path, numbers=False)
    assert data.schema.inputs == ("c=a", "c=b", "c=…", "x")
    assert data.train.features[-1].tolist() == [0, 0, 1, 1]
    assert read_features(write("c,x\nnever,3\n", "more.csv"), data.schema).tolist() == [[0, 0, 1, 3]]


def test_categories_that_look_like_numbers_stay_text(write):
    data = load(write("c,x,y\n" + "01,1,0\nA,2,1\nB,2,1\n" * 10), numbers=False)
    assert data.schema.inputs == ("c=01", "c=A", "c=B", "x")
    more = write("c,x\n01,1\n1,1\n", "more.csv")
    assert read_features(more, data.schema)[:, :3].tolist() == [[1, 0, 0], [0, 0, 0]]


def test_indicator_inputs_are_not_standardised(write):
    data = load(write("c,x,y\n" + "a,1000,0\nb,2000,1\n,3000,1\n" * 10), numbers=False, scale=None)
    assert set(data.train.features[:, :3].ravel().tolist()) == {0, 1}
    assert data.train.features[:, 3].std() == pytest.approx(1)


@pytest.mark.parametrize(
    ("content", "asked", "sentence"),
    [
        ("x,y\n1,a\n2,b\ntwo,a\n", {}, ", line 4: expected a number in column 'x', got 'two'; write it as a number"),
        (MIXED, {}, ", line 2: expected a number in column 'seen', got the date 2024-01-01; convert dates to"),
        ("n,y\n" + "".join(f"name{i},{i % 2}\n" for i in range(60)), {}, "60 different values are too many"),
        ("x,,y\n1,2,a\n", {}, "expected a name for every column, but column 2 has none"),
        (
            MIXED,
            {"missing": "refuse"},
            ", line 4: expected a value in column 'age', got nothing; fill it in, or choose",
        ),
        ("x,y\n1,0\n2,NA\n3,1\n", {"missing": "impute"}, ", line 3: expected a target in column 'y', got 'NA'"),
        ("x,y\n,0\n,1\n", {"missing": "drop"}, "expected examples without missing values, got none"),
        (MIXED, {"drop": ("sen",)}, "expected columns to drop, but there is no column 'sen' (did you mean 'seen'?)"),
        (MIXED, {"features": ("age", "town")}, "there is no column 'town'"),
        (MIXED, {"target": "age,why"}, "expected a target column, but there is no column 'why'"),
        (
            MIXED,
            {"target": "age", "drop": ("age",)},
            "expected a target column, got 'age', which is dropped too; choose one use of it",
        ),
        (MIXED, {"target": "age", "features": ("age", "seen")}, "got 'age', which is a feature too; choose"),
        (MIXED, {"target": "age", "id": ("age",)}, "got 'age', which is a column that is not learnt from too; choose"),
    ],
)
def test_unusable_columns_are_refused_in_one_sentence(write, content, asked, sentence):
    assert sentence in refused(write(content), **asked)


def test_new_gaps_in_columns_without_gaps_in_training_are_located(write):
    data = load(write("c,x,y\na,1,0\nb,2,1\n"), numbers=False)
    with pytest.raises(DataError, match=r", line 3: expected a value in column 'x', got nothing; fill it in: this"):
        read_features(write("c,x\na,1\nb,\n", "more.csv"), data.schema)
    with pytest.raises(DataError, match=", line 2: expected a number in column 'x', got 'many'"):
        read_features(write("c,x\na,many\n", "more.csv"), data.schema)


def test_dropping_removes_incomplete_examples_and_errors_keep_their_line_numbers(write):
    path = write("x,y\n1,0\n,1\n3,NA\n4,1\n5,0\ninf,1\n")
    with pytest.raises(DataError, match=", line 7: expected a finite number"):
        load(path, numbers=False, missing="drop")
    data = load(write("x,y\n1,0\n,1\n3,NA\n4,1\n5,0\n"), numbers=False, missing="drop")
    assert data.train.features.tolist() == [[1], [4], [5]]
    assert data.notes[0].endswith("2 of 5 examples have missing values and are left out")


def test_dropping_removes_what_made_a_column_text(write):
    units = "x,z,y\nkm,s,\n" + "1,2,a\n3,,b\n5,4,b\n" * 2
    data = load(write(units), numbers=False, missing="drop")
    assert data.train.features.tolist() == [[1, 2], [5, 4]] * 2
    assert ", line 2: expected a target in column 'y', got ''" in refused(write(units))


def test_text_among_numbers_is_found_in_whichever_part_it_is(write):
    rows = "".join(f"{number},{number % 2}\n" for number in range(30))
    path = write(f"x,y\n{rows}many,0\n")
    for seed in range(3):
        assert ", line 32: expected a number in column 'x', got 'many'" in refused(path, test_share=0.5, seed=seed)


def test_columns_are_selected_by_name(write):
    path = write("id,a,b,y1,y2\n7,1,2,10,0.5\n8,3,4,20,0.25\n9,5,6,30,0.75\n")
    data = load(path, numbers=None, target="y1,y2", id=("id",), scale=None)
    assert data.schema.features == ("a", "b")
    assert data.schema.targets == ("y1", "y2")
    assert data.schema.classes is None
    assert data.train.targets.std(axis=0) == pytest.approx(1)
    assert load(path, numbers=True, drop=("y1", "id")).schema.features == ("a", "b")
    one = load(path, numbers=True, features=("b",), target="y2")
    assert one.train.features.tolist() == [[2], [4], [6]]
    assert "the column 'id' has a different value in every example" in load(path, numbers=True).notes[-1]


def test_targets_of_any_scale_keep_their_digits(write):
    times = 1_700_000_000 + np.arange(60)
    data = from_arrays(np.arange(60)[:, np.newaxis] / 60, times, numbers=None, scale=None)
    assert data.train.targets[:, 0] == pytest.approx((times - times.mean()) / times.std(), rel=1e-6)
    assert data.schema.loss_unit(2) == pytest.approx(times.var())
    assert data.schema.loss_unit(None) == 1
    assert "60 different numbers, which are learnt as numbers" in data.notes[0]


@pytest.mark.parametrize("source", ["vertical", "spiral", "digits"])
def test_data_of_unit_scale_are_left_as_they_are(source):
    assert load(source, numbers=None, scale=None).fingerprint == load(source, numbers=False).fingerprint


@pytest.mark.parametrize(
    ("columns", "standardised"),
    [
        ([1.0, 1.0], False),
        ([1e5, 1.0], True),
        ([1e-5, 1e-5], True),
        ([1.0, 1e-5], True),
        ([0.2, 0.01], False),
    ],
)
def test_features_far_from_unit_scale_are_standardised(columns, standardised):
    features = np.linspace(-1, 1, 40).reshape(20, 2) * columns
    data = from_arrays(features, np.arange(20) % 2, numbers=False, scale=None)
    assert (data.schema.mean is not None) == standardised


def test_arrays_with_gaps_or_text_are_prepared_like_tables():
    data = from_arrays([[1.0, np.nan], [2.0, 4.0], [3.0, 6.0]], ["a", "b", "a"], numbers=False)
    assert data.train.features.tolist() == [[1, 5, 1], [2, 4, 0], [3, 6, 0]]
    mixed = from_arrays(np.array([[1, "p"], [2, "q"]], object), ["a", "b"], numbers=False)
    assert mixed.train.features.tolist() == [[1, 1, 0], [2, 0, 1]]
    assert features_from(np.array([[5, "q"]], object), mixed.schema).tolist() == [[5, 0, 1]]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"weights": [1.0]}, "expected one weight per example"),
        ({"y": [0, 1]}, "expected one target per example, got 2"),
    ],
)
def test_dropping_does_not_hide_arrays_of_the_wrong_length(asked, sentence):
    y = asked.pop("y", [0, 1, 1])
    with pytest.raises(DataError, match=sentence):
        from_arrays([[1.0], [np.nan], [3.0]], y, numbers=False, missing="drop", **asked)


def test_all_empty_columns_are_named_at_once(write):
    sentence = refused(write('x,z,"w,u",t\n1,,,a\n2,NA,,b\n'))
    assert "in the columns 'z', 'w,u', but all of them are missing; leave them out with --drop 'z,\"w,u\"'" in sentence


def test_texts_that_training_had_not_are_pointed_out_once(write, caplog, monkeypatch):
    data = load(write("x,city,t\n1,Rome,a\n2,Oslo,b\n3,Rome,a\n"), numbers=None)
    further = write("x,city\n1,Rome\n2,rome\n3,Bern\n4,Bern\n", "new.csv")
    monkeypatch.setattr(datasets, "CHUNK_ROWS", 1)
    found = np.concatenate([features for features, _ in feature_chunks(further, data.schema)])
    assert found[:, 1:].tolist() == [[0, 1], [0, 0], [0, 0], [0, 0]]
    [warning] = caplog.messages
    assert "new.csv, line 3: column 'city' has 'rome', which was not there in training ('Oslo', 'Rome')" in warning
    caplog.clear()
    features_from([{"x": 1, "city": "Bern"}], data.schema)
    assert "column 'city' has 'Bern'" in caplog.text


def test_a_way_with_dates_where_there_are_none_is_pointed_out(write):
    plain, dated = "x,t\n20240105,a\n20240106,b\n", "x,t\n2024-01-05,a\n2024-01-06,b\n"
    found = [load(write(content), numbers=None, dates="days").notes for content in (plain, dated)]
    assert ["--dates days has no effect" in " ".join(notes) for notes in found] == [True, False]
