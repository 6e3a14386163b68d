"""Functions whose loss is another each time: noticed, and the center's loss taken as a mean.

Candidate 0 of every round is the center. Where that was evaluated in the round before, as itself or as the candidate
that was accepted, its two losses are compared, at no cost. Where it was not, or where a target loss could be reached
before that, the first round's center is evaluated once more, once in a search. Only functions of the user's are looked
at: a network on its data gives the same bits.
"""

import logging
import math
import time

import numpy as np
from numpy.typing import NDArray

from distsearch.strategies.base import State
from distsearch.workers.base import Pool, TimeIsUpError
from distsearch.workers.requests import EvaluateAgain, EvaluateRound, Part

LOG = logging.getLogger(__name__)

MOST_TIMES = 16  # that the last center is evaluated again
SHARE = 0.05  # of a search's candidates, at most

ROUNDING = 1e-6  # by which losses may differ that were computed in tiles of other sizes

Losses = NDArray[np.float64]


class Noise:
    """Watches the rounds of a search; `found` once the same weights have had different losses.

    `at_once`: it must be known after the first round.
    """

    def __init__(self, pool: Pool, found: bool, at_once: bool) -> None:
        self.found = found
        self._pool = pool
        self._at_once = at_once
        self._expected: float | None = None  # the loss of the next round's center
        self._tried = False  # the first center has been evaluated twice

    def look(self, before: State, after: State, losses: Losses) -> None:
        """Compare the losses of a round, (units,), with what is known of its center from the round before."""
        if self.found:
            return
        if self._expected is not None:
            self._compare(self._expected, float(losses[0]))
        self._expected = self._loss_of_center(before, after, losses)
        if not self._tried and (self._at_once or self._expected is None):
            self._tried = True
            self._evaluate_again(before, losses)

    def mean_of_center(self, state: State, candidates: int) -> tuple[float, int]:
        """The mean loss of a state's center, evaluated again, and how often: seldom after few candidates."""
        times = max(1, min(MOST_TIMES, int(SHARE * candidates)))
        losses = np.concatenate(self._pool.sweep(EvaluateAgain(state.center, state.round, times)))
        return float(losses.mean()), times

    def _loss_of_center(self, before: State, after: State, losses: Losses) -> float | None:
        """The loss that the next center had in this round; None if it was not evaluated, or not in the same tile."""
        if after.center is before.center:
            return float(losses[0])
        best = after.best
        if self._pool.objective.one_by_one and after.center is best.weights and best.round == before.round:
            return best.loss
        return None

    def _evaluate_again(self, state: State, losses: Losses) -> None:
        """Evaluate the first tile of a round again, unless the time is over."""
        request = EvaluateRound(state)
        tile = request.boundaries(self._pool.strategy, self._pool.objective)[:2]
        if time.monotonic() >= self._pool.deadline:
            return
        try:
            (answer,) = self._pool.sweep(Part(request, tile))
        except TimeIsUpError:
            return
        for first, second in zip(losses, answer.losses, strict=False):
            self._compare(float(first), float(second))

    def _compare(self, first: float, second: float) -> None:
        if self.found or first == second or (first != first and second != second):
            return
        self.found = True
        LOG.warning(
            f"the function is noisy: the same weights had the loss {first:.6g} and then {second:.6g}, so the "
            "lowest loss is partly luck; the result also has the center and its mean loss, and target_loss waits for "
            "the mean of the center's losses"
        )


def compare_best(pool: Pool, state: State) -> None:
    """Warn if the best weights do not have the loss that was recorded: the run may continue with another function."""
    again = float(np.concatenate(pool.sweep(EvaluateAgain(state.best.weights, state.round, 1)))[0])
    if not math.isclose(again, state.best.loss, rel_tol=ROUNDING, abs_tol=ROUNDING):
        LOG.warning(
            f"is it the same function? For the best weights so far it gives {again:.6g}, but {state.best.loss:.6g} was "
            "recorded, to which all further losses are compared"
        )
