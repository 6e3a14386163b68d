"""Text tables as they occur in practice: separators, encodings, decimal marks, comments."""

import codecs
import tracemalloc

import numpy as np
import pytest
from features import read_features

from distsearch.data import datasets
from distsearch.data.datasets import feature_chunks, load
from distsearch.data.readers.dialect import SAMPLE_LINES
from distsearch.data.schema import Schema
from distsearch.errors import DataError

PLAIN = "x,y,t\n1.5,2000,é\n-2,4,a\n0.25,30,é\n"
EXPECTED = [[1.5, 2000], [-2, 4], [0.25, 30]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PLAIN.encode(), ""),
        (codecs.BOM_UTF8 + PLAIN.encode(), ""),
        (PLAIN.encode("utf-16"), "the text is UTF-16"),
        (PLAIN.encode("utf-16-le"), "the text is UTF-16"),
        (PLAIN.encode("utf-16-be"), "the text is UTF-16"),
        (PLAIN.encode("cp1252"), "the text is Windows-1252"),
        (PLAIN.replace(",", ";").encode(), "columns are separated by semicolons"),
        (PLAIN.replace(",", "\t").encode(), "columns are separated by tabs"),
        (PLAIN.replace(",", " | ").encode(), "columns are separated by bars"),
        (PLAIN.replace(",", "   ").replace("\n", "  \n  ").encode(), "columns are separated by spaces"),
        (PLAIN.replace(",", ";").replace(".", ",").encode(), "separated by semicolons, the decimal mark is a comma"),
        (b"x;y;t\n1,5;2.000;\xc3\xa9\n-2;4;a\n0,25;30;\xc3\xa9\n", "the decimal mark is a comma"),
        (b'x,y,t\n1.5,"2,000",\xc3\xa9\n-2,4,a\n0.25,30,\xc3\xa9\n', "as follows: '2,000' is 2000"),
        (b"x,y,t\n150%,2 000,\xc3\xa9\n-200%,4,a\n25%,30,\xc3\xa9\n", "'150%' is 1.5, '2 000' is 2000"),
        (b"x,y,t\n1.5,2000,\xc3\xa9\n(2),4,a\n0.25,30,\xc3\xa9\n", "'(2)' is -2"),
        ("x,y,t\n1.5,2000,é\n\u22122,4,a\n0.25,30,é\n".encode(), ""),
        (b"# from the lab\n\n# in 2024\n" + PLAIN.encode(), "lines that begin with # are comments"),
        (b"# x,y,t\n" + PLAIN.encode().partition(b"\n")[2], "its last comment holds the column names"),
        (b"sep=;\n" + PLAIN.replace(",", ";").encode(), "columns are separated by semicolons"),
        (PLAIN.replace("\n", "\r\n\r\n").encode(), ""),
        (b"#,y,t\n" + PLAIN.encode().partition(b"\n")[2], ""),  # a column may be called so
    ],
)
def test_a_dialect_is_recognised_and_reported_in_one_sentence(write, content, said):
    path = write(content)
    data = load(path, numbers=False)
    assert data.train.features.tolist() == EXPECTED
    assert data.train.targets.tolist() == [1, 0, 1]
    assert data.schema.classes == ("a", "é")
    assert len(data.notes) == bool(said)
    assert said in "".join(data.notes)
    assert read_features(path, data.schema).tolist() == EXPECTED


@pytest.mark.parametrize(
    ("content", "features"),
    [
        ("1,5;2,5;0\n3,1;4,2;1\n1,5;2,5;0\n", [[1.5, 2.5], [3.1, 4.2], [1.5, 2.5]]),
        ("a;t\n1.234;x\n5;y\n", [[1.234], [5]]),
        ("a;t\n1,234;x\n5;y\n", [[1.234], [5]]),
        ('a,t\n"1,234",x\n5,y\n', [[1234], [5]]),
        ('a,b,t\n1.234,"1,5",x\n5,"1,5",y\n', [[1.234, 1.5], [5, 1.5]]),
        ("a,t\nyes,x\nNo,y\n", [[1], [0]]),
        ('a,t\n"12,34,567.5",x\n5,y\n', [[1234567.5], [5]]),
        ("a,t\n1\u2009234,x\n5\u2019678,y\n", [[1234], [5678]]),
    ],
)
def test_decimal_and_thousands_marks_are_understood(write, content, features):
    assert load(write(content.encode()), numbers=False).train.features.tolist() == np.float32(features).tolist()


@pytest.mark.parametrize("marked", ["39,State,7,a\n50,Self,8,b\n38,State,7,a\n40,Self,8,b\n"])
def test_a_table_with_text_among_its_features_may_have_no_header(write, marked):
    data = load(write(marked.encode()), numbers=False)
    assert len(data.train.features) == 4
    assert "begins with numbers" in data.notes[0]


def test_a_table_needs_little_more_memory_than_its_numbers(write):
    path = write(b"x,y,z,t\n" + b"0.123456789,1234.56789,-0.987654321,1\n0.5,0.25,0.125,0\n" * 20_000)
    size = 20_000 * 56
    tracemalloc.start()
    try:
        load(path, numbers=False)
        _, whole = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert whole < 4 * size + 4_000_000  # of blocks of rows


