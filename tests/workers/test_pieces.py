"""A local round is computed in pieces, so that the time limit can be checked and the round abandoned."""

import numpy as np
import pytest
from problems import create

from distsearch.objectives.function import FunctionObjective
from distsearch.strategies.base import losses_of
from distsearch.workers import pieces
from distsearch.workers.base import TimeIsUpError
from distsearch.workers.local import LocalPool
from distsearch.workers.pieces import PIECE_SECONDS, Pieces
from distsearch.workers.requests import EvaluateRound


class Clock:
    """Advances by this many seconds when the function is called."""

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
def test_a_round_is_abandoned_when_the_time_is_up(monkeypatch, seconds, calls):
    """Three seconds: twelve calls of a quarter each; of short calls, up to a piece more."""
    clock = Clock(monkeypatch, seconds)
    strategy, state = started(100_000)
    pool = LocalPool(strategy, FunctionObjective(clock.function, 10))
    pool.deadline = clock.now + 3
    with pytest.raises(TimeIsUpError):
        pool.evaluate(state)
    assert calls * (1 - 0.05) <= clock.calls <= calls + 2 * PIECE_SECONDS / seconds


def test_a_round_done_in_time_is_the_same_as_without_a_limit(monkeypatch):
    clock = Clock(monkeypatch, 1e-3)
    strategy, state = started(300)
    pool = LocalPool(strategy, FunctionObjective(clock.function, 10))
    expected = pool.answered_here(EvaluateRound(state))
    pool.deadline = clock.now + 1000
    assert losses_of(pool.evaluate(state)).tobytes() == expected.losses.tobytes()


@pytest.mark.parametrize(("seconds", "tiles"), [(1e-5, 2000), (0.02, 8), (1.0, 1)])
def test_pieces_are_as_long_as_the_time_between_two_checks(monkeypatch, seconds, tiles):
    clock = Clock(monkeypatch, seconds)
    strategy, state = started(2000)
    cut = Pieces(strategy, FunctionObjective(clock.function, 10))
    for _ in range(3):
        ends = [at for at, _ in cut.answers(EvaluateRound(state), unheard)]
    sizes = np.diff([0, *ends])
    assert ends[-1] == 2000
    assert max(sizes[:-1], default=sizes[-1]) == tiles


def unheard(answered: int, units: int) -> None:
    """Of no interest."""


@pytest.mark.parametrize(("seconds", "pieces"), [(1e-5, 1), (0.02, 59)])
def test_a_round_without_a_limit_is_one_piece_once_it_is_known_to_be_short(monkeypatch, seconds, pieces):
    clock = Clock(monkeypatch, seconds)
    strategy, state = started(500)
    pool = LocalPool(strategy, FunctionObjective(clock.function, 10))
    for _ in range(2):
        pool.evaluate(state)
    assert len(pool.evaluate(state)) == pieces


def test_it_is_told_how_far_a_round_is(monkeypatch):
    clock, heard = Clock(monkeypatch, 0.25), []
    strategy, state = started(4)
    pool = LocalPool(strategy, FunctionObjective(clock.function, 10))
    pool.heard = lambda answered, units: heard.append((answered, units, clock.now))
    pool.evaluate(state)
    assert heard == [(0, 4, 100.0), (1, 4, 100.25), (2, 4, 100.5), (3, 4, 100.75)]
