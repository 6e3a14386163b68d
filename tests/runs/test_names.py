"""Names of runs, which have to be names of directories."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distsearch.errors import RunError
from distsearch.runs.names import check, is_plain, stem
from distsearch.text import escaped


@pytest.mark.parametrize("name", ["a", "my run", "[red]z[bold]", "éé", "a.b-c_d", "x" * 200, "می\u200cشود"])
def test_valid_names_are_accepted(name):
    assert is_plain(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", ".hidden", "~me", "a/b", "/a", "é" * 101),
        *("a\nb", "a\tb", "a\0b", "a\x1b[31m", "a\x9b", "\u202eb", "n\udcff"),
    ],
)
def test_invalid_names_are_refused(name):
    assert not is_plain(name)
    with pytest.raises(RunError, match="expected a plain name for the run") as caught:
        check(name)
    assert escaped(str(caught.value)) == str(caught.value)


@given(st.text(), st.sampled_from(["hill-climb", "evolution-strategy"]))
def test_a_generated_name_is_plain_whatever_the_data_is_called(source, strategy):
    assert is_plain(f"{stem(source, strategy)}-1000000")


def test_a_generated_name_mentions_the_data():
    assert stem("data/my.table.csv", "snes") == "my-snes"
    assert stem("../my data.csv", "snes") == "my-data-snes"
    assert stem(".csv", "snes") == "data-snes"


def test_only_control_characters_are_escaped():
    assert escaped("a\x1b[31m\x07\x9b\x7f\r\udcff\u202e") == r"a\x1b[31m\x07\x9b\x7f\r\udcff\u202e"
    for text in ("plain", "two\nlines\tand a tab", "é 漢字 👩\u200d🔬", "می\u200cشود", r"\x1b"):
        assert escaped(text) == text
