"""What hill-climb and annealing share: a ladder of step sizes in every round, around one that follows success.

Steps of several sizes at once (gradientless descent: Golovin et al. 2020, arXiv 1911.06317) keep a search from
stalling on steps too large and from creeping on steps too small.
"""

import math
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Dense, Space
from distsearch.settings import about
from distsearch.strategies.base import LARGEST_SIGMA, Best, PopulationSettings, State, Strategy, Told, lowest_of

# A fifth of successes is Rechenberg's rule for one trial at a time; with the best of many, a tenth did better here.
SUCCESSES_WANTED = 0.1
ADAPTATION_RATE = 0.3
SMALLEST_SIGMA = 1e-7


class LadderSettings(PopulationSettings, frozen=True):
    """The settings of every strategy that tries a ladder of step sizes."""

    adapt: Annotated[
        bool, about("let the step size follow the share of steps that succeed; if not, it stays at sigma")
    ] = True
    ladder: Annotated[
        int,
        about("step sizes tried in every round, each half of the one before; 1: sigma alone", at_least=1, below=33),
    ] = 3


class LadderStrategy(Strategy):
    """Candidates are the center plus σ·2^j·z; a subclass decides whether the lowest-loss one is accepted."""

    Settings = LadderSettings

    def __init__(self, settings: Any, space: Space) -> None:
        super().__init__(settings, space)
        rungs = (np.arange(settings.population) - 1) % settings.ladder
        scale = np.exp2(settings.ladder // 2 - rungs).astype(np.float32)  # σ in the middle
        scale[0] = 0  # candidate 0 is the center
        self._scale = scale[:, np.newaxis]  # (population, 1)

    def ask(self, state: State, lo: int, hi: int) -> Dense:
        """The center + σ·2^j·z, (hi - lo, n), j cycling through the ladder."""
        weights = self.noise(state, lo, hi)
        weights *= self._scale[lo:hi] * np.float32(state.sigma)
        weights += state.center
        return Dense(weights)

    def accepted(self, state: State, index: int, best: Best) -> NDArray[np.float32]:
        """The weights, (n,), of a candidate that is to be the next center; those of the best are there already."""
        if (best.round, best.index) == (state.round, index):
            return best.weights
        return self.weights_of(state, index)

    def adapted(
        self, sigma: float, losses: NDArray[np.float64], wanted: float = SUCCESSES_WANTED, margin: float = 0.0
    ) -> float:
        """σ·e^{rate·(share of successes − wanted)}, if it is to be adapted; losses are (candidates,).

        A success is a loss no more than the margin above the center's: an equal one too, so that the step outgrows
        a plateau.
        """
        if not self.settings.adapt:
            return sigma
        successes = np.count_nonzero(losses[1:] <= losses[0] + margin) / (len(losses) - 1)
        moved = sigma * math.exp(ADAPTATION_RATE * (successes - wanted))
        return min(LARGEST_SIGMA, max(SMALLEST_SIGMA, moved))


def lowest_of_others(told: Told) -> int:
    """The index of the lowest finite loss beside the center's; any if none is finite."""
    return told.lowest or 1 + lowest_of(told.losses[1:])


def no_worse(after: float, before: float) -> bool:
    """Whether a loss is finite and not above one before it, which need not be finite."""
    return math.isfinite(after) and not after > before
