"""Which cluster is used, which token is sent, and how the answers at its address are reported."""

from pathlib import Path

import pytest
from answers import answering, version

from distsearch.errors import ClusterError, UserError
from distsearch.jobs.access import Access


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("given", "environment", "address"),
    [
        ("", {}, "http://127.0.0.1:8265"),
        ("", {"RAY_ADDRESS": "http://head:8265/"}, "http://head:8265"),
        ("", {"RAY_ADDRESS": "http://head:1", "RAY_API_SERVER_ADDRESS": "https://api:2"}, "https://api:2"),
        ("", {"RAY_ADDRESS": "auto"}, "http://127.0.0.1:8265"),
        ("", {"RAY_ADDRESS": "head:6379"}, "http://127.0.0.1:8265"),
        ("head:8265", {"RAY_ADDRESS": "http://other:8265"}, "http://head:8265"),
        ("https://head/ray/", {"RAY_API_SERVER_ADDRESS": "http://other:8265"}, "https://head/ray"),
    ],
)
def test_a_given_address_wins_over_ray_s_variables(home, given, environment, address):
    assert Access.of(given, None, environment).address == address


@pytest.mark.parametrize("address", ["ray://head:10001", "http://", "http://head:port", "http://[::1", "file:///etc"])
def test_an_address_that_is_not_http_is_refused(home, address):
    with pytest.raises(UserError, match="--address: expected one such as http://127.0.0.1:8265, got"):
        Access.of(address, None, {})


def test_sources_of_the_token_have_a_fixed_order(home):
    (home / ".ray").mkdir()
    for path, token in ((home / "given", "one"), (home / "named", "two"), (home / ".ray" / "auth_token", "three")):
        path.write_text(f"{token}\n")
    named = {"RAY_AUTH_TOKEN_PATH": str(home / "named")}
    direct = {"RAY_AUTH_TOKEN": "zero", **named}
    accesses = [(home / "given", direct), (None, direct), (None, named), (None, {})]
    tokens = [Access.of("", file, environment).token for file, environment in accesses]
    assert tokens == ["one", "zero", "two", "three"]
    (home / ".ray" / "auth_token").unlink()
    assert Access.of("", None, {}).headers == {}


def test_a_missing_or_empty_token_file_is_named(home):
    with pytest.raises(UserError, match=r"cannot read the token in .*gone: No such file"):
        Access.of("", home / "gone", {})
    for content in (b"", b"two words", b"two\nlines", b"\xff\xfe"):
        (home / "token").write_bytes(content)
        with pytest.raises(UserError, match="token does not hold a token: expected a line"):
            Access.of("", home / "token", {})


def test_the_token_is_sent_and_the_version_comes_back():
    with answering((200, version("2.60.0"))) as (address, shown):
        assert Access(address, "secret").version() == "2.60.0"
        assert Access(address, "").version() == "2.60.0"
    assert shown == ["Bearer secret", None]


def test_what_is_on_this_machine_is_not_asked_through_a_proxy(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with answering((200, version("2.60.0"))) as (address, shown):
        assert Access(address, "secret").version() == "2.60.0"
    assert shown == ["Bearer secret"]
    assert not Access("http://head:8265", "").is_local


@pytest.mark.parametrize(
    ("code", "content", "token", "sentence"),
    [
        (401, b"", "", "requires a token: give its file with --token-file or RAY_AUTH_TOKEN_PATH"),
        (403, b"", "secret", "refuses this token: give the file with its own to --token-file"),
        (404, b"", "", "is not the dashboard of a Ray cluster"),
        (200, b"<html>", "", "is not the dashboard of a Ray cluster"),
        (200, b"[1]", "", "is not the dashboard of a Ray cluster"),
        (200, b'{"ray_version": 3}', "", "is not the dashboard of a Ray cluster"),
        (200, b'{"ray_version": "new"}', "", "is not the dashboard of a Ray cluster"),
        (200, version("2.52.0"), "", "has Ray 2.52.0: expected 2.53 or newer"),
    ],
)
def test_an_unexpected_answer_is_reported(code, content, token, sentence):
    with answering((code, content)) as (address, _), pytest.raises(UserError, match=sentence):
        Access(address, token).version()


def test_the_token_is_not_sent_to_another_address():
    with (
        answering((200, version("2.60.0"))) as (other, shown),
        answering((302, b""), location=f"{other}/api/version") as (address, _),
        pytest.raises(UserError, match="is not the dashboard"),
    ):
        Access(address, "secret").version()
    assert shown == []


def test_an_address_where_nothing_answers_is_reported():
    with answering((200, b"")) as (address, _):
        pass
    with pytest.raises(ClusterError, match=f"no Ray cluster answers at {address} .*refused.*: is it up"):
        Access(address, "").version()
