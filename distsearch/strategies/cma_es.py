"""CMA-ES: steps are drawn from a normal distribution whose whole covariance is learnt, so that they fit the valley.

Hansen 2016, "The CMA evolution strategy: a tutorial", arXiv 1604.00772: equation numbers are those of the tutorial,
the constants those of its table 1, negative weights included. Restarts with twice the population: IPOP-CMA-ES, Auger
and Hansen 2005, doi 10.1109/CEC.2005.1554902.

The noise z of a round is drawn again on the driver, so that neither steps nor weights ever come up from the workers.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from distsearch.candidates.base import Dense, Space
from distsearch.errors import SettingError
from distsearch.settings import about
from distsearch.strategies.base import (
    LARGEST_SIGMA,
    NOTHING,
    Best,
    PopulationSettings,
    State,
    Strategy,
    Told,
    frozen,
)
from distsearch.strategies.ranks import by_rank

MOST_WEIGHTS = 3000  # a covariance of 72 MB, and seconds for its eigenvectors
SMALLEST_POPULATION = 5  # the center and four to rank
LARGEST_CONDITION = 1e12  # of the covariance; beyond, candidates in float32 do not follow it
IMPROVEMENT = 1e-3  # share of the lowest loss by which it has to fall, or the search stagnates

Array = NDArray[np.float64]


class CmaEsSettings(PopulationSettings, frozen=True):
    """The settings of cma-es."""

    population: (
        Annotated[
            int,
            about(
                "candidates tried each round, the center among them; if not set, 5 + 3 ln n for n weights",
                unit="candidates",
                at_least=2,
            ),
        ]
        | None
    ) = None  # type: ignore[assignment]  # an int once it is resolved
    sigma: (
        Annotated[
            float,
            about(
                "first step size; if not set, 3 / √n, so that steps are of one length in any network",
                above=0,
                below=LARGEST_SIGMA,
            ),
        ]
        | None
    ) = None  # type: ignore[assignment]  # a float once it is resolved
    restart: Annotated[
        bool, about("when the loss stagnates, start again from the first weights with twice the population")
    ] = True


@dataclass(frozen=True, slots=True)
class CmaEsState(State):
    """The normal distribution N(mean, sigma² C), its evolution paths, and how the attempt since the last start goes.

    Candidates are drawn with the eigenvectors of C, which are decomposed now and then: `center`, `basis` and `scales`
    are what workers need.
    """

    population: int
    mean: Array  # (n,); the center is this in float32
    covariance: Array  # C, (n, n)
    basis: NDArray[np.float32]  # B, (n, n), eigenvectors of C as columns
    scales: NDArray[np.float32]  # D, (n,), roots of its eigenvalues
    decomposed: int  # the round for which B and D were made
    path_sigma: Array  # p_σ, (n,)
    path: Array  # p_c, (n,)
    start: NDArray[np.float32]  # (n,), the first weights
    began: int  # the round of the last start
    lowest: float  # loss since then, and its round
    lowest_round: int


@dataclass(frozen=True, slots=True)
class Constants:
    """The tutorial's table 1 for n weights and λ candidates beside the center."""

    weights: Array  # (λ,), of the ranks, negative ones included
    mu_eff: float
    c_sigma: float
    d_sigma: float
    c_c: float
    c_1: float
    c_mu: float
    chi: float  # E‖N(0, I)‖
    gap: int  # rounds from one decomposition to the next
    patience: int  # rounds without improvement, then the search stagnates


@lru_cache(maxsize=8)
def constants(n: int, count: int) -> Constants:
    """The constants for n weights and λ = count candidates beside the center."""
    raw = math.log((count + 1) / 2) - np.log(np.arange(1, count + 1))  # eq. 49
    mu = count // 2
    mu_eff = float(raw[:mu].sum() ** 2 / np.square(raw[:mu]).sum())
    mu_eff_minus = float(raw[mu:].sum() ** 2 / np.square(raw[mu:]).sum())
    c_1 = 2 / ((n + 1.3) ** 2 + mu_eff)  # eq. 57
    c_mu = min(
        1 - c_1, 2 * (1 / 4 + mu_eff + 1 / mu_eff - 2) / ((n + 2) ** 2 + mu_eff)
    )  # eq. 58, with the 1/4 of `cma`
    negative = min(  # eqs. 50 to 52
        1 + c_1 / c_mu, 1 + 2 * mu_eff_minus / (mu_eff + 2), (1 - c_1 - c_mu) / (n * c_mu)
    )
    weights = np.where(raw >= 0, raw / raw[:mu].sum(), raw * negative / -raw[raw < 0].sum())  # eq. 53
    weights.flags.writeable = False
    c_sigma = (mu_eff + 2) / (n + mu_eff + 5)  # eq. 55
    return Constants(
        weights=weights,
        mu_eff=mu_eff,
        c_sigma=c_sigma,
        d_sigma=1 + 2 * max(0, math.sqrt((mu_eff - 1) / (n + 1)) - 1) + c_sigma,
        c_c=(4 + mu_eff / n) / (n + 4 + 2 * mu_eff / n),  # eq. 56
        c_1=c_1,
        c_mu=c_mu,
        chi=math.sqrt(2) * math.exp(math.lgamma((n + 1) / 2) - math.lgamma(n / 2)),
        gap=max(1, math.floor(1 / (10 * n * (c_1 + c_mu)))),  # appendix B.2
        patience=120 + 30 * n // count,  # appendix B.3, Stagnation
    )


