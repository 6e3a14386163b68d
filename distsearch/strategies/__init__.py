"""The registry of strategies: a new one is a file in this folder and a line here."""

from collections.abc import Mapping
from typing import Any

from distsearch.errors import SettingError, unknown
from distsearch.settings import checked
from distsearch.strategies.base import Strategy
from distsearch.strategies.hill_climb import HillClimb
from distsearch.strategies.random_search import RandomSearch

STRATEGIES: dict[str, type[Strategy]] = {
    strategy.name: strategy
    for strategy in (
        HillClimb,
        RandomSearch,
    )
}


def create(name: str, settings: Mapping[str, Any]) -> Strategy:
    """The strategy of that name with these settings; SettingError names what it does not know."""
    if name not in STRATEGIES:
        raise SettingError(unknown("strategy", name, STRATEGIES))
    strategy = STRATEGIES[name]
    return strategy(checked(strategy.Settings, settings, name))
