"""A round is answered here in pieces, so that time can be looked at, and is given up when that is over."""

import numpy as np
import pytest
from problems import create, sphere_objective

from distsearch.objectives.function import FunctionObjective
from distsearch.workers import pieces
from distsearch.workers.base import TimeIsUpError
from distsearch.workers.local import LocalPool
from distsearch.workers.pieces import PIECE_SECONDS, Pieces
from distsearch.workers.requests import EvaluateRound


class Clock:
    """Goes on when the function is called, by so many seconds."""

    def __init__(self, monkeypatch, seconds: float) -> None:
        self.now, self.seconds, self.calls = 100.0, seconds, 0
        monkeypatch.setattr(pieces.time, "monotonic", lambda: self.now)

    def function(self, weights: np.ndarray) -> float:
        self.now += self.seconds
        self.calls += 1
        return float(weights.sum())


def started(population: int):
    strategy = create("hill-climb", {"population": population})
    return strategy, strategy.init(np.zeros(10, np.float32), 0)


@pytest.mark.parametrize(("seconds", "calls"), [(0.25, 12), (1e-3, 3072)])
def test_a_round_is_given_up_when_the_time_is_over(monkeypatch, seconds, calls):
    """Three seconds: twelve calls of a quarter, one by one; of short ones as many as a piece may have more."""
    clock = Clock(monkeypatch, seconds)
    strategy, state = started(100_000)
    pool = LocalPool(strategy, FunctionObjective(clock.function, 10))
    pool.deadline = clock.now + 3
    with pytest.raises(TimeIsUpError):
        pool.evaluate(state)
    assert calls * (1 - 0.05) <= clock.calls <= calls + 2 * PIECE_SECONDS / seconds


def test_a_round_that_is_done_in_time_is_the_one_without_a_limit(monkeypatch):
    clock = Clock(monkeypatch, 1e-3)
    strategy, state = started(300)
    pool = LocalPool(strategy, FunctionObjective(clock.function, 10))
    expected = pool.evaluate(state)[0].losses
    pool.deadline = clock.now + 1000
    assert np.concatenate([answer.losses for answer in pool.evaluate(state)]).tobytes() == expected.tobytes()


@pytest.mark.parametrize(("seconds", "tiles"), [(1e-5, 2000), (0.02, 8), (1.0, 1)])
def test_pieces_are_as_long_as_may_pass_between_two_looks(monkeypatch, seconds, tiles):
    clock = Clock(monkeypatch, seconds)
    strategy, state = started(2000)
    cut = Pieces(strategy, FunctionObjective(clock.function, 10))
    for _ in range(3):
        ends = [at for at, _ in cut.answers(EvaluateRound(state))]
    sizes = np.diff([0, *ends])
    assert ends[-1] == 2000
    assert max(sizes[:-1], default=sizes[-1]) == tiles


def test_a_round_without_a_limit_is_one_range():
    strategy, state = started(500)
    assert len(LocalPool(strategy, sphere_objective()).evaluate(state)) == 1
