import csv
import gzip
import io
import logging
import sys
import tracemalloc
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from features import read_features
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from distsearch.data import readers
from distsearch.data.asked import Reading
from distsearch.data.datasets import Schema, feature_chunks, load, read_examples
from distsearch.data.raw import Raw, Selection, Table, unnamed
from distsearch.data.readers import read
from distsearch.data.training import dataset_of
from distsearch.errors import DataError

SCHEMA = Schema(("x", "y"), "t", ("a", "b"), 2, None, None)
in_one_folder = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes | pa.Table, name: str = "") -> str:
        path = tmp_path / (name or ("data.parquet" if isinstance(content, pa.Table) else "data.csv"))
        if isinstance(content, pa.Table):
            parquet.write_table(content, path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def refused(path: str, **settings) -> str:
    with pytest.raises(DataError) as caught:
        load(path, **{"numbers": False, **settings})
    sentence = str(caught.value)
    assert path in sentence
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("x,y,t\n1,2.5,b\n-3,4e1,a\n", "plain.csv"),
        ("\ufeffx,y,t\r\n1,2.5,b\r\n\r\n-3,4e1,a", "excel.CSV"),
        ('\n"x", y ,t\n" 1","2.5",b \n-3, 4e1 ,"a"\n\n', "spaces.csv"),
        ("x\ty\tt\n1\t2.5\tb\n-3\t4e1\ta\n", "tabs.tsv"),
        (gzip.compress(b"x,y,t\n1,2.5,b\n-3,4e1,a\n", mtime=0), "packed.csv.gz"),
        (gzip.compress(b"x\ty\tt\n1\t2.5\tb\n-3\t4e1\ta\n", mtime=0), "packed.tsv.gz"),
        ("x,y,t\n1,2.5,b\n-3,4e1,a\n", "unpacked_by_the_browser.csv.gz"),
        (pa.table({"x": [1, -3], "y": [2.5, 40.0], "t": ["b", "a"]}), "table.parquet"),
    ],
)
def test_the_same_table_is_read_however_it_is_written(write, content, name):
    data = load(write(content, name), numbers=False)
    assert data.schema == SCHEMA
    assert data.train.features.tolist() == [[1, 2.5], [-3, 40]]
    assert data.train.targets.tolist() == [1, 0]


@pytest.mark.parametrize("target", ["t", "s", "u"])
def test_the_target_may_be_any_column(write, target):
    path = write("t,s,u\n1,2,3\n4,5,6\n")
    data = load(path, numbers=True, target=target)
    column = "tsu".index(target)
    assert data.schema == Schema(tuple("tsu".replace(target, "")), target, None, 1, None, None)
    assert data.train.targets.tolist() == [[1 + column], [4 + column]]
    assert data.train.features.tolist() == np.delete([[1, 2, 3], [4, 5, 6]], column, axis=1).tolist()


