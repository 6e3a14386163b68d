"""Simulated annealing: random adjustment that may also go uphill, less often as the temperature falls.

Kirkpatrick, Gelatt and Vecchi 1983, "Optimization by simulated annealing", doi 10.1126/science.220.4598.671, with the
acceptance rule of Metropolis et al. 1953 and, as in Corana et al. 1987 (doi 10.1145/29380.29864), a step size adapted
to the share of steps that would be accepted. The rule is applied to the best candidate of a round.
"""

import math
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from msgspec import structs

from distsearch.objectives.base import Task
from distsearch.randomness import Stream, uniform
from distsearch.settings import about
from distsearch.strategies.base import Array, Best, Losses, RoundResult, State, decided, frozen
from distsearch.strategies.ladder import SUCCESSES_WANTED, LadderSettings, LadderStrategy, lowest_of_others, no_worse

DEFAULT_HORIZON = 1000
SPREAD_SHARE = 0.1  # the initial temperature, as a share of the standard deviation of the first round's losses


class AnnealingSettings(LadderSettings, frozen=True):
    """The settings of annealing."""

    temperature: (
        Annotated[
            float,
            about(
                "initial temperature, in units of the loss; if not set, a tenth of the first losses' deviation",
                above=0,
            ),
        ]
        | None
    ) = None
    cooling: Annotated[float, about("share of the initial temperature left at the horizon", above=0, below=1)] = 1e-3
    horizon: (
        Annotated[
            int,
            about(
                f"rounds over which the temperature, or a cosine, falls; if not set, --rounds (or {DEFAULT_HORIZON})",
                unit="rounds",
                at_least=1,
            ),
        ]
        | None
    ) = None
    wanted: Annotated[
        float,
        about("target share of steps that end within one temperature of the center's loss", above=0, below=1),
    ] = SUCCESSES_WANTED


@dataclass(frozen=True, slots=True)
class AnnealingState(State):
    """The center, the step size, and the initial temperature, which is 0 until it is chosen."""

    first_temperature: float


class Annealing(LadderStrategy[AnnealingSettings, AnnealingState]):
    """Candidates are the center plus σ·2^j·z; the lowest-loss one is accepted if no worse, or else by chance."""

    name = "annealing"
    summary = "small random steps, some of them uphill, fewer as the temperature falls"
    when = "losses with many local minima, on small networks"
    Settings = AnnealingSettings
    state_type = AnnealingState

    @classmethod
    def resolve(cls, settings: AnnealingSettings, task: Task) -> AnnealingSettings:
        """The settings with a horizon."""
        if settings.horizon is not None:
            return settings
        return structs.replace(settings, horizon=task.rounds or DEFAULT_HORIZON)

    def init(self, weights: Array, seed: int) -> AnnealingState:
        """The state before the first round, with the temperature if given."""
        start = frozen(weights)
        temperature = self.settings.temperature or 0.0
        return AnnealingState(seed, 0, start, self.settings.sigma, Best.unknown(start), temperature)

    def advance(self, state: AnnealingState, result: RoundResult, best: Best) -> AnnealingState:
        """Accept the lowest loss of the others if it is no higher than the center's, or with e^{−Δ/T}; or revert."""
        losses = result.losses
        first = state.first_temperature or SPREAD_SHARE * _spread(losses)
        temperature = self.temperature(first, state.round)
        lowest = lowest_of_others(result)
        chance = uniform(state.seed, Stream.ACCEPTANCE, state.round)
        moves = accepts(float(losses[0]), float(losses[lowest]), temperature, chance)
        return replace(
            state,
            round=state.round + 1,
            center=self.accepted(state, lowest, best) if moves else state.center,
            sigma=self.adapted(state.sigma, losses, self.settings.wanted, margin=temperature),
            best=best,
            first_temperature=first,
        )

    def temperature(self, first: float, round_number: int) -> float:
        """The temperature of a round: geometric, T = T₀·cooling^(round / horizon), even past the horizon."""
        horizon = decided(self.settings.horizon)
        return float(first * self.settings.cooling ** (round_number / horizon))


def accepts(before: float, after: float, temperature: float, chance: float) -> bool:
    """Whether a loss `after` is accepted in place of `before`, given a chance in [0, 1) (Metropolis et al. 1953)."""
    if no_worse(after, before):
        return True
    return math.isfinite(after) and temperature > 0 and chance < math.exp((before - after) / temperature)


def _spread(losses: Losses) -> float:
    """The standard deviation of the finite losses.

    A power of two brings them near 1, so that no square overflows; it changes no bit of the others.
    """
    finite = losses[np.isfinite(losses)]
    exponent = np.frexp(np.abs(finite).max())[1]
    return float(np.ldexp(np.ldexp(finite, -exponent).std(), exponent))
