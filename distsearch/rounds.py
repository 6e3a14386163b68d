"""One round: candidates are tried, the strategy is told, and now and then its weights are measured."""

from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from distsearch.history import Measured
from distsearch.problem.objective import Measurement
from distsearch.strategies.base import Answer, Best, State, Strategy, losses_of

NOT_MEASURED = Measured()


class Outcome(NamedTuple):
    """What came of a round: the losses, (units,), the state after it, and what was measured, if anything."""

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
    """Runs rounds, and measures every so many of them: the best weights' accuracy, if they are not those of last time.

    With minibatches it measures the weights that the search stands for, on all examples; by that the best is chosen.
    """

    def __init__(self, strategy: Strategy, workers: Answering, measure_every: int) -> None:
        self._strategy = strategy
        self._workers = workers
        self._every = measure_every
        self._best: Best | None = None  # that was measured last
        self._measured = NOT_MEASURED

    def run(self, state: State) -> Outcome:
        """One round: try, tell, and now and then measure."""
        answers = self._workers.evaluate(state)
        after = self._strategy.tell(state, answers, partial(self._workers.weighted_noise, state))
        measured = NOT_MEASURED
        if self._strategy.chosen_by_measuring:
            if after.round == 1 or after.round % self._every == 0:
                measured, after = self._choose(after)
        elif after.round % self._every == 0:
            measured = self._measure(after.best)
        return Outcome(losses_of(answers), after, measured)

    def _choose(self, state: State) -> tuple[Measured, State]:
        found = self._workers.measure(self._strategy.proposed(state))
        if found.loss is None:
            raise AssertionError("what has minibatches has a loss")
        return Measured(found.accuracy, found.test_accuracy, found.loss), self._strategy.measured(state, found.loss)

    def _measure(self, best: Best) -> Measured:
        if self._best is not best:
            found = self._workers.measure(best.weights)
            self._best, self._measured = best, Measured(found.accuracy, found.test_accuracy)
        return self._measured
