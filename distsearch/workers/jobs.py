"""What workers are asked to do: a job is cut into parts, and any worker can do any run of them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from distsearch.objectives.base import Objective
from distsearch.strategies.base import Answer, State, Strategy, noise_ranges
from distsearch.strategies.sums import Subtree


class Job(ABC):
    """Work for one sweep over all workers. A run of parts gives the same to the bit, whoever does it."""

    kind: ClassVar[str]
    """Names work of equal cost a part."""
    tries: ClassVar[bool] = True
    """Whether weights are tried on the objective."""

    @abstractmethod
    def boundaries(self, strategy: Strategy, objective: Objective) -> Sequence[int]:
        """Where it may be cut, rising, from 0 to its end."""

    def end(self, strategy: Strategy, objective: Objective) -> int:
        """The last boundary."""
        return self.boundaries(strategy, objective)[-1]

    @abstractmethod
    def work(self, strategy: Strategy, objective: Objective, lo: int, hi: int) -> Any:
        """What comes of lo to hi, both of them boundaries."""

    def outgoing(self, strategy: Strategy) -> "Job":
        """The job as workers need it: nothing is sent that they do not look at."""
        return self


@dataclass(frozen=True, slots=True)
class Trial(Job):
    """Try all units of a round."""

    kind = "losses"
    state: State

    def boundaries(self, strategy: Strategy, objective: Objective) -> Sequence[int]:
        """Tiles of units."""
        return strategy.tiles(self.state, objective)

    def end(self, strategy: Strategy, objective: Objective) -> int:
        """The number of units."""
        return strategy.units(self.state)

    def work(self, strategy: Strategy, objective: Objective, lo: int, hi: int) -> Answer:
        """The answer to the units lo to hi."""
        return strategy.work(self.state, objective, lo, hi)

    def outgoing(self, strategy: Strategy) -> "Trial":
        """With the state as workers need it."""
        return Trial(strategy.outgoing(self.state))


@dataclass(frozen=True, slots=True)
class Measuring(Job):
    """Measure weights, (n,), on all the data."""

    kind = "measuring"
    weights: NDArray[np.float32]

    def boundaries(self, strategy: Strategy, objective: Objective) -> Sequence[int]:
        """The parts of the data."""
        return range(objective.parts + 1)

    def work(self, strategy: Strategy, objective: Objective, lo: int, hi: int) -> NDArray[np.float64]:
        """The sums over the parts lo to hi, (hi - lo, 2)."""
        return objective.sums(self.weights, lo, hi)


@dataclass(frozen=True, slots=True)
class NoiseSum(Job):
    """Add up the noise of a round, each vector times its coefficient, (noises,)."""

    kind = "noise"
    tries = False
    state: State
    coefficients: NDArray[np.float32]

    def boundaries(self, strategy: Strategy, objective: Objective) -> Sequence[int]:
        """Ranges of noise vectors."""
        return range(noise_ranges(self.coefficients) + 1)

    def work(self, strategy: Strategy, objective: Objective, lo: int, hi: int) -> tuple[Subtree, ...]:
        """The sums over the ranges lo to hi."""
        return strategy.noise_sums(self.state, self.coefficients, lo, hi)

    def outgoing(self, strategy: Strategy) -> "NoiseSum":
        """With the state as workers need it."""
        return NoiseSum(strategy.outgoing(self.state), self.coefficients)
