"""How rounds of a user's function are divided: on a virtual clock, with the tiles of the real strategies."""

import numpy as np
import pytest
from problems import create, sphere_objective
from simulated import Costs
from simulator import Simulation

from distsearch.strategies import STRATEGIES
from distsearch.strategies.population import PopulationStrategy
from distsearch.workers.dispatch.instructions import Policy

OF_CANDIDATES = [name for name, strategy in STRATEGIES.own.items() if issubclass(strategy, PopulationStrategy)]


def seconds_of_rounds(workers: int, boundaries, candidate: float, rounds: int = 5) -> tuple[float, float]:
    """The seconds of the first round, when nothing is known yet, and the mean of the later ones."""
    costs = Costs(tile=candidate, shard_spread=0.02, latency=0.0005, driver=Policy().call_seconds)
    cluster = Simulation(Policy(), costs)
    cluster.open(workers)
    first, *later = (cluster.sweep(boundaries) for _ in range(1 + rounds))
    assert first is not None
    return first.seconds, sum(swept.seconds for swept in later if swept is not None) / rounds


def round_of(name: str, population: int):
    objective = sphere_objective()
    strategy = create(name, {"population": population}, objective)
    state = strategy.init(np.zeros(10, np.float32), 0)
    return strategy.units(state), strategy.boundaries(state, objective)


@pytest.mark.parametrize("name", OF_CANDIDATES)
def test_two_workers_halve_the_rounds_of_a_slow_function_from_the_start(name):
    _, boundaries = round_of(name, 64)
    alone, together = (seconds_of_rounds(workers, boundaries, 0.1) for workers in (1, 2))
    assert alone[0] > 1.9 * together[0]
    assert alone[1] > 1.9 * together[1]


@pytest.mark.parametrize("name", OF_CANDIDATES)
def test_as_many_workers_as_candidates_take_one_each(name):
    units, boundaries = round_of(name, 16)
    first, later = seconds_of_rounds(units, boundaries, 0.1)
    assert max(first, later) < 0.15


@pytest.mark.parametrize("name", OF_CANDIDATES)
def test_candidates_of_a_cheap_function_are_sent_many_at_a_time(name):
    units, boundaries = round_of(name, 2000)
    cluster = Simulation(Policy(), Costs(tile=1e-5))
    cluster.open(2)
    for _ in range(3):
        cluster.sweep(boundaries)
    assert sorted(send.shard.hi - send.shard.lo for _, send in cluster.sent) == [units // 2, units - units // 2]
