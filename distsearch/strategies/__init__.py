"""The registry of strategies: a new one is a file in this folder and a line here."""

from collections.abc import Mapping
from typing import Any

from distsearch.candidates import Space
from distsearch.errors import SettingError, unknown
from distsearch.settings import checked
from distsearch.strategies.annealing import Annealing
from distsearch.strategies.base import Strategy, StrategySettings
from distsearch.strategies.cma_es import CmaEs
from distsearch.strategies.evolution_strategy import EvolutionStrategy
from distsearch.strategies.hill_climb import HillClimb
from distsearch.strategies.node_perturbation import NodePerturbation
from distsearch.strategies.random_search import RandomSearch
from distsearch.strategies.snes import Snes

STRATEGIES: dict[str, type[Strategy]] = {
    strategy.name: strategy
    for strategy in (
        HillClimb,
        RandomSearch,
        Annealing,
        Snes,
        CmaEs,
        EvolutionStrategy,
        NodePerturbation,
    )
}


def find(name: str) -> type[Strategy]:
    """The strategy of that name; SettingError if there is none."""
    if name not in STRATEGIES:
        raise SettingError(unknown("strategy", name, STRATEGIES))
    return STRATEGIES[name]


def settings_of(name: str, values: Mapping[str, Any]) -> StrategySettings:
    """The checked settings of the strategy of that name; what is to be chosen from the space is still open."""
    return checked(find(name).Settings, values, name)


def create(name: str, settings: Mapping[str, Any], space: Space) -> Strategy:
    """The strategy of that name with these settings; SettingError names what does not fit it or the space."""
    return find(name)(settings_of(name, settings), space)
