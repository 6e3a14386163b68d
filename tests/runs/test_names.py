"""Names of runs: what a directory may be called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distsearch.errors import RunError
from distsearch.runs.names import check, is_plain, stem
from distsearch.text import escaped


@pytest.mark.parametrize("name", ["a", "my run", "[red]z[bold]", "éé", "a.b-c_d", "x" * 200, "می\u200cشود"])
def test_names_that_can_be(name):
    assert is_plain(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", ".hidden", "~me", "a/b", "/a", "é" * 101),
        *("a\nb", "a\tb", "a\0b", "a\x1b[31m", "a\x9b", "\u202eb", "n\udcff"),
    ],
)
def test_names_that_cannot_be(name):
    assert not is_plain(name)
    with pytest.raises(RunError, match="expected a plain name for the run") as caught:
        check(name)
    assert escaped(str(caught.value)) == str(caught.value)


@given(st.text(), st.sampled_from(["hill-climb", "evolution-strategy"]))
def test_a_made_up_name_is_plain_whatever_the_data_is_called(source, strategy):
    assert is_plain(f"{stem(source, strategy)}-1000000")


def test_a_made_up_name_tells_the_data():
    assert stem("data/my.table.csv", "snes") == "my-snes"
    assert stem("../my data.csv", "snes") == "my-data-snes"
    assert stem(".csv", "snes") == "data-snes"


def test_control_characters_are_shown_as_escapes_and_all_else_stays():
    assert escaped("a\x1b[31m\x07\x9b\x7f\r\udcff\u202e") == r"a\x1b[31m\x07\x9b\x7f\r\udcff\u202e"
    for text in ("plain", "two\nlines\tand a tab", "é 漢字 👩\u200d🔬", "می\u200cشود", r"\x1b"):
        assert escaped(text) == text