def test_a_file_that_is_not_text_is_refused(write):
    with pytest.raises(DataError, match="to be a text table, but it contains zero bytes"):
        load(write(bytes(range(256)) * 4), numbers=False)
    with pytest.raises(DataError, match="line 1: expected text in UTF-8, got the byte 0x81"):
        load(write(b"x,y\x81\n1,2\n"), numbers=False)


MIXED = b"a;b;c;t\n1,5;0.25;1,234;x\n-2;1,234;5;y\n0,75;1.5;7;x\n"


def test_each_column_has_its_own_decimal_mark(write):
    data = load(write(MIXED), numbers=False)
    assert data.train.features.tolist() == [[1.5, 0.25, 1234], [-2, 1234, 5], [0.75, 1.5, 7]]
    assert "the decimal mark is a comma in 'a', and a point elsewhere" in data.notes[0]
    schema = Schema.from_json(data.schema.to_json())
    read = read_features(write(b"a;b;c\n1,234;1,234;8\n", "more.csv"), schema)
    assert read.tolist() == [[np.float32(1.234), 1234, 8]]


def test_a_decimal_comma_may_first_occur_far_below(write):
    whole = b"3;4;x\n5;6;y\n" * SAMPLE_LINES
    path = write(b"a;b;t\n" + whole + b"2,5;0.5;x\n1;2;y\n")
    data = load(path, numbers=False)
    assert data.train.features[-2:].tolist() == [[2.5, 0.5], [1, 2]]
    assert np.concatenate([features for features, _ in feature_chunks(path, data.schema)])[-2, 0] == 2.5


def test_two_decimal_marks_in_a_column_are_refused(write):
    with pytest.raises(DataError, match="line 3: expected a decimal point in column 'a', got '2,5'; write it as 2.5"):
        load(write(b"a;t\n1.5;x\n2,5;y\n3;x\n4;y\n"), numbers=False)


def test_a_file_with_an_ambiguous_decimal_mark_is_read_as_in_training(write):
    schema = load(write(b"a;t\n1,5;x\n2.000,25;y\n"), numbers=False).schema
    assert read_features(write(b"a;t\n1.234;x\n", "more.csv"), schema).tolist() == [[1234]]
    assert read_features(write(b"a;t\n1.5;x\n1.234;x\n", "more.csv"), schema).tolist() == [[1.5], [np.float32(1.234)]]


@pytest.mark.parametrize(
    ("content", "doubt"),
    [
        ("a;t\n1.000;x\n950;y\n", "'1.000' is 1 (write 1000 if that is meant)"),
        ("a;t\n1.000;x\n0.5;y\n", ""),
        ("a,t\n1.125,x\n2.375,y\n", ""),
    ],
)
def test_a_point_that_may_group_thousands_is_pointed_out(write, content, doubt):
    notes = load(write(content), numbers=False).notes
    assert any("is 1 (" in note for note in notes) == bool(doubt)
    assert doubt in "".join(notes)


def test_how_a_further_file_is_written_is_said_once(write, caplog, monkeypatch):
    monkeypatch.setattr(datasets, "CHUNK_ROWS", 1)
    schema = load(write("a,t\n1.5,x\n2.5,y\n"), numbers=False).schema
    path = write("a;t\n1,5;x\n2,5;y\n", "more.csv")
    caplog.set_level("INFO", "distsearch")
    assert [features.tolist() for features, _ in feature_chunks(path, schema)] == [[[1.5]], [[2.5]]]
    [said] = [record.getMessage() for record in caplog.records]
    assert said == f"{path} was read as follows: columns are separated by semicolons, the decimal mark is a comma"


def test_columns_with_thousands_grouped_in_both_ways_are_told_apart(write):
    data = load(write("x;z;t\n1,234.5;1.234,5;a\n2,000.25;2.000,25;b\n"), numbers=False, scale=False)
    assert data.train.features.tolist() == [[1234.5, 1234.5], [2000.25, 2000.25]]


def test_spaces_between_thousands_hide_no_decimal_comma(write):
    data = load(write("x;t\n1 000,5;a\n2\u00a0000,25;b\n"), numbers=False, scale=False)
    assert data.train.features.tolist() == [[1000.5], [2000.25]]


def test_a_stray_byte_makes_no_other_encoding_of_a_table_in_utf_8(write):
    with pytest.raises(DataError, match="line 4: expected text in UTF-8, got the byte 0xe9"):
        load(write("x,t\n1,café\n2,à\n".encode() + b"3,th\xe9\n"), numbers=False)


@pytest.mark.parametrize("separator", [":", "^"])
def test_an_unusual_separator_is_refused_with_the_usual_ones(write, separator):
    with pytest.raises(DataError, match="add one, or separate the columns by commas, semicolons, tabs or bars"):
        load(write("x,t\n1,a\n2,b\n".replace(",", separator)), numbers=False)
