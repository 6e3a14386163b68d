"""The seam between the search and whoever evaluates its candidates."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import inf
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from distsearch.machine import keep_memory
from distsearch.objectives.base import Measurement, Objective
from distsearch.runs.events import Share
from distsearch.strategies.base import Answer, AnyStrategy, State
from distsearch.strategies.sums import total
from distsearch.workers.requests import EvaluateRound, MeasureWeights, Request, SumNoise


class TimeIsUpError(Exception):
    """The time of the search is over: the round that was asked for last is given up."""


class Pool(ABC):
    """Evaluates the units of a round. However many workers it has, the results are the same to the bit."""

    on_cluster = False
    """Whether its workers are on a Ray cluster that others use too."""

    retried = 0
    """Shards that were sent a second time, because the first worker was lost or slow."""

    deadline = inf
    """When, by time.monotonic, the evaluation of a round is given up: TimeIsUpError."""

    heard: Callable[[int, int], None] = staticmethod(lambda answered, units: None)
    """Called within rounds that take a while: how many of their units are answered, of how many; first with none."""

    awaits_one = False
    """Whether there is no best yet: a round is not given up at the deadline before some of its units are answered, and
    those that are can be had from `answered`, whatever ends it."""

    def __init__(self, strategy: AnyStrategy, objective: Objective) -> None:
        keep_memory()
        self.strategy = strategy
        self.objective = objective

    @property
    @abstractmethod
    def count(self) -> int:
        """Workers that are alive; 0 means this process itself."""

    @property
    def machines(self) -> tuple[dict[str, str], ...]:
        """The machines that the workers run on, one of each kind: processor, BLAS, NumPy, and where the first one is.

        Empty where only this process computes.
        """
        return ()

    def shares(self, began: float) -> tuple[Share, ...]:
        """What each worker has done so far of a search that, by time.monotonic, began then."""
        return ()

    @property
    @abstractmethod
    def answered(self) -> Sequence[tuple[int, Answer]]:
        """The answers so far to units of a round that is given up, in any order, each with its first unit."""

    @abstractmethod
    def sweep(self, request: Request) -> list[Any]:
        """Answer a request; answers for contiguous ranges, in index order. WorkersError if no worker is available."""

    def answered_here(self, request: Request) -> Any:
        """The answer to a whole request, computed in this process."""
        end = request.end(self.strategy, self.objective)
        return request.answer(self.strategy, self.objective, request.begin, end)

    def evaluate(self, state: State) -> list[Answer]:
        """The answers to all units of the round, in index order.

        ObjectiveError if the user's code fails, TimeIsUpError at the deadline.
        """
        return self.sweep(EvaluateRound(state))

    def measure(self, weights: NDArray[np.float32]) -> Measurement:
        """Loss and accuracy of the weights, (n,), on all training and test examples."""
        if not self.objective.parts:
            return self.objective.measurement([])
        return self.objective.measurement([each for some in self.sweep(MeasureWeights(weights)) for each in some])

    def weighted_noise(self, state: State, coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
        """Σ cᵢ zᵢ over the round's noise, (n,), from coefficients, (noises,)."""
        return total(part for parts in self.sweep(SumNoise(state, coefficients)) for part in parts)

    def close(self, wait: bool = True) -> None:  # noqa: B027  (there may be nothing to release)
        """Release what was started, and wait until it is gone."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(wait=kind is None or not issubclass(kind, KeyboardInterrupt))
