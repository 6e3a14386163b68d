"""What hill-climb and annealing share: a ladder of step sizes in every round, around one that adapts to success.

Steps of several sizes at once (gradientless descent: Golovin et al. 2020, arXiv 1911.06317) keep a search from
stalling on steps too large and from creeping on steps too small.
"""

import math
from functools import lru_cache
from typing import Annotated, TypeVar

import numpy as np

from distsearch.candidates.base import Dense
from distsearch.settings import about
from distsearch.strategies.base import LARGEST_SIGMA, Array, Best, Losses, RoundResult, State, frozen, lowest_of
from distsearch.strategies.population import PopulationSettings, PopulationStrategy

# Rechenberg's rule wants a fifth of single trials to succeed; for the best of many, a tenth works better here.
SUCCESSES_WANTED = 0.1
ADAPTATION_RATE = 0.3
SMALLEST_SIGMA = 1e-7


class LadderSettings(PopulationSettings, frozen=True):
    """The settings of every strategy with a ladder of step sizes."""

    adapt: Annotated[bool, about("adapt the step size to the share of successful steps; if not, it stays at sigma")] = (
        True
    )
    ladder: Annotated[
        int,
        about("step sizes in every round, each half the one before; 1: only sigma", at_least=1, below=33),
    ] = 3


S = TypeVar("S", bound=LadderSettings)
T = TypeVar("T", bound=State)


class LadderStrategy(PopulationStrategy[S, T]):
    """Candidates are the center plus σ·2^j·z; a subclass decides whether the lowest-loss one is accepted."""

    Settings = LadderSettings

    def units(self, state: T) -> int:
        """The population."""
        return self.settings.population

    def ask(self, state: T, lo: int, hi: int) -> Dense:
        """The center + σ·2^j·z, (hi - lo, n), j cycling through the ladder."""
        weights = self.noise(state, lo, hi)
        weights *= _multiples(lo, hi, self.settings.ladder) * np.float32(state.sigma)
        weights += state.center
        return Dense(weights)

    def accepted(self, state: T, index: int, best: Best) -> Array:
        """The weights, (n,), of the candidate to become the next center; those of the best are already known."""
        if (best.round, best.index) == (state.round, index):
            return best.weights
        return self.weights_of(state, index)

    def adapted(self, sigma: float, losses: Losses, wanted: float = SUCCESSES_WANTED, margin: float = 0.0) -> float:
        """σ·e^{rate·(share of successes − wanted)}, if sigma is to be adapted; losses are (candidates,).

        A success is a loss at most the margin above the center's. An equal loss counts, so that the step size grows
        beyond a plateau.
        """
        if not self.settings.adapt:
            return sigma
        successes = np.count_nonzero(losses[1:] <= losses[0] + margin) / (len(losses) - 1)
        moved = sigma * math.exp(ADAPTATION_RATE * (successes - wanted))
        return min(LARGEST_SIGMA, max(SMALLEST_SIGMA, moved))


@lru_cache(maxsize=4096)  # the tiles are the same in every round
def _multiples(lo: int, hi: int, ladder: int) -> Array:
    """The candidates' step sizes as multiples of σ, (hi - lo, 1); candidate 0 is the center."""
    numbers = np.arange(lo, hi)[:, np.newaxis]
    multiples = np.exp2(ladder // 2 - (numbers - 1) % ladder)  # σ in the middle
    return frozen(np.where(numbers, multiples, 0).astype(np.float32))


def lowest_of_others(result: RoundResult) -> int:
    """The index of the lowest finite loss, excluding the center's; any index if none is finite."""
    return result.lowest or 1 + lowest_of(result.losses[1:])


def no_worse(after: float, before: float) -> bool:
    """Whether a loss is finite and not above an earlier one, which need not be finite."""
    return math.isfinite(after) and not after > before
