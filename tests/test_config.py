import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from distsearch import config, strategies
from distsearch.config import RunConfig, from_flags, from_sections
from distsearch.config.toml import read_toml, to_toml
from distsearch.errors import SettingError


def own_settings(settings: RunConfig):
    return strategies.settings_of(settings.strategy.name, settings.settings)


def test_every_setting_has_its_own_flag_and_a_help_text():
    flags = [setting.flag for _, setting in config.options()]
    own = [name for kind in strategies.STRATEGIES.own.values() for name in kind.Settings.__struct_fields__]
    assert len(flags) == len(set(flags))
    assert not {flag.replace("-", "_") for flag in flags} & set(own)
    assert all(setting.text for _, setting in config.options())


def test_flags_are_assigned_to_sections_and_the_rest_to_the_strategy():
    made = from_flags({"data": "spiral", "data-seed": 4, "seed": 5, "test_share": 0.2, "sigma": 0.3})
    assert (made.data.source, made.data.seed, made.strategy.seed, made.data.test_share) == (
        "spiral",
        4,
        5,
        0.2,
    )
    assert made.settings == {"sigma": 0.3}


def test_flags_override_a_file_and_keep_the_rest_of_it():
    base = {"network": {"layers": [8], "loss": "mean-squared-error"}, "settings": {"population": 4}}
    made = from_flags({"layers": [9], "sigma": 1.0}, base)
    assert made.network.layers == (9,)
    assert made.network.loss == "mean-squared-error"
    assert made.settings == {"population": 4, "sigma": 1.0}
    assert base["network"]["layers"] == [8]


@example('\x7f\x01"\\\n', [], None, 0)
@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")).filter(lambda text: text[:1] != "~"),
    st.lists(st.integers(1, 99), max_size=3),
    st.none() | st.floats(1e-9, 1e9),
    st.integers(0, 2**64 - 1),
)
def test_a_configuration_survives_a_round_trip_through_toml(source, layers, seconds, seed):
    flags = {"data": source, "layers": layers, "seed": seed} | ({} if seconds is None else {"seconds": seconds})
    made = from_flags({**flags, "strategy": "hill-climb", "sigma": 0.25})
    text = to_toml(made, own_settings(made))
    again = from_sections(tomllib.loads(text))
    assert to_toml(again, own_settings(again)) == text
    assert (again.data, again.network, again.stop, again.strategy) == (
        made.data,
        made.network,
        made.stop,
        made.strategy,
    )


def test_toml_names_and_explains_every_setting():
    text = to_toml(RunConfig(), own_settings(RunConfig()))
    for _, setting in config.options():
        assert f"{setting.name} =" in text
        assert setting.text in text
    assert "population = 32" in text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[data]\nsuorce = 'x'", "unknown setting 'suorce': did you mean 'source'"),
        ("[dta]\nsource = 'x'", "unknown section 'dta': did you mean 'data'"),
        ("data = 3", r"data: expected a section \[data\], got the value 3"),
        ("[data\n", "not TOML: .*line 1"),
        ("[strategy]\nseed = 18446744073709551616", "strategy.seed: expected"),
        ("[network]\nlayers = [4, 0]", "network.layers: expected a whole number >= 1"),
        ("a = " + "[" * 5000, "is not a configuration: its brackets are nested too deeply"),
        (f"[strategy]\nseed = {'9' * 5000}", "is not TOML: Exceeds the limit"),
        ('[output]\nname = "a\\u0000b"', r"output.name: expected text, got 'a\\x00b'"),
        ('[data]\nsource = "~nobody-of-this-name/a.csv"', "there is no home directory ~nobody-of-this-name"),
        ("# " + "x" * 1_000_000, "is not a configuration: expected at most 1 MB, got more"),
        ("[stop]\nrounds = 0", "stop.rounds: expected a whole number >= 1, got 0"),
    ],
)
def test_an_invalid_file_is_refused_in_one_sentence(tmp_path, content, sentence):
    path = tmp_path / "search.toml"
    path.write_text(content)
    with pytest.raises(SettingError, match=sentence):
        from_sections(read_toml(path))


def test_a_flag_of_a_section_that_a_file_has_as_a_value_is_refused_as_without_the_flag():
    for base, flag in (({"data": "my.csv"}, {"test_share": 0.2}), ({"settings": 3}, {"momentum": 1})):
        [(name, value)] = base.items()
        with pytest.raises(SettingError, match=rf"^{name}: expected a section \[{name}\], got the value {value!r}"):
            from_flags(flag, base)


def test_an_endless_file_is_refused():
    with pytest.raises(SettingError, match="/dev/zero is not a configuration: expected at most 1 MB"):
        read_toml(Path("/dev/zero"))


def test_a_tilde_is_expanded_in_every_setting_that_is_a_path(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    made = from_sections({"data": {"source": "~/a.csv"}, "output": {"directory": Path("~/runs"), "storage": "~/there"}})
    assert (made.data.source, made.output.directory, made.output.storage) == (
        "/home/me/a.csv",
        "/home/me/runs",
        "/home/me/there",
    )
    assert from_flags({"storage": "s3://bucket/~"}).output.storage == "s3://bucket/~"


def test_settings_may_be_given_with_strategy_auto():
    made = from_flags({"strategy": "auto", "sigma": 0.25})
    text = to_toml(made, None)
    assert from_sections(tomllib.loads(text)) == made


def test_a_missing_or_binary_file_is_refused(tmp_path):
    with pytest.raises(SettingError, match="cannot read .*none.toml: No such file"):
        read_toml(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingError, match="not TOML"):
        read_toml(tmp_path / "binary.toml")


def test_a_value_that_is_no_choice_is_answered_with_those_that_can_be_typed():
    with pytest.raises(SettingError, match=r"data\.dates: expected days or parts, got 'foo'$"):
        from_flags({"dates": "foo"})
