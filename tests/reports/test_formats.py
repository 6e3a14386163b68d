import io

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

import distsearch
from distsearch.reports.formats import as_csv, as_parquet
from distsearch.reports.predictions import columns_of


def test_large_numbers_are_written_with_all_of_their_whole_digits():
    numbers = np.array([1732650123.4, -(2.0**53), 1e30, 0.1234567891, 5.0])
    content = b"".join(as_csv([{"y": numbers, "probability": np.full(5, 1 / 3, np.float32)}])).decode()
    assert [line.split(",")[0] for line in content.splitlines()[1:]] == [
        "1732650123",
        "-9007199254740992",
        "1e+30",
        "0.123456789",
        "5",
    ]
    assert content.splitlines()[1].endswith(",0.333333")


def test_a_column_that_begins_empty_has_texts_later_in_parquet_too():
    empty, later = np.array([None, None]), np.array(["good", None])
    content = b"".join(as_parquet([{"y": np.zeros(2), "comment": empty}, {"y": np.ones(2), "comment": later}]))
    found = parquet.read_table(io.BytesIO(content))
    assert found["comment"].to_pylist() == [None, None, "good", None]
    assert found["y"].to_pylist() == [0.0, 0.0, 1.0, 1.0]


def test_a_target_that_is_called_probability_keeps_its_name_and_digits():
    X = np.linspace(-1, 1, 40).reshape(-1, 1)
    targets = {"classes": np.where(X[:, 0] > 0, "yes", "no"), "numbers": 1e-7 * (X[:, 0] + 2)}
    columns = {}
    for kind, values in targets.items():
        frame, target = pd.DataFrame({"x": X[:, 0]}), pd.Series(values, name="probability")
        model = distsearch.search(frame, target, rounds=1, workers=0).model
        columns[kind] = columns_of(model, X.astype(np.float32), {})
    assert list(columns["classes"]) == ["probability", "predicted probability"]
    assert set(columns["classes"]["probability"]) <= {"yes", "no"}
    lines = b"".join(as_csv([columns["numbers"]])).decode().splitlines()
    assert [float(line) for line in lines[1:]] == pytest.approx(columns["numbers"]["probability"], rel=1e-6)
    assert float(lines[1]) > 1e-8