class CmaEs(Strategy):
    """Candidates are the mean + σBDz; mean, σ and C = BD²Bᵀ follow the order of the losses."""

    name = "cma-es"
    summary = f"learns which weights go together; for up to {MOST_WEIGHTS} weights"
    when = "functions of up to a few hundred weights that depend on each other"
    Settings = CmaEsSettings
    state_type = CmaEsState

    @classmethod
    def resolved(cls, settings: Any, space: Space) -> Any:
        """The settings with a population. SettingError if there are too many weights for a covariance."""
        n = space.weights_count
        if n > MOST_WEIGHTS:
            raise SettingError(
                f"cma-es learns a covariance of n × n numbers: expected at most {MOST_WEIGHTS} weights, got {n}; "
                "use --strategy snes, which learns a step size for each weight"
            )
        population = 5 + int(3 * math.log(n)) if settings.population is None else settings.population
        if not SMALLEST_POPULATION <= population <= most(n):
            raise SettingError(
                f"cma-es.population: expected {SMALLEST_POPULATION} to {most(n)} for {n} weights "
                f"(with more than 2n it diverges on flat losses), got {population}"
            )
        return structs.replace(settings, population=population, sigma=settings.sigma or 3 / math.sqrt(n))

    def beginning(self, start: NDArray[np.float32]) -> dict[str, Any]:
        """A round distribution around the first weights."""
        return {"start": start, **self._distribution(start, self.settings.population, 0)}

    def _distribution(self, start: NDArray[np.float32], population: int, round_number: int) -> dict[str, Any]:
        """What is known of the distribution when it starts around these weights, (n,), in that round."""
        n = start.size
        zeros = frozen(np.zeros(n))
        return {
            "population": population,
            "mean": frozen(start.astype(np.float64)),
            "covariance": frozen(np.eye(n)),
            "basis": frozen(np.eye(n, dtype=np.float32)),
            "scales": frozen(np.ones(n, np.float32)),
            "decomposed": round_number,
            "path_sigma": zeros,
            "path": zeros,
            "began": round_number,
            "lowest": np.inf,
            "lowest_round": round_number,
        }

    def _restarted(self, state: CmaEsState, population: int, best: Best) -> CmaEsState:
        """The state after this one, started again from the first weights."""
        number = state.round + 1
        distribution = self._distribution(state.start, population, number)
        return replace(state, round=number, center=state.start, sigma=self.settings.sigma, best=best, **distribution)

    def units(self, state: CmaEsState) -> int:  # type: ignore[override]
        """The population, which doubles with every restart."""
        return state.population

    def outgoing(self, state: Any) -> Any:
        """The state as workers need it: of what was learnt, B and D alone."""
        nothing = np.empty(0)
        return replace(
            super().outgoing(state),
            mean=nothing,
            covariance=nothing,
            path_sigma=nothing,
            path=nothing,
            start=NOTHING,
        )

    def ask(self, state: CmaEsState, lo: int, hi: int) -> Dense:  # type: ignore[override]
        """The center, then the center + σBDz, (hi - lo, n)."""
        drawn = self.noise(state, lo, hi)
        # A product for each candidate: stacking them into one would change the last bits with their number.
        weights = np.matmul(state.basis, (drawn * state.scales)[..., np.newaxis])[..., 0]
        weights *= np.float32(state.sigma)
        if lo == 0:
            weights[0] = 0  # candidate 0 is the center
        weights += state.center
        return Dense(weights)

    def advance(self, state: CmaEsState, told: Told, best: Best) -> CmaEsState:  # type: ignore[override]
        """Move the distribution to where the low losses are, or start again if it has stagnated or left all bounds."""
        with np.errstate(all="ignore"):  # what overflows is started again
            moved = self._moved(state, told.losses[1:])
            ended = self._ended(moved)
        lowest = float(told.losses[told.lowest])
        if not self.space.minibatch:  # there losses of different rounds do not compare
            if lowest < state.lowest - IMPROVEMENT * abs(state.lowest) or math.isinf(state.lowest):
                moved = replace(moved, lowest=lowest, lowest_round=state.round)
            patience = constants(state.center.size, state.population - 1).patience
            ended = ended or (self.settings.restart and state.round - moved.lowest_round >= patience)
        if not ended:
            return replace(moved, best=best)
        population = state.population
        if self.settings.restart:
            population = min(2 * population - 1, most(state.center.size))
        return self._restarted(state, population, best)

    def _moved(self, state: CmaEsState, losses: Array) -> CmaEsState:
        """The distribution after the losses of the candidates beside the center, (λ,)."""
        n, count = state.center.size, len(losses)
        c = constants(n, count)
        basis, scales = state.basis.astype(np.float64), state.scales.astype(np.float64)
        z = self.noise(state, 1, count + 1).astype(np.float64)  # (λ, n)
        y = (z * scales) @ basis.T  # (λ, n), ~ N(0, C), eq. 39

        recombination = by_rank(losses, np.maximum(c.weights, 0))  # (λ,)
        step = recombination @ y  # (n,), eq. 41
        mean = state.mean + state.sigma * step  # eq. 42

        # C^(-1/2) y = B z, eq. 43
        path_sigma = (1 - c.c_sigma) * state.path_sigma + math.sqrt(c.c_sigma * (2 - c.c_sigma) * c.mu_eff) * (
            basis @ (recombination @ z)
        )
        length = float(np.linalg.norm(path_sigma))
        sigma = state.sigma * math.exp(min(1.0, c.c_sigma / c.d_sigma * (length / c.chi - 1)))  # eq. 44

        rounds = state.round - state.began + 1
        unbiased = length / math.sqrt(1 - (1 - c.c_sigma) ** (2 * rounds))
        heaviside = float(unbiased < (1.4 + 2 / (n + 1)) * c.chi)  # stalls p_c while σ is far too small
        path = (1 - c.c_c) * state.path + heaviside * math.sqrt(c.c_c * (2 - c.c_c) * c.mu_eff) * step  # eq. 45

        weights = by_rank(losses, c.weights)
        bounded = np.where(weights >= 0, weights, weights * n / np.square(z).sum(axis=1))  # eq. 46
        lost = (1 - heaviside) * c.c_c * (2 - c.c_c)
        covariance = (1 + c.c_1 * lost - c.c_1 - c.c_mu * weights.sum()) * state.covariance  # eq. 47
        learnt = np.vstack([path, y])  # (1 + λ, n)
        covariance += (np.concatenate([[c.c_1], c.c_mu * bounded]) * learnt.T) @ learnt

        following = replace(
            state,
            round=state.round + 1,
            center=frozen(mean.astype(np.float32)),
            sigma=sigma,
            mean=frozen(mean),
            covariance=frozen(covariance),
            path_sigma=frozen(path_sigma),
            path=frozen(path),
        )
        return _decomposed(following) if following.round - state.decomposed >= c.gap else following

    def _ended(self, state: CmaEsState) -> bool:
        """Whether the distribution is of no use any more: too wide, too narrow, too flat, or not finite (B.3)."""
        deviations = state.sigma * np.sqrt(np.diag(state.covariance))  # (n,)
        if not (np.isfinite(state.mean).all() and deviations.max() < LARGEST_SIGMA):  # NaN is not below either
            return True
        if (deviations <= 1e-8 * np.abs(state.mean) + 1e-12 * self.settings.sigma).all():  # float32 does not move
            return True
        return not (state.scales.min() > 0 and (state.scales.max() / state.scales.min()) ** 2 < LARGEST_CONDITION)


def most(n: int) -> int:
    """The largest population for n weights."""
    return 1 + max(2 * n, 4 + int(3 * math.log(n)))


def _decomposed(state: CmaEsState) -> CmaEsState:
    """The state with B and D of its covariance; if there are none, D is zero."""
    try:
        values, vectors = np.linalg.eigh(state.covariance)
        roots = np.sqrt(np.maximum(values, 0))
    except np.linalg.LinAlgError:
        return replace(state, scales=frozen(np.zeros(state.center.size, np.float32)))
    return replace(
        state,
        basis=frozen(vectors.astype(np.float32)),
        scales=frozen(roots.astype(np.float32)),
        decomposed=state.round,
    )
