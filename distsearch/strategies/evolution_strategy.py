"""Evolution strategy: the candidates of a round together estimate a gradient, and an optimiser follows it.

OpenAI's evolution strategy (Salimans et al. 2017, arXiv 1703.03864): mirrored pairs, losses replaced by ranks, Adam.
With low-rank noise (EGGROLL: Sarkar et al. 2025, arXiv 2511.16652), a wide layer costs almost nothing per candidate.
"""

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from msgspec import structs

from distsearch.candidates.base import Candidates, Dense
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
from distsearch.objectives.base import Objective, Task
from distsearch.randomness import Stream, noise
from distsearch.settings import about
from distsearch.strategies.base import Array, Best, RoundResult, decided, frozen
from distsearch.strategies.descent import Descent, DescentSettings, DescentState, outgoing, resolve
from distsearch.strategies.optimizers import Moments
from distsearch.strategies.population import PopulationStrategy, StepSize
from distsearch.strategies.ranks import centered_ranks
from distsearch.strategies.schedules import Plateau

WIDE = 1_000  # weights from which low-rank noise learns sooner: as well per candidate, and candidates cost less


class EvolutionStrategySettings(DescentSettings, frozen=True):
    """The settings of evolution-strategy."""

    sigma: StepSize = 0.05
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


class EvolutionStrategy(PopulationStrategy[EvolutionStrategySettings, DescentState]):
    """Unit 0 is the center; units 2p + 1 and 2p + 2 are the center plus and minus the noise of pair p."""

    name = "evolution-strategy"
    summary = "mirrored pairs, ranks and Adam: for any loss, even of many weights; gains from every worker"
    when = "any loss of many weights, especially with many workers"
    Settings = EvolutionStrategySettings
    state_type = DescentState
    step = "rate"
    mirrored = True

    def __init__(self, settings: EvolutionStrategySettings, task: Task) -> None:
        super().__init__(settings, task)
        self._rank = decided(self.settings.rank)
        self._descent = Descent(self.settings, self.settings.sigma)
        self._products = Products()

    @classmethod
    def resolve(cls, settings: EvolutionStrategySettings, task: Task) -> EvolutionStrategySettings:
        """The settings with whole pairs, the rank, the learning rate and the horizon."""
        chosen = resolve(settings, min(0.05, max(5e-3, 1.5 / math.sqrt(task.weights_count))), task.rounds)
        return structs.replace(chosen, rank=_rank(settings.rank, task), population=whole_pairs(settings.population))

    def init(self, weights: Array, seed: int) -> DescentState:
        """The state before the first round, without moments."""
        start = frozen(weights)
        sigma = self.settings.sigma
        return DescentState(seed, 0, start, sigma, Best.unknown(start), Moments.zero(start.size), Plateau())

    def units(self, state: DescentState) -> int:
        """The population."""
        return self.settings.population

    def tiles(self, state: DescentState, objective: Objective) -> Sequence[int]:
        """Tiles of whole pairs, the center in the first; with low-rank noise, the center by itself."""
        kind = LowRank if self._rank else FullRank
        return tiles(self.units(state), kind.tiling(objective.tiling).candidates, center_apart=self._rank > 0)

    def outgoing(self, state: DescentState) -> DescentState:
        """The state as sent to workers: without the best weights and the moments."""
        return outgoing(super().outgoing(state))

    def ask(self, state: DescentState, lo: int, hi: int) -> Candidates:
        """The center ± σ·z, or ± σ/√r·ABᵀ in each layer."""
        if (lo, hi) == (0, 1):
            return Dense(state.center[np.newaxis])
        pairs = Pairs(lo, hi)
        drawn = self.noise(state, pairs.first, pairs.last)
        around = pairs, state.center, self._products, self.task.blocks
        if self._rank:
            return LowRank(*around, drawn, self._rank, state.sigma)
        drawn *= np.float32(state.sigma)
        return FullRank(*around, drawn)

    def advance(self, state: DescentState, result: RoundResult, best: Best) -> DescentState:
        """One optimiser step against Σ uᵢ zᵢ / (λσ), where the u are centred ranks."""
        losses = result.losses[1:]
        utilities = centered_ranks(len(losses))(losses)
        coefficients = (utilities[::2] - utilities[1::2]).astype(np.float32)
        gradient = result.weighted_noise(coefficients) * np.float32(1 / (len(utilities) * state.sigma))
        if not self.chosen_by_measuring:
            state = self._descent.after(state, float(result.losses[0]))
        return self._descent.step(state, gradient.__getitem__, best)

    def measured(self, state: DescentState, loss: float, violation: float | None = None) -> DescentState:
        """The state after measuring; with minibatches, only this detects plateaus, as rounds' losses do not compare."""
        return self._descent.measured(super().measured(state, loss, violation), loss)

    def noise_sum(self, state: DescentState, coefficients: Array, lo: int, hi: int) -> Array:
        """Σ cᵢ zᵢ over the noise of the pairs [lo, hi), (n,); for low-rank noise, without forming any step."""
        if self._rank == 0:
            return super().noise_sum(state, coefficients, lo, hi)
        rank, blocks = self._rank, self.task.blocks
        factors = self.noise(state, lo, hi)
        scaled = (coefficients / np.float32(np.sqrt(rank)))[:, np.newaxis, np.newaxis]
        whole = np.empty(state.center.size, np.float32)
        for block in blocks:
            left, right = factors_of(factors, blocks, block, rank)
            stacked = (left * scaled).transpose(1, 0, 2).reshape(block.rows, -1)
            np.matmul(stacked, right.reshape(-1, block.columns), out=block.matrix(whole))
        return whole

    def noise(self, state: DescentState, lo: int, hi: int) -> Array:
        """The noise of the pairs [lo, hi): vectors, (hi - lo, n), or the low-rank factors that represent them."""
        if self._rank == 0:
            return super().noise(state, lo, hi)
        width = factors_width(self.task.blocks, self._rank)
        return noise(state.seed, Stream.CANDIDATES, state.round, lo, hi, width)


def _rank(given: int | None, task: Task) -> int:
    """The rank of the noise; if not given, by the layers' shapes. Raises SettingError if they do not allow it."""
    if not task.blocks:
        if given:
            raise SettingError(f"settings.rank: expected 0 for a function, which has no layers, got {given}")
        return 0
    widest = max(min(block.rows, block.columns) for block in task.blocks)
    if given is None:
        return 1 if task.weights_count >= WIDE else 0
    if given > widest:
        raise SettingError(f"settings.rank: expected at most {widest}, the largest layer's full rank, got {given}")
    return given
