"""Separable natural evolution strategy: a step size for every weight, all moved along the natural gradient.

SNES: Schaul, Glasmachers and Schmidhuber 2011, "High dimensions and heavy tails for natural evolution strategies",
doi 10.1145/2001576.2001692; its gradients and rates as in Wierstra et al. 2014, "Natural evolution strategies",
JMLR 15, section 3.5, algorithm 6, with mirrored sampling (Brockhoff et al. 2010, doi 10.1007/978-3-642-15844-5_2).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from distsearch.candidates.base import Space
from distsearch.candidates.pairs import FullRank, Pairs, Products, tiles, whole_pairs
from distsearch.settings import about
from distsearch.strategies.base import (
    LARGEST_SIGMA,
    Best,
    Objective,
    PopulationSettings,
    State,
    Strategy,
    Told,
    frozen,
)
from distsearch.strategies.ranks import by_rank

SMALLEST_SIGMA = 1e-12


def utilities(count: int) -> NDArray[np.float64]:
    """What each rank counts for, (count,), the lowest loss first; they sum to zero (Wierstra et al. 2014, eq. 13)."""
    raw = np.maximum(0, math.log(count / 2 + 1) - np.log(np.arange(1, count + 1)))
    return raw / raw.sum() - 1 / count


class SnesSettings(PopulationSettings, frozen=True):
    """The settings of snes."""

    population: Annotated[
        int,
        about(
            "candidates evaluated per round: the center and mirrored pairs, so an even number is rounded up",
            unit="candidates",
            at_least=2,
        ),
    ] = 17
    sigma: (
        Annotated[
            float,
            about(
                "first step size of every weight; if not set, 3 / √n, so that steps are of one length in any network",
                above=0,
                below=LARGEST_SIGMA,
            ),
        ]
        | None
    ) = None  # type: ignore[assignment]  # a float once it is resolved


@dataclass(frozen=True, slots=True)
class SnesState(State):
    """The center and the step size of every weight; `sigma` is their geometric mean."""

    sigmas: NDArray[np.float32]  # (n,)


class Snes(Strategy):
    """Candidates are the center ± σz, σ a vector; both follow what the better ones have in common."""

    name = "snes"
    summary = "a step size for every weight, learnt from the order of all losses"
    when = "functions and networks of some thousand weights"
    Settings = SnesSettings
    state_type = SnesState
    mirrored = True

    def __init__(self, settings: Any, space: Space) -> None:
        super().__init__(settings, space)
        self._products = Products()
        self._utilities = utilities(self.settings.population - 1)
        self._rate = (3 + math.log(space.weights_count)) / (5 * math.sqrt(space.weights_count))  # η_σ

    @classmethod
    def resolved(cls, settings: Any, space: Space) -> Any:
        """The settings with a population of whole pairs beside the center, and a step size."""
        sigma = settings.sigma or 3 / math.sqrt(space.weights_count)
        return structs.replace(settings, population=whole_pairs(settings.population), sigma=sigma)

    def beginning(self, start: NDArray[np.float32]) -> dict[str, Any]:
        """One step size for all."""
        return {"sigmas": frozen(np.full(start.size, self.settings.sigma, np.float32))}

    def tiles(self, state: State, objective: Objective) -> Sequence[int]:
        """Whole pairs, the center with the first of them."""
        return tiles(self.units(state), objective.tile)

    def ask(self, state: SnesState, lo: int, hi: int) -> FullRank:  # type: ignore[override]
        """The center, then the center + σz and − σz of every pair, (hi - lo, n)."""
        pairs = Pairs(lo, hi)
        drawn = self.noise(state, pairs.first, pairs.last)
        drawn *= state.sigmas
        return FullRank(pairs, state.center, self._products, self.space.layers, drawn)

    def advance(self, state: SnesState, told: Told, best: Best) -> SnesState:  # type: ignore[override]
        """One step along the natural gradient: of the center by η = 1, of the logarithms of σ by η_σ / 2."""
        ranked = by_rank(told.losses[1:], self._utilities).reshape(-1, 2)  # (pairs, 2), of + and of −
        coefficients = np.stack([ranked[:, 0] - ranked[:, 1], ranked.sum(axis=1)], axis=1)
        toward, wider = told.weighted_noise(coefficients.astype(np.float32))  # Σ u z and Σ u z², (n,) each
        # Σ u (z² − 1) = Σ u z², for the utilities sum to zero.
        sigmas = state.sigmas * np.exp(np.float32(self._rate / 2) * wider)
        sigmas = np.clip(sigmas, np.float32(SMALLEST_SIGMA), np.float32(LARGEST_SIGMA))
        return replace(
            state,
            round=state.round + 1,
            center=frozen(state.center + state.sigmas * toward),
            sigma=float(np.exp(np.log(sigmas, dtype=np.float64).mean())),
            best=best,
            sigmas=frozen(sigmas),
        )

    def _noise_sum(self, state: State, coefficients: NDArray[np.float32], lo: int, hi: int) -> NDArray[np.float32]:
        """Σ cᵢ zᵢ and Σ dᵢ zᵢ² over the noise of the pairs lo to hi, (2, n), from coefficients (pairs, 2)."""
        drawn = self.noise(state, lo, hi)
        return np.stack([coefficients[:, 0] @ drawn, coefficients[:, 1] @ np.square(drawn)])
