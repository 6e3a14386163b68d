from typing import Annotated

import pytest

from distsearch.errors import SettingError
from distsearch.settings import Settings, about, checked, declared


class Example(Settings):
    count: Annotated[int, about("how many", unit="things", at_least=2, flag="number")] = 5
    share: Annotated[float, about("how much", above=0, below=1)] = 0.5
    limit: Annotated[float, about("at most", above=0)] | None = None
    widths: Annotated[tuple[int, ...], about("how wide")] = (3,)
    on: Annotated[bool, about("whether")] = True
    name: Annotated[str, about("of what")] = ""


def test_values_are_converted_and_the_rest_is_default():
    assert checked(Example, {"share": 0.25, "widths": [4, 5], "limit": 3}, "example") == Example(
        share=0.25, widths=(4, 5), limit=3.0
    )


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"count": 1}, r"example.count: expected a whole number >= 2, got 1 \(the default is 5\)"),
        ({"count": "many"}, "example.count: expected a whole number, got 'many'"),
        ({"count": 2.5}, "example.count: expected a whole number, got 2.5"),
        ({"count": True}, "example.count: expected a whole number, got True"),
        ({"share": 1.0}, "example.share: expected a number < 1.0, got 1.0"),
        ({"share": float("nan")}, "example.share: expected a finite number, got nan"),
        ({"limit": float("inf")}, "example.limit: expected a finite number, got inf"),
        ({"limit": 0}, "example.limit: expected a number > 0.0, got 0"),
        ({"on": 1}, "example.on: expected true or false, got 1"),
        ({"name": "n\udcff"}, r"example.name: expected UTF-8 text without NUL, got 'n\\udcff'"),
        ({"name": "n\0"}, r"example.name: expected UTF-8 text without NUL, got 'n\\x00'"),
        ({"widths": ["a"]}, "example.widths: expected a whole number, got "),
        ({"cuont": 3}, "example: unknown setting 'cuont': did you mean 'count'"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(values, sentence):
    with pytest.raises(SettingError, match=sentence) as caught:
        checked(Example, values, "example")
    assert "\n" not in str(caught.value)


def test_declarations_can_be_read():
    first, second, limit, *_ = declared(Example)
    assert (first.name, first.flag, first.unit, first.text, first.default) == (
        "count",
        "number",
        "things",
        "how many",
        5,
    )
    assert (second.flag, second.type) == ("share", float)
    assert (limit.type, limit.default) == (float, None)
