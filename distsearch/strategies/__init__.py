"""The registry of strategies: a new one is a file in this folder and a line here."""

from collections.abc import Mapping
from typing import Any

from distsearch.candidates.base import Space
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


AUTO = "auto"
FEW, SOME = 300, 5000  # weights: up to which a full covariance is affordable, and a step size for each pays


def choose(space: Space) -> tuple[str, str]:
    """The strategy that does best on such a space, and why in a few words."""
    count = f"{space.weights_count:,} weights"
    if space.layers and not (space.flat and space.weights_count <= FEW):
        return NodePerturbation.name, f"a network of {count}, each example of which can try its own nodes"
    if space.flat:
        return HillClimb.name, f"a loss that is flat between its steps, and {count}"
    if space.weights_count <= FEW:
        return CmaEs.name, f"a function of {count}: few enough to learn how they depend on each other"
    if space.weights_count <= SOME:
        return Snes.name, f"a function of {count}: few enough for a step size each"
    return EvolutionStrategy.name, f"a function of {count}"


def find(name: str) -> type[Strategy]:
    """The strategy of that name; SettingError if there is none."""
    if name == AUTO:
        raise SettingError(f"auto is not a strategy but chooses one: expected one of {', '.join(STRATEGIES)}")
    if name not in STRATEGIES:
        raise SettingError(unknown("strategy", name, [*STRATEGIES, AUTO]))
    return STRATEGIES[name]


def settings_of(name: str, values: Mapping[str, Any]) -> StrategySettings:
    """The checked settings of the strategy of that name; what is to be chosen from the space is still open."""
    return checked(find(name).Settings, values, name)


def create(name: str, settings: Mapping[str, Any], space: Space) -> Strategy:
    """The strategy of that name with these settings; SettingError names what does not fit it or the space."""
    return find(name)(settings_of(name, settings), space)
