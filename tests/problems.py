"""Problems for the tests to search."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from distsearch import strategies
from distsearch.data import datasets
from distsearch.networks.kinds import dense_network
from distsearch.objectives import losses
from distsearch.objectives.base import Objective, Task
from distsearch.objectives.function import FunctionObjective
from distsearch.objectives.network import NetworkObjective, task_of
from distsearch.strategies.base import Answer, AnyStrategy, Best, State
from distsearch.strategies.hill_climb import HillClimb


def network_objective(
    source: str = "vertical",
    hidden: tuple[int, ...] = (3,),
    activation: str = "relu",
    loss: str = "cross-entropy",
    batch: int | None = None,
) -> NetworkObjective:
    dataset = datasets.load(source, numbers=losses.create(loss).numbers)
    network = dense_network(len(dataset.schema.features), hidden, dataset.schema.outputs, activation)
    return NetworkObjective.of(dataset, network, losses.create(loss), batch)


def sphere(weights: np.ndarray) -> float:
    """Σ (w − 1)²: 10 at the origin of ten dimensions, 0 at its lowest."""
    return float(((weights.astype(np.float64) - 1) ** 2).sum())


def sphere_objective(weights_count: int = 10) -> FunctionObjective:
    return FunctionObjective(sphere, weights_count)


def ellipsoid(weights: np.ndarray) -> float:
    """Σ cᵢ (wᵢ − 1)², c from 1 to 1000."""
    return float(np.geomspace(1, 1000, len(weights)) @ np.square(weights.astype(np.float64) - 1))


def ellipsoid_objective(weights_count: int = 10) -> FunctionObjective:
    return FunctionObjective(ellipsoid, weights_count)


def task_for(objective: Objective) -> Task:
    """The task of an objective, with an unknown number of rounds."""
    if isinstance(objective, NetworkObjective):
        batches = objective.batches
        return task_of(objective.network, objective.loss, len(batches.train), batches.size)
    assert isinstance(objective, FunctionObjective)
    return Task(objective.weights_count)


def create(name: str, settings: Mapping[str, Any], objective: Objective | None = None) -> AnyStrategy:
    """The strategy for what an objective searches."""
    return strategies.create(name, settings, task_for(objective) if objective else Task(10))


def told(strategy: AnyStrategy, state: State, answers: Sequence[Answer]) -> State:
    """The next state; sums over noise are computed here."""
    return strategy.tell(state, answers, partial(strategy.weighted_noise, state))


class Aliasing(HillClimb):
    """The chapter's script: `best = weights` keeps no copy, `weights += step` moves both, and nothing ever reverts."""

    def init(self, weights, seed):
        live = weights.copy()
        return State(seed, 0, live, 0.05, Best(live, np.inf, 0, 0))

    def ask(self, state, lo, hi):
        candidates = super().ask(state, lo, hi)
        state.center[:] = candidates.weights[-1]
        return candidates

    def weights_of(self, state, index):
        return state.center
