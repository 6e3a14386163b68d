from pathlib import Path

import numpy as np
import pytest
from features import read_features
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distsearch.data.datasets import load, read_examples
from distsearch.data.raw import Selection
from distsearch.data.readers import chunks, read
from distsearch.data.schema import Schema
from distsearch.errors import DataError

SCHEMA = Schema(("x", "y"), "t", ("a", "b"), 2, None, None)
in_one_folder = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


def refused(path: str) -> str:
    with pytest.raises(DataError) as caught:
        load(path, numbers=False)
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        'x, y, "t"\n1, 2, "b"\n3, 4, "a"\n',
        ' x , y , "t" \n 1 , "2" , "b" \n 3 , 4 , a \n',
        '"x", "s, s", "y", "t"\n1, "p, q", 2, "b"\n"3", "p", "4", "a"\n',
    ],
)
def test_quotes_after_spaces_are_not_part_of_the_text(write, content):
    examples = read_examples(write(content), SCHEMA)
    assert examples.features.tolist() == [[1, 2], [3, 4]]
    assert examples.targets.tolist() == [1, 0]


def test_a_label_in_quotes_keeps_its_commas_spaces_and_quotes(write):
    path = write('x, t\n1, "a, ""b"", c"\n2, """d"""\n3,plain\n')
    assert load(path, numbers=False).schema.classes == ('"d"', 'a, "b", c', "plain")


def test_true_and_false_features_are_1_and_0(write):
    path = write("x,y,t\n0.5,True,b\n-1,FALSE,a\ntrue, 0.25 ,b\n")
    data = load(path, numbers=False)
    assert data.train.features.tolist() == [[0.5, 1], [-1, 0], [1, 0.25]]
    assert read_features(path, data.schema).tolist() == data.train.features.tolist()


@given(rows=st.lists(st.tuples(st.floats(width=32, allow_nan=False), st.floats(-1e6, 1e6)), min_size=1, max_size=9))
@in_one_folder
def test_numbers_keep_their_bits_beside_true_and_false_and_in_chunks(tmp_path: Path, rows):
    path = tmp_path / "data.csv"
    path.write_text("x,y,z\n" + "".join(f"{x!r},{y!r},True\n" for x, y in rows))
    wanted = Selection(("x", "y", "z"), targets=False)
    for parts in ([read(str(path), wanted)], list(chunks(str(path), wanted, 2))):
        found = np.concatenate([np.stack(part.features.columns, axis=1) for part in parts])
        assert found.tobytes() == np.array([(x, y, 1.0) for x, y in rows]).tobytes()


# Without a header

HEADLESS = "5.0,3.2,setosa\n6.1,2.8,virginica\n4.9,3.1,setosa\n6.3,3.3,virginica\n"


def test_a_first_line_of_numbers_is_an_example_and_a_note_says_so(write):
    path = write(HEADLESS)
    data = load(path, numbers=False)
    assert data.train.features.tolist() == np.float32([[5, 3.2], [6.1, 2.8], [4.9, 3.1], [6.3, 3.3]]).tolist()
    assert data.train.targets.tolist() == [0, 1, 0, 1]
    assert data.schema == Schema(("x0", "x1"), "x2", ("setosa", "virginica"), 2, None, None)
    (note,) = data.notes
    assert note == (
        f"{path} begins with numbers, not with column names: its first line is read as an example, and its "
        "columns are called x0 to x2"
    )


@pytest.mark.parametrize(
    ("content", "settings", "examples"),
    [
        ("1,2,3\n4,5,6\n", {}, 2),
        ("1,2,3\n4,5,6\n", {"numbers": True}, 2),
        ("1,5.0,0.2\n2,6.1,0.3\n1,4.9,0.2\n", {"target": "x0"}, 3),
        ("True,2,a\nFalse,5,b\n1,2,a\n", {}, 3),
        ("\n0.5,1\n0.25,0\n", {}, 2),
        ("0,1,2\n3,4,5\n", {}, 2),
        ('"5.0", 3.2, "setosa"\n6.1, 2.8, "virginica"\n4.9, 3.1, "setosa"\n', {}, 3),
        ("x,y,t\n1,2,a\n3,4,b\n", {}, 2),
        ("x,2,t\n1,2,a\n3,4,b\n", {}, 2),
        ("0,1,2,3\n5,6,7,8\n9,10,11,12\n", {}, 2),  # what pandas calls columns without names
        ("0,1,2,label\n5,6,7,a\n9,10,11,b\n", {}, 2),
        ("2019,2020,grown\n5,6,yes\n9,10,no\n", {}, 2),  # no label is called grown
        ("x,o,x,won\no,x,x,lost\nx,o,o,won\no,o,x,lost\n", {}, 4),
        ("red,big,1\nblue,small,0\nred,small,1\nblue,big,1\n", {}, 4),
    ],
)
def test_a_first_line_is_recognised_as_header_or_example(write, content, settings, examples):
    data = load(write(content), **{"numbers": False, **settings})
    assert len(data.train.features) == examples
    assert bool(data.notes) == (examples == len(content.strip().splitlines()))


