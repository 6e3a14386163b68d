"""Simulated annealing: random adjustment that may also go uphill, the less the lower the temperature.

Kirkpatrick, Gelatt and Vecchi 1983, "Optimization by simulated annealing", doi 10.1126/science.220.4598.671, with the
acceptance of Metropolis et al. 1953 and, as in Corana et al. 1987 (doi 10.1145/29380.29864), a step size that follows
how many steps would be accepted. What is put to the test is the best of a round.
"""

import math
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from distsearch.candidates import Dense, Space
from distsearch.randomness import Stream, noise, uniform
from distsearch.settings import about
from distsearch.strategies.base import LARGEST_SIGMA, Best, PopulationSettings, State, Strategy, Told, frozen, lowest_of

DEFAULT_HORIZON = 1000
SPREAD_SHARE = 0.1  # of the deviation of the first round's losses, at which the temperature starts
ADAPTATION_RATE = 0.3
SMALLEST_SIGMA = 1e-7


class AnnealingSettings(PopulationSettings, frozen=True):
    """The settings of annealing."""

    temperature: (
        Annotated[
            float,
            about(
                "first temperature, in units of the loss; if not set, a tenth of the deviation of the first losses",
                above=0,
            ),
        ]
        | None
    ) = None
    cooling: Annotated[float, about("share of the first temperature that is left at the horizon", above=0, below=1)] = (
        1e-3
    )
    horizon: (
        Annotated[
            int,
            about(
                f"rounds over which the temperature falls; if not set, --rounds, or {DEFAULT_HORIZON} without",
                unit="rounds",
                at_least=1,
            ),
        ]
        | None
    ) = None
    adapt: Annotated[
        bool, about("let the step size follow the share of steps that succeed; if not, it stays at sigma")
    ] = True
    ladder: Annotated[
        int,
        about("step sizes tried in every round, each half of the one before; 1: sigma alone", at_least=1, below=33),
    ] = 3
    wanted: Annotated[
        float,
        about("share of steps that are to succeed, within one temperature of the center's loss", above=0, below=1),
    ] = 0.1


@dataclass(frozen=True, slots=True)
class AnnealingState(State):
    """The center, the step size, and the temperature that the search started from; 0 if it is not chosen yet."""

    first_temperature: float


class Annealing(Strategy):
    """Candidates are the center plus σ·2^j·z; the lowest-loss one is accepted if lower, or else by chance."""

    name = "annealing"
    summary = "small random steps, uphill ones too, ever fewer as the temperature falls"
    when = "losses with many local minima, on small networks"
    Settings = AnnealingSettings
    state_type = AnnealingState

    def __init__(self, settings: Any, space: Space) -> None:
        super().__init__(settings, space)
        rungs = (np.arange(settings.population) - 1) % settings.ladder
        self._scale = np.exp2(settings.ladder // 2 - rungs).astype(np.float32)  # (population,), σ in the middle
        self._scale[0] = 0  # candidate 0 is the center

    @classmethod
    def resolved(cls, settings: Any, space: Space) -> Any:
        """The settings with a horizon."""
        if settings.horizon is not None:
            return settings
        return structs.replace(settings, horizon=space.rounds or DEFAULT_HORIZON)

    def init(self, weights: NDArray[np.float32], seed: int) -> AnnealingState:
        """The state before the first round, centred on `weights`, (n,)."""
        start, settings = frozen(weights), self.settings
        return AnnealingState(
            seed, 0, start, settings.sigma, Best(start, np.inf, 0, 0), first_temperature=settings.temperature or 0.0
        )

    def ask(self, state: State, lo: int, hi: int) -> Dense:
        """The center + σ·2^j·z, (hi - lo, n), j cycling through the ladder."""
        weights = noise(state.seed, Stream.CANDIDATES, state.round, lo, hi, state.center.size)
        weights *= (self._scale[lo:hi] * np.float32(state.sigma))[:, np.newaxis]
        weights += state.center
        return Dense(weights)

    def advance(self, state: AnnealingState, told: Told, best: Best) -> AnnealingState:  # type: ignore[override]
        """Accept the lowest loss of the others if it is no higher than the center's, or with e^{−Δ/T}; or revert."""
        losses = told.losses
        first = state.first_temperature or SPREAD_SHARE * _spread(losses)
        temperature = self.temperature(first, state.round)
        lowest = 1 + lowest_of(losses[1:])
        chance = uniform(state.seed, Stream.ACCEPTANCE, state.round)
        accepted = accepts(float(losses[0]), float(losses[lowest]), temperature, chance)
        return replace(
            state,
            round=state.round + 1,
            center=self._moved(state, lowest, best) if accepted else state.center,
            sigma=self._adapted(state.sigma, losses, temperature) if self.settings.adapt else state.sigma,
            best=best,
            first_temperature=first,
        )

    def temperature(self, first: float, round_number: int) -> float:
        """The temperature of a round: geometric, T = T₀·cooling^(round / horizon), and so on behind the horizon."""
        return float(first * self.settings.cooling ** (round_number / self.settings.horizon))

    def _moved(self, state: State, index: int, best: Best) -> NDArray[np.float32]:
        if (best.round, best.index) == (state.round, index):
            return best.weights
        return self.weights_of(state, index)

    def _adapted(self, sigma: float, losses: NDArray[np.float64], temperature: float) -> float:
        """σ·e^{rate·(share of successes − wanted)}, a success being within a temperature of the center's loss."""
        successes = np.count_nonzero(losses[1:] <= losses[0] + temperature) / (len(losses) - 1)
        adapted = sigma * math.exp(ADAPTATION_RATE * (successes - self.settings.wanted))
        return min(LARGEST_SIGMA, max(SMALLEST_SIGMA, adapted))


def accepts(before: float, after: float, temperature: float, chance: float) -> bool:
    """Whether a loss `after` is accepted in place of `before`, given a chance in [0, 1) (Metropolis et al. 1953)."""
    if not math.isfinite(after):
        return False
    if not after > before:
        return True
    return temperature > 0 and chance < math.exp((before - after) / temperature)


def _spread(losses: NDArray[np.float64]) -> float:
    """The standard deviation of the finite losses."""
    return float(losses[np.isfinite(losses)].std())
