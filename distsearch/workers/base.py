"""The seam between the search and whoever scores its candidates."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from distsearch.errors import DistsearchError, ObjectiveError
from distsearch.objectives.base import Measurement, Objective
from distsearch.strategies.base import Answer, State, Strategy
from distsearch.strategies.sums import total
from distsearch.workers.jobs import Job, Measuring, NoiseSum, Trial

Tell = Callable[[str], None]
"""Says a sentence to the user."""


class Workers(ABC):
    """Scores the units of a round. However many there are, what comes of it is the same to the bit."""

    on_cluster = False
    """Whether they are on a Ray cluster that is not theirs alone."""

    retried = 0
    """Shards that were sent a second time, because the first worker was lost or slow."""

    def __init__(self, strategy: Strategy, objective: Objective) -> None:
        self.strategy = strategy
        self.objective = objective

    @property
    @abstractmethod
    def count(self) -> int:
        """Workers that are alive; 0 means this process itself."""

    @property
    def machines(self) -> tuple[dict[str, str], ...]:
        """What the workers compute with, one of each kind: processor, BLAS and NumPy, and where the first of it runs.

        Empty where only this process computes.
        """
        return ()

    @abstractmethod
    def sweep(self, job: Job) -> list[Any]:
        """What comes of a job, in runs of its parts, in their order. WorkersError if there is nobody to ask."""

    def done_here(self, job: Job) -> Any:
        """What comes of a whole job, done in this process. ObjectiveError with what the objective raised."""
        try:
            return job.work(self.strategy, self.objective, 0, job.end(self.strategy, self.objective))
        except DistsearchError:
            raise
        except Exception as error:
            raise ObjectiveError(raised(error)) from error

    def evaluate(self, state: State) -> list[Answer]:
        """The answers to all units of the round, in index order."""
        return self.sweep(Trial(state))

    def measure(self, weights: NDArray[np.float32]) -> Measurement:
        """Loss and accuracy of the weights, (n,), on all training and test examples."""
        if not self.objective.parts:
            return self.objective.measurement(np.zeros((0, 2)))
        return self.objective.measurement(np.concatenate(self.sweep(Measuring(weights))))

    def weighted_noise(self, state: State, coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
        """Σ cᵢ zᵢ over the round's noise, (n,), from coefficients, (noises,)."""
        return total(part for parts in self.sweep(NoiseSum(state, coefficients)) for part in parts)

    def close(self, wait: bool = True) -> None:  # noqa: B027  (there may be nothing to let go of)
        """Let go of what was started, and wait until it is gone."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(wait=kind is None or not issubclass(kind, KeyboardInterrupt))


def raised(error: BaseException) -> str:
    """The sentence for an exception of the user's own code."""
    return f"the objective raised {type(error).__name__}: {error}"
