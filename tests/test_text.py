"""Paths as users write them."""

import os
import pwd
from pathlib import Path

import pytest

from distsearch.errors import SettingError
from distsearch.text import as_path, expanded, some_of


def test_a_tilde_is_expanded_and_everything_else_is_kept(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    me = pwd.getpwuid(os.getuid())
    assert expanded("~") == "/home/me"
    assert expanded("~/runs") == expanded(Path("~/runs")) == "/home/me/runs"
    assert expanded(f"~{me.pw_name}/runs") == f"{me.pw_dir}/runs"
    for text in ("runs", "./vertical", "a//b", "a/~", "", "s3://bucket/~", "./~nobody-of-this-name"):
        assert expanded(text) == text
    assert as_path("~/a/../b") == Path("/home/me/a/../b")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "~nobody-of-this-name/x",
            "there is no home directory ~nobody-of-this-name; write ./~nobody-of-this-name/x if the name",
        ),
        ("a\0b", r"got 'a\\x00b': leave out the zero bytes"),
        ("a\ud800b", r"got 'a\\ud800b': write it in UTF-8"),
    ],
)
def test_an_impossible_path_is_refused(text, sentence):
    with pytest.raises(SettingError, match=sentence):
        expanded(text)


def test_a_tilde_without_a_home_is_refused(monkeypatch):
    def nobody(number: int):
        raise KeyError

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(SettingError, match="there is no home directory ~; write ./~/x"):
        expanded("~/x")


def test_of_many_names_the_first_are_shown():
    assert some_of(["a", "b"], 2) == "a, b"
    assert some_of([f"r{number}" for number in range(1003)], 3) == "r0, r1, r2 and 1,000 more"
