"""One round: candidates are evaluated, the strategy is told, and at intervals its weights are measured."""

from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from distsearch.objectives.base import Measurement
from distsearch.runs.history import Measured
from distsearch.strategies.base import Answer, AnyStrategy, Best, State, losses_of

NOT_MEASURED = Measured()


class Outcome(NamedTuple):
    """The results of a round: the losses, (units,), the state after it, and what was measured, if anything."""

    losses: NDArray[np.float64]
    after: State
    measured: Measured


class Answering(Protocol):
    """What a round asks of workers."""

    def evaluate(self, state: State) -> list[Answer]:
        """The answers to all units of the round, in index order."""
        ...

    def measure(self, weights: NDArray[np.float32]) -> Measurement:
        """Loss and accuracy of the weights, (n,), on all training and test examples."""
        ...

    def weighted_noise(self, state: State, coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
        """Σ cᵢ zᵢ over the round's noise, (n,), from coefficients, (noises,)."""
        ...


class Rounds:
    """Runs rounds, and measures at intervals: the best weights' accuracy, if they have changed.

    With minibatches it measures the weights that the search stands for, on all examples. The best are chosen by that,
    so it begins with round 1, continues with round `first`, and doubles from there up to the interval.
    """

    def __init__(self, strategy: AnyStrategy, workers: Answering, every: int, first: int | None = None) -> None:
        self._strategy = strategy
        self._workers = workers
        self._every = every
        self._early = _early(every, first) if strategy.chosen_by_measuring else []
        self._best: Best | None = None  # that was measured last
        self._measured = NOT_MEASURED

    def run(self, state: State) -> Outcome:
        """One round: evaluate, tell, and measure if it is due."""
        answers = self._workers.evaluate(state)
        after = self._strategy.tell(state, answers, partial(self._workers.weighted_noise, state))
        if not self._is_due(after):
            return Outcome(losses_of(answers), after, NOT_MEASURED)
        if not self._strategy.chosen_by_measuring:
            return Outcome(losses_of(answers), after, self._measured_best(after))
        measured = measure(self._strategy, self._workers, after)
        if measured.train_loss is None:
            raise AssertionError("what has minibatches has a loss")
        return Outcome(losses_of(answers), self._strategy.measured(after, measured.train_loss), measured)

    def _is_due(self, after: State) -> bool:
        return after.round % self._every == 0 or after.round in self._early

    def _measured_best(self, state: State) -> Measured:
        if self._best is not state.best:
            self._best, self._measured = state.best, measure(self._strategy, self._workers, state)
        return self._measured


def _early(every: int, first: int | None) -> list[int]:
    """The rounds that are measured before the regular interval."""
    rounds, following = [1], first or every
    while 2 * following <= every:
        rounds.append(following)
        following *= 2
    return rounds


def measure(strategy: AnyStrategy, workers: Answering, state: State) -> Measured:
    """Accuracy of a state's best weights; or, where those are chosen by it, of the proposed ones, and their loss."""
    if strategy.chosen_by_measuring:
        found = workers.measure(strategy.proposed(state))
        return Measured(found.accuracy, found.test_accuracy, found.loss, found.metrics)
    found = workers.measure(state.best.weights)
    return Measured(found.accuracy, found.test_accuracy, metrics=found.metrics)
