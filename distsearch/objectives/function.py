"""A function of the user's own as an objective: of one candidate, or of several at once."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distsearch.candidates.base import Candidates, Tiling
from distsearch.data.arrays import of_tensor, unmasked
from distsearch.errors import ObjectiveError, brief
from distsearch.objectives import foreign
from distsearch.objectives.base import Array, Objective

LARGEST_TILE = 64  # candidates of a vectorized function; with mirrored pairs, the center besides
LARGEST_TILE_WEIGHTS = 1 << 22  # of all candidates of a tile
OBJECTIVE = "the objective"

Function = Callable[[Array], float]
"""Maps weights, (n,) float32, to a loss."""

VectorizedFunction = Callable[[Array], ArrayLike]
"""Maps the weights of several candidates, (candidates, n) float32, to their losses, (candidates,)."""


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
        own = candidates.dense().copy()  # the function may change what it is given
        return np.array(
            [foreign.number_of(foreign.call(OBJECTIVE, self.function, weights)) for weights in own], np.float64
        )


class VectorizedObjective(Objective):
    """A function of the user's own, from the weights of several candidates, (candidates, n), to losses, (candidates,).

    The last bits of its losses may depend on how many candidates it is given. So that is the tile, which follows from
    the number of weights alone.
    """

    foreign = True

    def __init__(self, function: VectorizedFunction, weights_count: int) -> None:
        self.function = function
        self.weights_count = weights_count
        self.tiling = Tiling(max(1, min(LARGEST_TILE, LARGEST_TILE_WEIGHTS // weights_count)), 1)

    def losses(self, candidates: Candidates, round_number: int) -> NDArray[np.float64]:
        """The function's values, (candidates,). ObjectiveError if it fails or does not give a number for each."""
        weights = candidates.dense().copy()
        values = foreign.call(OBJECTIVE, self.function, weights)
        try:
            array: NDArray[Any] = np.asarray(unmasked(of_tensor(values)))
        except Exception:  # noqa: BLE001  (conversion runs code of anybody's)
            raise _misfit(len(weights), brief(values)) from None
        if array.dtype.kind not in "biuf" or not array.ndim:
            raise _misfit(len(weights), brief(values))
        if array.shape != (len(weights),):
            raise _misfit(len(weights), f"one of shape {array.shape}")
        return np.array(array, np.float64)  # a copy: the function may use its array again


def _misfit(count: int, came: str) -> ObjectiveError:
    return ObjectiveError(
        f"expected an array of shape ({count},) from the function, which is given {count} candidates at once "
        f"(vectorized=True), got {came}"
    )