def test_csv_and_parquet_of_one_table_are_the_same_data(write):
    numbers = np.linspace(0, 1, 7, dtype=np.float32).astype(float).tolist()
    flags = [True, False, True, True, False, False, True]
    text = "x,t\n" + "".join(f"{number!r},{flag}\n" for number, flag in zip(numbers, flags, strict=True))
    from_csv = load(write(text), numbers=False)
    assert from_csv.schema.classes == ("False", "True")
    assert from_csv.fingerprint == load(write(pa.table({"x": numbers, "t": flags})), numbers=False).fingerprint


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", " is empty; expected a header line"),
        ("\n\r\n", " is empty; expected a header line"),
        ("x,y,t\n", "expected at least one example with at least one feature, got 0 examples"),
        ("x,y,t\n1,2,a\n", "expected at least 2 examples to learn from, got 1"),
        ("1,2,a\n3,4\n5,6,a\n", ", line 2: expected 3 columns as in the first line, got 2"),
        ("x,y,t\n1,2,a\n3,NA,b\n", ", line 3: expected a value in column 'y', got nothing; fill it in, or choose"),
        (
            "x,y,t\n1,,a\n3,?,b\n",
            "expected values in column 'y', but all of them are missing; leave it out with --drop",
        ),
        ("x,y,t\n1,5,a\n3,2,b\n4,maybe,a\n", ", line 4: expected a number in column 'y', got 'maybe'; write it as"),
        ("x,y,t\n1,2,0\n3,4,1\n5,6,N/A\n", ", line 4: expected a target in column 't', got 'N/A'; fill it in"),
        ('x, y, t\n1, 2, "a\n3, 4, "b"\n', ", line 3: expected quotes in pairs"),
        ('x, y, t\n1, 2, "a"\n3, 4, "b\n', ", line 3: expected quotes in pairs, got one that is never closed"),
        ("t\na\nb\n", "expected a feature besides the target, got only 't'"),
        ("x;y\n1;a\n", "expected at least 2 examples to learn from, got 1"),
        ("x,x,t\n1,2,a\n", "expected every column name once, got 'x' twice"),
        ("x,,t\n1,2,a\n", "expected a name for every column, but column 2 has none"),
        (",x,t\n1,2,a\n1,3,b\n", "expected a name for every column, but column 1 has none"),
        ("Sales,,\nx,y,t\n1,2,a\n", "column 2 has none; name it, or remove the lines above the names, with 'Sales'"),
        ("Sales\n\nx,y,t\n1,2,a\n", "got only 'Sales' for 3 columns; remove the lines above the names"),
        ("x,y,t\n1,2,a\n\n3,4\n", ", line 4: expected 3 columns as in the header, got 2"),
        ("x,y,t\n1,2,a\n3,4,b,\n", ", line 3: expected 3 columns as in the header, got 4"),
        ("x,y,t\n1,2,a\n3,,b\n", ", line 3: expected a value in column 'y', got nothing"),
        ("x,y,t\n1,2,a\n3,four,b\n", ", line 3: expected a number in column 'y', got 'four'"),
        ("x,y,t\n1,2,a\n3,1_0,b\n", ", line 3: expected a number in column 'y', got '1_0'"),
        (
            "x,y,t\n1,2,a\n3,inf,b\n",
            ", line 3: expected a finite number (below 3.4e38) in column 'y', got inf",
        ),
        (
            "x,y,t\n1,2,a\n-1e39,4,b\n",
            ", line 3: expected a finite number (below 3.4e38) in column 'x', got -1e+39",
        ),
        ("x,y,t\n1,2,a\n3,4,\n", ", line 3: expected a target in column 't', got ''"),
        ("x,y,t\n1,2,a\n3,4,a\n", "expected at least 2 classes, but every label is 'a'"),
        ('x,y,t\n1,2,"a\n3,4,b\n5,6,c\n', ", line 4: expected quotes in pairs"),
        ('x,y,t\n1,2,"a\nb"\n3,inf,c\n', ", line 4: expected a finite number"),
        ("x,y,t\r1,2,a\r3,inf,c\r", ", line 3: expected a finite number"),
        (b"x,y,t\n1,2,\xe9\x81\n3,4,b\n", ", line 2: expected text in UTF-8, got the byte 0xe9; save it"),
        ("x,y,t\n1,2,a\n".encode("utf-16")[:-1], "to be a text table, but it is something else or damaged"),
        (b"\x89PNG\r\n\x1a\n\0\0", " to be a text table, but it contains zero bytes"),
        (b"\x89PNG\r\n\x1a\n\1\2", ", line 1: expected text in UTF-8, got the byte 0x89"),
        ("x" * 200_000, "to be a text table, but it is something else or damaged: field larger than field limit"),
        (f"x,t\n1,a\n{'2' * 200_000},b\n", ", line 3: expected cells of at most 131,072 characters, got a longer one"),
        (b"\0" * 9, " to be a text table, but it contains zero bytes"),
        (
            gzip.compress(b"x,y,t\n" + b"1,2,a\n3,4,b\n" * 99, mtime=0)[:-9],
            "to be a text table, but it is something else or damaged",
        ),
    ],
)
def test_an_unusable_csv_file_is_refused_in_one_sentence_with_the_place(write, content, sentence):
    assert sentence in refused(write(content), missing="refuse")


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (
            {"x": [1, None], "t": ["a", "b"]},
            ", row 2: expected a value in column 'x', got nothing",
        ),
        (
            {"x": [1.0, 1e300], "t": ["a", "b"]},
            ", row 2: expected a finite number (below 3.4e38) in column 'x', got 1e+300",
        ),
        ({"x": [[1, 2], [3, 4]], "t": ["a", "b"]}, "expected numbers or text in column 'x', got list"),
        ({"x": [b"p", b"q"], "t": ["a", "b"]}, "expected numbers or text in column 'x', got binary"),
        ({"x": [1, 2], "t": ["a", None]}, ", row 2: expected a target in column 't', got None"),
        (
            {"x": [1, 2], "t": [1, None]},
            ", row 2: expected a target in column 't', got None; fill it in or remove the row, as --missing drop does",
        ),
        ({"x": [1, 2], "t": [[1, 2], [3, 4]]}, "expected labels that are text, numbers, or true and false"),
        ({"t": ["a", "b"]}, "expected a feature besides the target, got only 't'"),
    ],
)
def test_an_unusable_parquet_file_is_refused_in_one_sentence_with_the_place(write, columns, sentence):
    assert sentence in refused(write(pa.table(columns)), missing="refuse")


