"""A function of the user's own as an objective."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Tiling
from distsearch.errors import ObjectiveError
from distsearch.objectives import foreign
from distsearch.objectives.base import Array, Objective

Function = Callable[[Array], float]
"""Maps weights, (n,) float32, to a loss."""


class FunctionObjective(Objective):
    """A function of the user's own, from weights (n,) to a loss."""

    foreign = True
    one_by_one = True
    tiling = Tiling(1, 1)

    def __init__(self, function: Function, weights_count: int) -> None:
        self.function = function
        self.weights_count = weights_count

    def losses(self, candidates: Candidates, round_number: int) -> NDArray[np.float64]:
        """The function's value for each candidate, (candidates,). ObjectiveError if it fails or gives no number."""
        return np.array([self._loss(weights) for weights in candidates.dense()])

    def _loss(self, weights: Array) -> float:
        value = foreign.call(self.function, weights)
        try:
            return float(value)
        except (TypeError, ValueError):
            raise ObjectiveError(f"expected a number from the function, got {value!r}") from None
