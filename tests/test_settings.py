from pathlib import Path
from typing import Annotated

import numpy as np
import pytest

from distsearch.errors import SettingError
from distsearch.settings import Settings, about, declarations, validate, with_changes


class Example(Settings):
    count: Annotated[int, about("how many", unit="things", at_least=2, flag="number")] = 5
    share: Annotated[float, about("how much", above=0, below=1)] = 0.5
    limit: Annotated[float, about("at most", above=0)] | None = None
    widths: Annotated[tuple[int, ...], about("how wide")] = (3,)
    columns: Annotated[tuple[str, ...], about("which ones", fewest=1)] = ("a", "b")
    on: Annotated[bool, about("whether")] = True
    name: Annotated[str, about("who")] = ""
    folder: Annotated[str, about("where", path=True)] = ""


def test_values_are_converted_and_the_rest_are_defaults():
    assert validate(Example, {"share": 0.25, "widths": [4, 5], "limit": 3}, "example") == Example(
        share=0.25, widths=(4, 5), limit=3.0
    )


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"count": np.int64(3)}, {"count": 3}),
        ({"share": np.float32(0.25)}, {"share": 0.25}),
        ({"limit": np.array(2.0)}, {"limit": 2.0}),
        ({"on": np.False_}, {"on": False}),
        ({"name": np.str_("me")}, {"name": "me"}),
        ({"widths": 64}, {"widths": (64,)}),
        ({"widths": np.int32(64)}, {"widths": (64,)}),
        ({"widths": np.array([64, 32])}, {"widths": (64, 32)}),
        ({"widths": [np.int64(64), 32]}, {"widths": (64, 32)}),
        ({"widths": range(1, 3)}, {"widths": (1, 2)}),
        ({"columns": "7,007,x(1,2)"}, {"columns": ("7", "007", "x(1,2)")}),
        ({"columns": [7, np.int64(8), "x"]}, {"columns": ("7", "8", "x")}),
        ({"columns": 7}, {"columns": ("7",)}),
        ({"folder": Path("a/b")}, {"folder": "a/b"}),
        ({"folder": Path("~/b")}, {"folder": "/home/me/b"}),
        ({"folder": "~/b"}, {"folder": "/home/me/b"}),
        ({"folder": "./b"}, {"folder": "./b"}),
        ({"name": "~/b"}, {"name": "~/b"}),
    ],
)
def test_values_of_python_and_numpy_types_are_accepted(monkeypatch, given, taken):
    monkeypatch.setenv("HOME", "/home/me")
    made = validate(Example, given, "example")
    assert made == Example(**taken)
    for name in given:
        assert type(getattr(made, name)) is type(getattr(Example(**taken), name))


def test_changed_values_are_checked_too():
    assert with_changes(Example(count=3), "example", share=0.75) == Example(count=3, share=0.75)
    with pytest.raises(SettingError, match="example.limit: expected a finite number, got inf"):
        with_changes(Example(), "example", limit=float("inf"))


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
        ({"name": "n\udcff"}, r"example.name: expected text, got 'n\\udcff': write it in UTF-8"),
        ({"name": "n\0"}, r"example.name: expected text, got 'n\\x00': leave out the zero bytes"),
        ({"widths": ["a"]}, "example.widths: expected a whole number, got "),
        ({"count": 2**64}, "example.count: expected a whole number below 2\\*\\*64, got 18446744073709551616"),
        ({"count": 10**5000}, "example.count: .*below 2\\*\\*64, got a number of thousands of digits"),
        ({"widths": [3, -(2**64)]}, "example.widths: expected a whole number below 2\\*\\*64"),
        ({"widths": True}, "example.widths: expected a whole number"),
        ({"name": "a\0"}, r"example.name: expected text, got 'a\\x00': leave out the zero bytes"),
        ({"name": b"me"}, "example.name: expected text, got b'me'"),
        ({"folder": "~nobody-of-this-name"}, "there is no home directory ~nobody-of-this-name"),
        ({"count": "many" * 1000}, "example.count: expected a whole number, got 'many.{1,60}…"),
        ({"widths": "64,wide"}, r"example.widths: expected a whole number, got \[64, 'wide'\]"),
        ({"columns": ""}, r"example.columns: expected a list of length >= 1, got \[\] \(the default is a,b\)"),
        ({"columns": [7.5]}, r"example.columns: expected text, got \[7.5\]"),
        (
            {"columns": [abs]},
            r"example.columns: expected text, got \[<built-in .*>\]; what is your own is given by its name",
        ),
        ({"name": print}, "example.name: expected text, got .*; what is your own is given by its name"),
        ({"cuont": 3}, "example: unknown setting 'cuont': did you mean 'count'"),
    ],
)
def test_invalid_values_are_refused_in_one_sentence(values, sentence):
    with pytest.raises(SettingError, match=sentence) as caught:
        validate(Example, values, "example")
    assert "\n" not in str(caught.value)


def test_declarations_can_be_inspected():
    first, second, limit, *_ = declarations(Example)
    assert (first.name, first.flag, first.unit, first.text, first.default) == (
        "count",
        "number",
        "things",
        "how many",
        5,
    )
    assert (second.flag, second.type) == ("share", float)
    assert (limit.type, limit.default) == (float, None)