def test_a_first_line_of_text_is_an_example_if_all_of_it_comes_again(write):
    path = write("red,big,yes\nblue,small,no\nred,small,yes\nblue,big,yes\n")
    data = load(path, numbers=False)
    assert data.notes[0].startswith(f"{path} begins with text that comes again, not with column names: its first line ")
    assert load(write("red,big,won\nred,small,lost\nred,big,drawn\n"), numbers=False).schema.features == ("red", "big")
    late = "red,big,yes\n" + "blue,small,no\nblue,small,yes\n" * 600 + "red,big,no\n"
    assert len(load(write(late), numbers=False).train.features) == 1201  # the whole table is not read for it


def test_a_header_that_comes_again_is_no_example(write):
    part = "x,y,t\n1,2,a\n3,4,b\n"
    assert ", line 4: expected a number in column 'x', got its name: remove the line" in refused(write(part * 2))
    text = "a,red,t\n0,blue,u\nb,red,t\na,blue,u\nc,red,t\n"
    assert len(load(write(text), numbers=False).train.features) == 5


def test_new_examples_may_lack_a_header_as_the_training_data_did(write):
    schema = load(write(HEADLESS), numbers=False).schema
    further = write("5.0,3.2\n6.1,2.8\n", "further.csv")
    assert read_features(further, schema).tolist() == np.float32([[5, 3.2], [6.1, 2.8]]).tolist()
    assert read_features(write(HEADLESS), schema).shape == (4, 2)
    assert read_examples(write(HEADLESS), schema).targets.tolist() == [0, 1, 0, 1]
    assert read_features(write("x1,x0\n3.2,5.0\n"), schema).tolist() == np.float32([[5, 3.2]]).tolist()
    with pytest.raises(DataError, match="there is no column 'x0'.*; the columns are 'a', 'b'"):
        read_features(write("a,b\n5.0,3.2\n"), schema)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"target": "t,t"}, "expected every column as a target once, got 't' twice"),
        ({"features": ("x", "y", "x")}, "expected every column to learn from once, got 'x' twice"),
    ],
)
def test_a_column_named_twice_is_refused(write, settings, sentence):
    with pytest.raises(DataError, match=sentence):
        load(write("x,y,t\n1,2,3\n4,5,6\n"), numbers=None, **settings)


def test_line_numbers_are_right_without_a_header(write):
    assert ", line 2: expected a finite number" in refused(write("1,2,a\n1,inf,a\n2,3,b\n"))
    assert ", line 3: expected a target in column 'x2', got 'NA'" in refused(write("1,2,0\n1,3,1\n2,3,NA\n"))


@pytest.mark.parametrize(
    "content",
    ["x,z,t\n1,2,a,\n3,4,b,\n", "x,z,t,\n1,2,a\n3,4,b\n", "x;z;t;\n1;2;a\n3;4;b\n", "x,z,t,\n1,2,a,\n3,4,b,\n"],
)
def test_separators_at_the_end_of_lines_begin_no_column(write, content):
    path = write(content)
    data = load(path, numbers=False, scale=False)
    assert data.schema.features == ("x", "z")
    assert data.train.features.tolist() == [[1, 2], [3, 4]]
    assert read_features(path, data.schema).tolist() == [[1, 2], [3, 4]]


def test_a_value_behind_the_last_name_is_refused(write):
    assert "column 4 has none" in refused(write("x,z,t\n1,2,a,\n3,4,b,5\n"))
    assert "line 3: expected 4 columns as in the first example, got 3" in refused(write("x,z,t\n1,2,a,\n3,4,b\n"))
