"""What every pool of workers must provide: the same bits, whoever computes them."""

import platform

import numpy as np
import pytest
from pools import HERE_OR_SHARED, joined, opened
from problems import create, network_objective, told

from distsearch.machine import description, one_thread
from distsearch.objectives.function import FunctionObjective
from distsearch.runs.checkpoints import flatten
from distsearch.strategies import STRATEGIES
from distsearch.strategies.base import losses_of
from distsearch.workers.local import LocalPool
from distsearch.workers.ray.kinds import ALIKE

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", STRATEGIES.own)
def test_a_round_gives_the_bits_of_a_single_process(pool, name):
    objective = network_objective("digits", (16,), batch=700)
    strategy = create(name, {}, objective)
    state = strategy.init(objective.network.start("he", 0), 0)
    with one_thread():
        alone = LocalPool(strategy, objective)
        losses = losses_of(alone.evaluate(state))
        expected = told(strategy, state, alone.evaluate(state))
        measured = alone.measure(state.center)
    with opened(pool, strategy, objective) as workers, one_thread():
        for _ in range(2):
            answers = workers.evaluate(state)
            assert losses_of(answers).tobytes() == losses.tobytes()
            assert flat(told(strategy, state, answers)) == flat(expected)
        assert workers.measure(state.center) == measured


def flat(state) -> dict[str, object]:
    tensors, scalars = flatten(state)
    return {name: tensor.tobytes() for name, tensor in tensors.items()} | scalars


def test_noise_sums_have_the_same_bits_whoever_computes_them(pool):
    objective = network_objective("digits", (16,))
    strategy = create("evolution-strategy", {"population": 200, "rank": 0}, objective)
    state = strategy.init(objective.network.start("he", 0), 0)
    coefficients = np.linspace(-1, 2, 100, dtype=np.float32)
    with one_thread():
        expected = strategy.weighted_noise(state, coefficients)
        assert expected == pytest.approx(coefficients @ strategy.noise(state, 0, 100), rel=1e-3, abs=1e-3)
    with opened(pool, strategy, objective) as workers, one_thread():
        sums = []
        for sums_here in (False, True):
            workers.driver_works = sums_here
            sums += [workers.weighted_noise(state, coefficients).tobytes() for _ in range(10)]
    assert set(sums) == {expected.tobytes()}


def test_the_work_is_shared_and_the_number_of_workers_reported(pool):
    strategy = create("hill-climb", {"population": 64})
    objective = network_objective("digits", (16,))
    with opened(pool, strategy, objective) as workers:
        state = strategy.init(objective.network.start("he", 0), 0)
        wanted = 0 if pool == "local" else int(pool[-1])
        joined(workers, wanted, state)
        answers = workers.evaluate(state)
        assert workers.count == wanted
    assert len(answers) >= max(1, wanted)


@HERE_OR_SHARED
def test_large_and_small_states_reach_the_workers(pool):
    strategy = create("hill-climb", {"population": 5})
    objective = FunctionObjective(lambda weights: float(((weights - 1) ** 2).sum()), 200_000)
    with opened(pool, strategy, objective) as workers:
        state = strategy.init(np.ones(200_000, np.float32), 0)
        losses = np.concatenate([answer.losses for answer in workers.evaluate(state)])
    assert losses[0] == 0
    assert (losses[1:] > 0).all()


@HERE_OR_SHARED
def test_the_workers_machines_are_reported_once_per_kind(pool):
    strategy = create("hill-climb", {})
    with opened(pool, strategy, network_objective()) as workers:
        machines = workers.machines
    if pool == "local":
        assert machines == ()
        return
    here = description()
    (machine,) = machines
    assert {name: machine[name] for name in ALIKE} == {name: here[name] for name in ALIKE}
    assert machine["host"] == platform.node()
