"""Separable natural evolution strategy: a step size for every weight, all adapted along the natural gradient.

SNES: Schaul, Glasmachers and Schmidhuber 2011, "High dimensions and heavy tails for natural evolution strategies",
doi 10.1145/2001576.2001692; its gradients and rates as in Wierstra et al. 2014, "Natural evolution strategies",
JMLR 15, section 3.5, algorithm 6, with mirrored sampling (Brockhoff et al. 2010, doi 10.1007/978-3-642-15844-5_2).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated

import numpy as np
from msgspec import structs

from distsearch.candidates.pairs import FullRank, Pairs, Products, tiles, whole_pairs
from distsearch.objectives.base import Objective, Task
from distsearch.settings import Settings, about
from distsearch.strategies.base import LARGEST_SIGMA, Array, Best, Losses, RoundResult, State, decided, frozen
from distsearch.strategies.population import PopulationStrategy
from distsearch.strategies.ranks import Ranks

SMALLEST_SIGMA = 1e-12


def utilities(count: int) -> Losses:
    """The utility of each rank, (count,), lowest loss first; they sum to zero (Wierstra et al. 2014, eq. 13)."""
    raw = np.maximum(0, math.log(count / 2 + 1) - np.log(np.arange(1, count + 1)))
    return raw / raw.sum() - 1 / count


class SnesSettings(Settings, frozen=True):
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
                "initial step size of every weight; if not set, 3 / √n, so that steps have the same length in any "
                "network",
                above=0,
                below=LARGEST_SIGMA,
            ),
        ]
        | None
    ) = None


@dataclass(frozen=True, slots=True)
class SnesState(State):
    """The center and the step size of every weight; `sigma` is their geometric mean."""

    sigmas: Array  # (n,)


class Snes(PopulationStrategy[SnesSettings, SnesState]):
    """Candidates are the center ± σz, σ a vector; both move towards what the better candidates have in common."""

    name = "snes"
    summary = "a step size for every weight, learnt from the order of all losses"
    when = "functions and networks of up to a few thousand weights"
    Settings = SnesSettings
    state_type = SnesState
    mirrored = True

    def __init__(self, settings: SnesSettings, task: Task) -> None:
        super().__init__(settings, task)
        self._products = Products()
        self._rate = (3 + math.log(task.weights_count)) / (5 * math.sqrt(task.weights_count))  # η_σ

    @cached_property
    def _shaping(self) -> Ranks:
        return Ranks(utilities(self.settings.population - 1))

    @classmethod
    def resolve(cls, settings: SnesSettings, task: Task) -> SnesSettings:
        """The settings with a population of whole pairs besides the center, and a step size."""
        sigma = settings.sigma or 3 / math.sqrt(task.weights_count)
        return structs.replace(settings, population=whole_pairs(settings.population), sigma=sigma)

    def init(self, weights: Array, seed: int) -> SnesState:
        """The state before the first round, with one step size for all weights."""
        start, sigma = frozen(weights), decided(self.settings.sigma)
        sigmas = frozen(np.full(start.size, sigma, np.float32))
        return SnesState(seed, 0, start, sigma, Best.unknown(start), sigmas)

    def units(self, state: SnesState) -> int:
        """The population."""
        return self.settings.population

    def tiles(self, state: SnesState, objective: Objective) -> Sequence[int]:
        """Tiles of whole pairs, the center in the first."""
        return tiles(self.units(state), FullRank.tiling(objective.tiling).candidates)

    def ask(self, state: SnesState, lo: int, hi: int) -> FullRank:
        """The center, then the center + σz and − σz of every pair, (hi - lo, n)."""
        pairs = Pairs(lo, hi)
        drawn = self.noise(state, pairs.first, pairs.last)
        drawn *= state.sigmas
        return FullRank(pairs, state.center, self._products, self.task.blocks, drawn)

    def advance(self, state: SnesState, result: RoundResult, best: Best) -> SnesState:
        """One step along the natural gradient: of the center with rate η = 1, of log σ with rate η_σ / 2."""
        ranked = self._shaping(result.losses[1:]).reshape(-1, 2)  # (pairs, 2), of + and of −
        coefficients = np.stack([ranked[:, 0] - ranked[:, 1], ranked.sum(axis=1)], axis=1)
        toward, wider = result.weighted_noise(coefficients.astype(np.float32))  # Σ u z and Σ u z², (n,) each
        # Σ u (z² − 1) = Σ u z², as the utilities sum to zero.
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

    def noise_sum(self, state: SnesState, coefficients: Array, lo: int, hi: int) -> Array:
        """Σ cᵢ zᵢ and Σ dᵢ zᵢ² over the noise of the pairs [lo, hi), (2, n), from coefficients (pairs, 2)."""
        drawn = self.noise(state, lo, hi)
        return np.stack([coefficients[:, 0] @ drawn, coefficients[:, 1] @ np.square(drawn)])