def test_duplicate_column_names_in_parquet_are_refused(write):
    twice = pa.table([pa.array([1, 2])] * 3, names=["x", "x", "t"])
    assert "expected every column name once, got 'x' twice" in refused(write(twice))


def test_parquet_columns_of_every_type_are_read(write):
    table = pa.table(
        {
            "petal.length": pa.array([True, False]),  # a dot is not a path
            "petal": pa.array([Decimal("1.25"), Decimal("2.50")]),
            "half": pa.array(np.array([0.5, 1.5], np.float16)),
            "t": pa.array(["v", "u"]).dictionary_encode(),
            "__index_level_0__": [7, 8],  # pandas' index is not data
        }
    )
    data = load(write(table), numbers=False)
    assert data.schema.features == ("petal.length", "petal", "half")
    assert data.train.features.tolist() == [[1, 1.25, 0.5], [0, 2.5, 1.5]]
    assert data.schema.classes == ("u", "v")
    assert data.train.targets.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("column", "classes"),
    [
        (pa.array([Decimal("1.10"), Decimal("12345678901234567890.12")]), ("1.10", "12345678901234567890.12")),
        (pa.array([2**64 - 1, 2**64 - 2], pa.uint64()), ("18446744073709551614", "18446744073709551615")),
        (pa.array(["01", "1.0"]), ("1.0", "01")),
        (pa.array([b"caf\xc3\xa9", b"b"]), ("b", "café")),
        (pa.array([False, True]), ("False", "True")),
        (pa.array([1.0, 2.0]), ("1", "2")),
    ],
)
def test_labels_of_parquet_keep_every_digit(write, column, classes):
    assert set(load(write(pa.table({"x": [1, 2], "t": column})), numbers=False).schema.classes) == set(classes)


def test_long_labels_keep_every_digit_though_one_is_missing(write):
    path = write(pa.table({"x": [1, 2, 3], "t": [2**53 + 1, None, 2**53]}))
    assert load(path, numbers=False, missing="drop").schema.classes == ("9007199254740992", "9007199254740993")
    with pytest.raises(DataError, match="row 2: expected a target in column 't', got None"):
        load(path, numbers=False)


@pytest.mark.parametrize("step", [1, 2**40])
def test_numbers_too_large_to_be_told_apart_are_pointed_out(write, step):
    large = [2**53 + step * number for number in range(40)]
    rows = "".join(f"{number},{index},{number}\n" for index, number in enumerate(large))
    for path in (write(f"k,x,t\n{rows}"), write(pa.table({"k": large, "x": range(40), "t": large}))):
        said = [note for note in load(path, numbers=True).notes if "close together are read as the same" in note]
        assert len(said) == 2 * (step == 1)
        assert all(f"column {name}" in note for name, note in zip(("'k'", "'t'"), said, strict=False))


def test_columns_without_a_name_that_hold_nothing_are_left_out(write):
    path = write(",x,,y,t,\n7,1,,2,a,\n3,3,,4,b,\n5,5,,6,a,\n")
    data = load(path, numbers=False)
    assert (data.schema.features, data.schema.target) == (("x", "y"), "t")
    assert data.train.features.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert "the first column is left out, as it has no name and another whole number in each row" in data.notes[0]
    [(features, beside)] = feature_chunks(write(",x,,y\n0,8,z,9\n", "more.csv"), data.schema, everything=True)
    assert (features.tolist(), set(beside)) == ([[8, 9]], {"x", "y"})


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_numbers_of_rows_that_pandas_wrote_are_left_out(write, kind):
    columns = {"Unnamed: 0": [0, 1, 2, 0], "x": [5, 6, 7, 8], "t": ["a", "a", "b", "b"]}
    rows = "".join(f"{number},{x},{t}\n" for number, x, t in zip(*columns.values(), strict=True))
    path = write(f"Unnamed: 0,x,t\n{rows}" if kind == "csv" else pa.table(columns))
    data = load(path, numbers=False)
    assert (data.schema.features, data.train.features.tolist()) == (("x",), [[5], [6], [7], [8]])
    assert "the column 'Unnamed: 0' is left out, as it only numbers the rows" in data.notes[0]
    assert load(path, numbers=False, features=("Unnamed: 0",)).schema.features == ("Unnamed: 0",)
    [(features, beside)] = feature_chunks(path, data.schema, everything=True)
    assert (features.tolist(), set(beside)) == ([[5], [6], [7], [8]], {"Unnamed: 0", "x", "t"})
    assert load(write("Unnamed: 0,x,t\n0.5,5,a\n1,6,b\n"), numbers=False).schema.features == ("Unnamed: 0", "x")


