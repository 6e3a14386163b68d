"""What a run has where nothing is said of strategy and network."""

import pytest

from distsearch.config import RunConfig, from_flags
from distsearch.errors import SettingError


def chosen(base=None, **flags) -> tuple[str, tuple[int | str, ...]]:
    config = from_flags(flags, base)
    return config.strategy.name, config.network.layers


@pytest.mark.parametrize("data", ["vertical", "spiral"])
def test_on_the_course_s_data_it_is_as_in_the_course(data):
    assert chosen() == chosen(data=data) == ("hill-climb", (3,))


@pytest.mark.parametrize("data", ["digits", "my.csv", "-"])
def test_other_data_are_learnt_by_what_suits_most_of_them(data):
    assert chosen(data=data) == chosen({"data": {"source": data}}) == ("auto", (100,))


def test_what_is_given_stays_wherever_it_is_given():
    given = {"strategy": {"name": "snes"}, "network": {"layers": [5]}}
    assert chosen(given, data="my.csv") == chosen(data="my.csv", strategy="snes", layers=[5]) == ("snes", (5,))
    assert chosen({"network": {"layers": [5]}}, data="my.csv", seed=3) == ("auto", (5,))


def test_settings_of_a_strategy_leave_open_which_of_those_that_have_them():
    assert chosen(data="my.csv", sigma=0.1) == ("auto", (100,))
    assert chosen(sigma=0.1) == ("hill-climb", (3,))


def test_a_torch_module_has_its_own_layers():
    config = from_flags({"data": "my.csv", "model": "mine:Net"})
    assert config.network.layers == RunConfig().network.layers


@pytest.mark.parametrize("sections", [{"data": 3}, {"network": "wide"}, {"strategy": [1]}])
def test_what_is_no_section_is_still_refused(sections):
    with pytest.raises(SettingError, match="expected a section"):
        from_flags({}, {"data": {"source": "my.csv"}, **sections})
