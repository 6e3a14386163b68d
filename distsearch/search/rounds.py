"""One round: candidates are evaluated, the strategy is told, and at intervals its weights are measured."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import inf, isfinite
from typing import Any, Protocol, cast

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from distsearch.errors import UserError, brief
from distsearch.objectives.base import Measurement
from distsearch.objectives.constraints import NONE, UPDATE_ROUNDS, Constraints
from distsearch.runs.history import Measured
from distsearch.search.noise import Noise
from distsearch.strategies.base import Answer, AnyStrategy, Best, State, losses_of, lowest_of

NOT_MEASURED = Measured()


class Outcome(Struct, frozen=True):
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
    so it begins with round 1, continues with round `first`, and doubles from there up to the interval. `noise` looks at
    the losses of every round. Under constraints, their multipliers follow what is measured at multiples of the
    interval, UPDATE_ROUNDS apart at least.
    """

    def __init__(
        self,
        strategy: AnyStrategy,
        workers: Answering,
        every: int,
        first: int | None = None,
        noise: Noise | None = None,
        constraints: Constraints = NONE,
    ) -> None:
        self._strategy = strategy
        self._constraints = constraints
        self._update_every = -(-UPDATE_ROUNDS // every) * every  # of the multipliers
        self._workers = workers
        self._every = every
        self._noise = noise
        self._early = _early(every, first) if strategy.chosen_by_measuring else []
        self._best: Best | None = None  # that was measured last
        self._measured = NOT_MEASURED
        self._losses: NDArray[np.float64] | None = None  # of the current round, once all are there

    @property
    def answered(self) -> Sequence[tuple[int, Answer]]:
        """The losses of the current round as one answer, with its first unit; none before all are there."""
        return [] if self._losses is None else [(0, Answer(self._losses))]

    def run(self, state: State) -> Outcome:
        """One round: evaluate, tell, and measure if it is due."""
        self._losses = None
        answers = self._workers.evaluate(state)
        self._losses = losses = losses_of(answers)
        after: Any = self._strategy.tell(state, answers, partial(self._workers.weighted_noise, state))
        if not isinstance(after, State) or after.round != state.round + 1:
            raise self._not_the_next(state, after)
        if self._noise is not None:
            self._noise.look(state, after, losses)
        if not self._is_due(after):
            return Outcome(losses, after, NOT_MEASURED)
        if not self._strategy.chosen_by_measuring:
            return Outcome(losses, after, self._measured_best(after))
        found = self._workers.measure(self._strategy.proposed(after))
        if found.choosing is None:
            raise AssertionError("what has minibatches has a loss")
        return Outcome(losses, self._chosen(after, found, found.choosing), _all_of(found))

    def _not_the_next(self, state: State, after: Any) -> UserError:
        """What to say if a strategy of the user's own returns something else than the state after the round."""
        came = f"that of round {after.round}" if isinstance(after, State) else brief(after)
        return UserError(
            f"the strategy {self._strategy.name}: expected advance to return the state of round {state.round + 1}, "
            f"got {came}"
        )

    def _chosen(self, state: State, found: Measurement, loss: float) -> State:
        """The state once the proposed weights are measured: they may be the best, and multipliers follow."""
        constraints, values = self._constraints, found.metrics or {}
        if not constraints:
            return cast(State, self._strategy.measured(state, loss))
        prefix = "" if found.validation_loss is None else "validation-"
        after = self._strategy.measured(state, loss, constraints.violation(values, prefix))
        if after.multipliers is None:
            return replace(after, multipliers=constraints.first(found.loss or 0.0))
        if after.round % self._update_every:
            return cast(State, after)
        return replace(after, multipliers=constraints.updated(after.multipliers, values, prefix))

    def _is_due(self, after: State) -> bool:
        return after.round % self._every == 0 or after.round in self._early

    def _measured_best(self, state: State) -> Measured:
        if self._best is not state.best:
            self._best, self._measured = state.best, measure(self._strategy, self._workers, state)
        return self._measured


def _early(every: int, first: int | None) -> list[int]:
    """The rounds that are measured before the regular interval."""
    rounds, following = [1], first or every
    if every < 2 * following < 2 * every:
        rounds.append(following)
    while 2 * following <= every:
        rounds.append(following)
        following *= 2
    return rounds


def measure(strategy: AnyStrategy, workers: Answering, state: State) -> Measured:
    """Accuracy of a state's best weights; or, where those are chosen by it, of the proposed ones, and their loss."""
    if strategy.chosen_by_measuring:
        return _all_of(workers.measure(strategy.proposed(state)))
    return _all_of(workers.measure(state.best.weights))._replace(train_loss=None)


def _all_of(found: Measurement) -> Measured:
    validation = found.validation_loss, found.validation_accuracy
    return Measured(found.accuracy, found.test_accuracy, found.loss, *validation, found.metrics)


def best_of_some(
    strategy: AnyStrategy,
    state: State,
    answers: Sequence[tuple[int, Answer]],
    measure_here: Callable[[NDArray[np.float32]], Measurement] | None,
) -> Best:
    """The best of a round of which only some units were evaluated, each answer with its first unit.

    Where these decide nothing, the center is measured; its loss stays infinite if that cannot be.
    """
    if strategy.chosen_by_measuring:
        loss = measure_here(strategy.proposed(state)).choosing if measure_here else None
        measured: State = state if loss is None else strategy.measured(state, loss)
        return measured.best
    losses = np.full(strategy.units(state), inf)
    for first, answer in answers:
        losses[first : first + len(answer.losses)] = answer.losses
    lowest = lowest_of(losses)
    best = strategy.best(state, losses, lowest) if isfinite(losses[lowest]) else state.best
    if isfinite(best.loss):
        return best
    loss = measure_here(state.center).loss if measure_here else None
    return best if loss is None else Best(state.center, loss, state.round, 0)
