"""Random adjustment: small random steps from the best weights; the round's lowest loss is accepted, or none is.

The chapter's second idea, with a ladder of step sizes in every round (gradientless descent: Golovin et al. 2020,
arXiv 1911.06317), so that the search neither stalls on steps too large nor creeps on steps too small.
"""

import math
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates import Dense, Space
from distsearch.randomness import Stream, noise
from distsearch.settings import about
from distsearch.strategies.base import LARGEST_SIGMA, Best, PopulationSettings, State, Strategy, Told, lowest_of

# A fifth of successes is Rechenberg's rule for one trial at a time; with the best of many, a tenth did better here.
SUCCESSES_WANTED = 0.1
ADAPTATION_RATE = 0.3
SMALLEST_SIGMA = 1e-7


class HillClimbSettings(PopulationSettings, frozen=True):
    """The settings of hill-climb."""

    adapt: Annotated[
        bool, about("let the step size follow the share of steps that succeed; if not, it stays at sigma")
    ] = True
    ladder: Annotated[
        int,
        about(
            "step sizes tried in every round, each half of the one before; 1: sigma alone",
            at_least=1,
            below=33,
        ),
    ] = 3


class HillClimb(Strategy):
    """Candidates are the best weights plus σ·2^j·z; the lowest-loss one is accepted if it beats them."""

    name = "hill-climb"
    summary = "small random steps from the best weights, accepted or reverted"
    when = "small networks, losses without a slope, and a first try"
    Settings = HillClimbSettings

    def __init__(self, settings: Any, space: Space) -> None:
        super().__init__(settings, space)
        rungs = (np.arange(settings.population) - 1) % settings.ladder
        self._scale = np.exp2(settings.ladder // 2 - rungs).astype(np.float32)  # (population,), σ in the middle
        self._scale[0] = 0  # candidate 0 is the center

    def ask(self, state: State, lo: int, hi: int) -> Dense:
        """The center + σ·2^j·z, (hi - lo, n), j cycling through the ladder."""
        weights = noise(state.seed, Stream.CANDIDATES, state.round, lo, hi, state.center.size)
        weights *= (self._scale[lo:hi] * np.float32(state.sigma))[:, np.newaxis]
        weights += state.center
        return Dense(weights)

    def advance(self, state: State, told: Told, best: Best) -> State:
        """Accept the lowest loss, or revert. One equal to the center's is accepted too: see `_center`."""
        return replace(
            state,
            round=state.round + 1,
            center=self._center(state, told.losses, best),
            sigma=self._adapted(state.sigma, told.losses) if self.settings.adapt else state.sigma,
            best=best,
        )

    def _center(self, state: State, losses: NDArray[np.float64], best: Best) -> NDArray[np.float32]:
        """The next center: the lowest of the others if it is no worse than the center, else the center.

        Losses that count (0-1 error) are flat between their steps; whoever stands still there finds no way on.
        """
        lowest = 1 + lowest_of(losses[1:])
        if losses[lowest] > losses[0]:
            return state.center
        if (best.round, best.index) == (state.round, lowest):
            return best.weights
        return self.weights_of(state, lowest)

    def _adapted(self, sigma: float, losses: NDArray[np.float64]) -> float:
        """σ·e^{rate·(share of successes − wanted)}; an equal loss is a success, so that the step outgrows a plateau."""
        successes = np.count_nonzero(losses[1:] <= losses[0]) / (len(losses) - 1)
        adapted = sigma * math.exp(ADAPTATION_RATE * (successes - SUCCESSES_WANTED))
        return min(LARGEST_SIGMA, max(SMALLEST_SIGMA, adapted))