def test_dates_are_refused_as_labels_and_named(write):
    dates = pa.array([datetime(2020, 1, 1), datetime(2020, 1, 2)])
    sentence = refused(write(pa.table({"x": [1, 2], "t": dates})))
    assert ", row 1: expected labels that are text, numbers, or true and false, got datetime.datetime(2020" in sentence


def test_dates_of_a_text_table_that_are_learnt_as_classes_are_pointed_out(write):
    data = load(write("x,due\n1,2024-01-31\n2,2024-02-29\n3,2024-01-31\n"), numbers=None)
    assert data.schema.classes == ("2024-01-31", "2024-02-29")
    assert "the target 'due' has dates, and each is learnt as a class" in data.notes[0]


def test_without_pyarrow_the_error_says_what_to_install(write, monkeypatch):
    path = write(pa.table({"x": [1, 2], "t": ["a", "b"]}))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert 'pip install "distsearch[parquet]"' in refused(path)


@pytest.mark.parametrize("content", ["x,species\n1,a\n2,b\n", pa.table({"x": [1, 2], "species": ["a", "b"]})])
def test_a_missing_target_column_is_answered_with_the_nearest_and_the_others(write, content):
    sentence = refused(write(content), target="speces")
    assert "no column 'speces' (did you mean 'species'?); the columns are 'x', 'species'" in sentence
    assert "for regression" not in refused(write(content), numbers=True)
    assert "got 'a'; to learn classes add --loss cross-entropy" in refused(write(content), numbers=True)


def test_at_most_twenty_columns_are_listed(write):
    names = [f"c{index}" for index in range(30)]
    path = write(",".join(names) + "\n" + ",".join("1" * 30) + "\n")
    assert refused(path, target="zz").endswith("'c18', 'c19' and 10 more")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_new_data_is_read_by_column_name(write, kind):
    columns = {"id": ["p", "q"], "y": [2, 4], "t": ["b", "a"], "x": [1, 3]}
    text = "id,y,t,x\n" + "".join(",".join(map(str, row)) + "\n" for row in zip(*columns.values(), strict=True))
    path = write(text if kind == "csv" else pa.table(columns))
    assert read_features(path, SCHEMA).tolist() == [[1, 2], [3, 4]]
    assert read_examples(path, SCHEMA).targets.tolist() == [1, 0]
    assert read_examples(path, SCHEMA).features.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_features_are_put_in_the_order_of_training(write, kind):
    three = Schema(("z", "x", "y"), "", None, 1, None, None)
    path = write("x,y,z\n1,2,3\n" if kind == "csv" else pa.table({"x": [1], "y": [2], "z": [3]}))
    assert read_features(path, three).tolist() == [[3, 1, 2]]


@pytest.mark.parametrize(
    ("content", "target", "sentence"),
    [
        (
            "x,t\n1,a\n",
            "",
            "the 2 training features, but there is no column 'y'; the columns are 'x', 't'",
        ),
        ("x,y\n1,2\n", "", "expected a target column, but there is no column 't'"),
        ("x,y,t\n1,2,c\n", "", ", line 2: expected a label seen in training ('a', 'b'), got 'c'"),
        ("x,y,t\n1,2,a\n", "y", "expected a target column, got 'y', which is a feature"),
        ("x,y,t\n", "", "expected at least one example"),
    ],
)
def test_examples_that_do_not_match_training_are_refused(write, content, target, sentence):
    path = write(content)
    with pytest.raises(DataError) as caught:
        read_examples(path, SCHEMA, target)
    assert sentence in str(caught.value)


def test_an_unnamed_target_is_the_last_column_that_is_not_a_feature(write):
    unnamed = Schema(("x", "y"), "", ("a", "b"), 2, None, None)
    path = write("x,s,t,y\n1,u,b,2\n")
    assert read_examples(path, unnamed).targets.tolist() == [1]
    with pytest.raises(DataError, match="expected a target column besides the features, but there is none"):
        read_examples(write("x,y\n1,2\n"), unnamed)


cells = st.floats(width=32, allow_nan=False, allow_infinity=False)
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(str.strip).filter(bool)


