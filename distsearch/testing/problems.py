"""Small problems that checks search on."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data import datasets
from distsearch.networks.kinds import dense_network
from distsearch.objectives import losses
from distsearch.objectives.base import Objective, Task
from distsearch.objectives.function import FunctionObjective
from distsearch.objectives.network import NetworkObjective, task_of
from distsearch.settings import validate
from distsearch.strategies.base import AnyStrategy, State

BATCH = 100
WEIGHTS = 10


class Problem:
    """A strategy with something to search on: a network on batches if it takes one, else a function."""

    def __init__(self, kind: type[AnyStrategy], settings: Mapping[str, Any] | None = None) -> None:
        chosen = validate(kind.Settings, settings or {}, kind.name)
        self.objective: Objective
        if kind.sums:
            dataset = datasets.load("vertical", numbers=False)
            network = dense_network(2, (5,), 3, "tanh")
            loss = losses.create("cross-entropy")
            self.objective = NetworkObjective.of(dataset, network, loss, BATCH)
            task = task_of(network, loss, len(dataset.train.features), BATCH)
            self.start = network.start("he", 0)
        else:
            self.objective = FunctionObjective(sphere, WEIGHTS)
            task = Task(WEIGHTS)
            self.start = np.zeros(WEIGHTS, np.float32)
        self.strategy = kind(chosen, task)

    def first(self) -> State:
        """The state before the first round."""
        state: State = self.strategy.init(self.start.copy(), 0)
        return state

    def searched(self, rounds: int, state: State | None = None) -> State:
        """The state after that many more rounds."""
        state = self.first() if state is None else state
        for _ in range(rounds):
            state = self.told(state, [self.strategy.work(state, self.objective, 0, self.strategy.units(state))])
            if self.strategy.sums and state.round % 5 == 0:
                measured = self.objective.measure(self.strategy.proposed(state))
                state = self.strategy.measured(state, measured.loss or 0.0)
        return state

    def told(self, state: State, answers: Any) -> State:
        """The next state; sums over noise are made here."""
        after: State = self.strategy.tell(state, answers, partial(self.strategy.weighted_noise, state))
        return after


def sphere(weights: NDArray[np.float32]) -> float:
    """Σ (w − 1)²: 10 at the origin of ten dimensions, 0 at its lowest."""
    return float(((weights.astype(np.float64) - 1) ** 2).sum())


def expect(condition: bool, sentence: str) -> None:
    """Raise an AssertionError with the sentence unless the condition holds."""
    if not condition:
        raise AssertionError(f"expected that {sentence}")
