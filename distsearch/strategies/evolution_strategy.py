"""Evolution strategy: all candidates of a round together estimate a gradient, and an optimiser follows it.

The evolution strategy of OpenAI (Salimans et al. 2017, arXiv 1703.03864): mirrored pairs, losses by their ranks, Adam.
With low-rank noise (EGGROLL: Sarkar et al. 2025, arXiv 2511.16652) a wide layer costs a candidate almost nothing.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Dense, Space
from distsearch.candidates.pairs import (
    FullRank,
    LowRank,
    Pairs,
    Products,
    factors_of,
    factors_width,
    tiles,
    whole_pairs,
)
from distsearch.errors import SettingError
from distsearch.randomness import Stream, noise
from distsearch.settings import about
from distsearch.strategies.base import Best, Objective, State, Told
from distsearch.strategies.descent import Descent
from distsearch.strategies.optimizers import OptimizerSettings
from distsearch.strategies.ranks import by_rank

Array = NDArray[np.float32]

WIDE = 1_000  # weights from which low-rank noise learns sooner: as fast by candidates, which cost less


class EvolutionStrategySettings(OptimizerSettings, frozen=True):
    """The settings of evolution-strategy."""

    population: Annotated[
        int,
        about(
            "candidates evaluated per round: the center and mirrored pairs, so an even number is rounded up",
            unit="candidates",
            at_least=2,
        ),
    ] = 65
    rank: (
        Annotated[int, about("rank of each layer's noise; 0: dense; if not set, by the layers' shapes", at_least=0)]
        | None
    ) = None


class EvolutionStrategy(Descent):
    """Unit 0 is the center; units 2p + 1 and 2p + 2 are the center plus and minus the noise of pair p."""

    name = "evolution-strategy"
    summary = "mirrored pairs, ranks and Adam: for any loss, also of many weights; gains from every worker"
    when = "any loss of many weights, above all on many workers"
    Settings = EvolutionStrategySettings
    mirrored = True

    def __init__(self, settings: Any, space: Space) -> None:
        super().__init__(settings, space)
        self._products = Products()

    @classmethod
    def resolved(cls, settings: Any, space: Space) -> Any:
        """Whole pairs, the rank, the learning rate and the horizon."""
        chosen = settings.resolved_for(min(0.05, max(5e-3, 1.5 / math.sqrt(space.weights_count))), space.rounds)
        return structs.replace(chosen, rank=_rank(settings.rank, space), population=whole_pairs(settings.population))

    def tiles(self, state: State, objective: Objective) -> Sequence[int]:
        """Whole pairs, the center with the first of them; by itself where they are low-rank."""
        if self.settings.rank == 0:
            return tiles(self.units(state), objective.tile)
        return tiles(self.units(state), objective.low_rank_tile, center_apart=True)

    def ask(self, state: State, lo: int, hi: int) -> Candidates:
        """The center ± σ·z, or ± σ/√r·ABᵀ in each layer."""
        if (lo, hi) == (0, 1):
            return Dense(state.center[np.newaxis])
        pairs = Pairs(lo, hi)
        drawn = self.noise(state, pairs.first, pairs.last)
        around = pairs, state.center, self._products, self.space.layers
        if self.settings.rank:
            return LowRank(*around, drawn, self.settings.rank, state.sigma)
        drawn *= np.float32(state.sigma)
        return FullRank(*around, drawn)

    def advance(self, state: Any, told: Told, best: Best) -> State:
        """A step of the optimiser against Σ uᵢ zᵢ / (λσ), the u being centred ranks."""
        utilities = by_rank(told.losses[1:], np.linspace(-0.5, 0.5, len(told.losses) - 1))
        coefficients = (utilities[::2] - utilities[1::2]).astype(np.float32)
        gradient = told.weighted_noise(coefficients) * np.float32(1 / (len(utilities) * state.sigma))
        following: State = self.descended(state, gradient, float(told.losses[0]), best)
        return following

    def _noise_sum(self, state: State, coefficients: Array, lo: int, hi: int) -> Array:
        if self.settings.rank == 0:
            return super()._noise_sum(state, coefficients, lo, hi)
        rank, layers = self.settings.rank, self.space.layers
        factors = self.noise(state, lo, hi)
        scaled = (coefficients / np.float32(np.sqrt(rank)))[:, np.newaxis, np.newaxis]
        whole = np.empty(state.center.size, np.float32)
        for layer in layers:
            left, right = factors_of(factors, layers, layer, rank)
            stacked = (left * scaled).transpose(1, 0, 2).reshape(layer.outputs, -1)
            np.matmul(stacked, right.reshape(-1, layer.inputs + 1), out=layer.matrix(whole))
        return whole

    def noise(self, state: State, lo: int, hi: int) -> Array:
        """The noise of the pairs lo to hi: vectors, (hi - lo, n), or the low-rank factors that stand for them."""
        if self.settings.rank == 0:
            return super().noise(state, lo, hi)
        width = factors_width(self.space.layers, self.settings.rank)
        return noise(state.seed, Stream.CANDIDATES, state.round, lo, hi, width)


def _rank(given: int | None, space: Space) -> int:
    """The rank of the noise; if it is not given, by the layers' shapes. SettingError if they do not have it."""
    if not space.layers:
        if given:
            raise SettingError(f"evolution-strategy.rank: expected 0 for a function, which has no layers, got {given}")
        return 0
    widest = max(min(layer.outputs, layer.inputs + 1) for layer in space.layers)
    if given is None:
        return 1 if space.weights_count >= WIDE else 0
    if given > widest:
        raise SettingError(
            f"evolution-strategy.rank: expected at most {widest}, the largest layer's full rank, got {given}"
        )
    return given