@given(rows=st.lists(st.tuples(cells, words, cells), min_size=1), dialect=st.sampled_from(["excel", "unix"]))
@in_one_folder
def test_tables_written_by_the_csv_module_are_read_back(tmp_path: Path, rows, dialect):
    text = io.StringIO()
    writer = csv.writer(text, dialect=dialect)
    writer.writerow(["x", "t", "y"])
    writer.writerows(rows)
    path = tmp_path / "data.csv"
    path.write_bytes(text.getvalue().encode())
    raw = read(str(path), Selection(target="t"))
    assert np.stack(raw.features.columns, axis=1).tolist() == [[x, y] for x, _, y in rows]
    assert raw.targets.tolist() == [word for _, word, _ in rows]
    assert raw.names == ("x", "y")


@given(
    gaps=st.lists(st.integers(0, 3), min_size=1, max_size=8),
    newlines=st.lists(st.integers(0, 2), min_size=8, max_size=8),
)
@in_one_folder
def test_line_numbers_count_empty_lines_and_multi_line_labels(tmp_path: Path, gaps, newlines):
    text = "x,t\n"
    for index, gap in enumerate(gaps):
        text += "\n" * gap + f'{index},"a{newlines[index] * chr(10)}b"\n'
    line = text.count("\n") + 1
    path = tmp_path / "data.csv"
    path.write_text(text + "inf,c\n1,d\n")
    with pytest.raises(DataError, match=rf", line {line}: expected a finite number"):
        load(str(path), numbers=False)
    path.write_text(text + "1,c\n1,d,e\n")
    with pytest.raises(DataError, match=rf", line {line + 1}: expected 2 columns"):
        load(str(path), numbers=False)


pieces = st.sampled_from(
    ["1", "-2e1", ",", "\n", "\r", '"', "a", " ", "\t", ";", "\0", "é", "\u2028", "x,t\n", "1,b\n"]
)


@given(text=st.lists(pieces, max_size=30).map("".join), name=st.sampled_from(["data.csv", "data.tsv"]))
@in_one_folder
def test_any_text_raises_nothing_but_a_data_error(tmp_path: Path, text, name):
    path = tmp_path / name
    path.write_bytes(b"x,y,t\n" + text.encode())
    schema = Schema(("x",), "", ("a", "b"), 2, None, None)
    sentences = [
        sentence_of(lambda: load(str(path), numbers=False)),
        sentence_of(lambda: load(str(path), numbers=True, target="x")),
        sentence_of(lambda: read_features(str(path), schema)),
    ]
    assert not any("\n" in sentence for sentence in sentences)


def sentence_of(reading: Callable[[], object]) -> str:
    """The sentence of the error; empty if there is none."""
    try:
        reading()
    except DataError as error:
        return str(error)
    return ""


def test_a_large_table_is_prepared_in_three_times_its_memory():
    count, width = 20_000, 20
    rows = np.arange(count, dtype=np.float64)

    def made() -> Raw:
        columns = tuple(50 * np.sin(rows + index) for index in range(width))
        return Raw("the table", Table(columns, count), np.arange(count) % 2, unnamed(width), "t")

    tracemalloc.start()
    try:
        data = dataset_of(made(), Reading(numbers=False, scale=None, validation_share=None))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert data.schema.mean is not None
    assert data.validation is not None
    assert peak < 3 * count * width * rows.itemsize


def test_reading_a_large_file_is_said(write, caplog, monkeypatch):
    path = write("x,t\n1,a\n2,b\n")
    caplog.set_level(logging.INFO)
    load(path, numbers=False)
    assert caplog.messages == []
    monkeypatch.setattr(readers, "LONG_TO_READ", 10)
    load(path, numbers=False)
    assert caplog.messages == [f"reading 12 bytes of {path}"]


@pytest.mark.parametrize("numbers", [[1.5 * number for number in range(60)], [number % 150 for number in range(450)]])
def test_a_stray_text_makes_no_classes_of_a_target_of_numbers(write, numbers):
    content = "x,t\n" + "".join(f"{row},{number}\n" for row, number in enumerate(numbers))
    path = write(f"{content}7,n.k.\n8,n.k.\n")
    assert f"line {len(numbers) + 2}: expected a number in target 't', as nearly all are, got 'n.k.'" in refused(
        path, numbers=None
    )
    grades = write("x,t\n" + "".join(f"{row},{row % 21 or 'none taken'}\n" for row in range(420)))
    assert len(load(grades, numbers=None).schema.classes) == 21
