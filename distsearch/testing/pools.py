"""What every pool of workers must do: the same bits, whoever computes them."""

from collections.abc import Callable

import numpy as np

from distsearch import strategies
from distsearch.data import datasets
from distsearch.machine import one_thread
from distsearch.networks.kinds import dense_network
from distsearch.objectives import losses
from distsearch.objectives.base import Objective
from distsearch.objectives.network import NetworkObjective, task_of
from distsearch.strategies.base import AnyStrategy, State, losses_of
from distsearch.testing.problems import expect
from distsearch.workers.base import Pool
from distsearch.workers.local import LocalPool

Open = Callable[[AnyStrategy, Objective], Pool]
"""Opens a pool, which is a context manager."""


def searched(name: str) -> tuple[AnyStrategy, Objective, State]:
    """A strategy of ours on a network, with its first state."""
    dataset = datasets.load("vertical", numbers=False)
    network, loss = dense_network(2, (16,), 3, "tanh"), losses.create("cross-entropy")
    objective = NetworkObjective.of(dataset, network, loss, 200)
    task, start = task_of(network, loss, len(dataset.train.features), 200), network.start("he", 0)
    strategy = strategies.create(name, {}, task)
    return strategy, objective, strategy.init(start, 0)


def check_rounds(opened: Open) -> None:
    """The answers to a round are those of one process, to the bit, each time."""
    for name in strategies.STRATEGIES.own:
        strategy, objective, state = searched(name)
        with one_thread(), LocalPool(strategy, objective) as alone, opened(strategy, objective) as pool:
            expected = losses_of(alone.evaluate(state)).tobytes()
            for _ in range(2):
                found = losses_of(pool.evaluate(state)).tobytes()
                expect(found == expected, f"a round of {strategy.name} gives the bits of one process")


def check_measuring(opened: Open) -> None:
    """Weights are measured as in one process, to the bit."""
    strategy, objective, state = searched("hill-climb")
    with one_thread(), LocalPool(strategy, objective) as alone, opened(strategy, objective) as pool:
        expect(pool.measure(state.center) == alone.measure(state.center), "weights are measured as in one process")


def check_noise(opened: Open) -> None:
    """Noise is summed to the bits of one process."""
    strategy, objective, state = searched("evolution-strategy")
    coefficients = np.linspace(-1, 2, (strategy.units(state) - 1) // 2, dtype=np.float32)
    with one_thread(), opened(strategy, objective) as pool:
        found = pool.weighted_noise(state, coefficients).tobytes()
    expect(found == strategy.weighted_noise(state, coefficients).tobytes(), "noise is summed to the same bits")


POOL_CHECKS: tuple[Callable[[Open], None], ...] = (check_rounds, check_measuring, check_noise)
