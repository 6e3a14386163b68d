"""CMA-ES: draws steps from a normal distribution whose full covariance is learnt, so that they fit the valley.

Hansen 2016, "The CMA evolution strategy: a tutorial", arXiv 1604.00772, including negative weights; equation numbers
are those of the tutorial. When and how it restarts is in `restarts`.

The candidates of a round are recomputed on the driver, so that workers never send weights.
"""

import math
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from distsearch.candidates.base import Dense
from distsearch.errors import SettingError, unknown
from distsearch.objectives.base import Task
from distsearch.settings import Settings, about
from distsearch.strategies.base import (
    LARGEST_SIGMA,
    NOTHING,
    Best,
    Losses,
    RoundResult,
    State,
    decided,
    frozen,
)
from distsearch.strategies.cma_constants import constants
from distsearch.strategies.population import PopulationStrategy
from distsearch.strategies.ranks import by_rank
from distsearch.strategies.restarts import NO_ROUNDS, RESTARTS, Attempt, following

MOST_WEIGHTS = 3000  # a covariance of 72 MB, and seconds for its eigenvectors
SMALLEST_POPULATION = 5  # the center and four to rank
LARGEST_CONDITION = 1e12  # of the covariance; beyond it, candidates in float32 do not follow the distribution
LARGEST_NOISE = 1 << 24  # numbers drawn per round: 128 MB as float64

Array = NDArray[np.float64]


class CmaEsSettings(Settings, frozen=True):
    """The settings of cma-es."""

    population: (
        Annotated[
            int,
            about(
                "candidates evaluated per round, the center among them; if not set, 5 + 3 ln n for n weights",
                unit="candidates",
                at_least=2,
            ),
        ]
        | None
    ) = None
    sigma: (
        Annotated[
            float,
            about(
                "initial step size; if not set, 3 / √n, so that steps have the same length in any network",
                above=0,
                below=LARGEST_SIGMA,
            ),
        ]
        | None
    ) = None
    restarts: Annotated[
        str,
        about(
            "how to restart from the initial weights when the loss stagnates: ipop (doubling the population), "
            "bipop (alternating with small populations and steps) or none"
        ),
    ] = "ipop"


@dataclass(frozen=True, slots=True)
class CmaEsState(State):
    """The normal distribution N(mean, sigma² C), its evolution paths, and the attempt since the last start.

    Candidates are drawn with the eigenvectors of C, which is decomposed now and then: workers only need `center`,
    `basis` and `scales`.
    """

    mean: Array  # (n,); the center is this in float32
    covariance: Array  # C, (n, n)
    basis: NDArray[np.float32]  # B, (n, n), eigenvectors of C as columns
    scales: NDArray[np.float32]  # D, (n,), square roots of its eigenvalues
    decomposed: int  # the round for which B and D were computed
    path_sigma: Array  # p_σ, (n,)
    path: Array  # p_c, (n,)
    start: NDArray[np.float32]  # (n,), the initial weights
    attempt: Attempt


class CmaEs(PopulationStrategy[CmaEsSettings, CmaEsState]):
    """Candidates are the mean + σBDz; mean, σ and C = BD²Bᵀ adapt to the order of the losses."""

    name = "cma-es"
    summary = f"learns how weights depend on each other; for up to {MOST_WEIGHTS} weights"
    when = "functions of up to a few hundred interdependent weights"
    Settings = CmaEsSettings
    state_type = CmaEsState

    @classmethod
    def resolve(cls, settings: CmaEsSettings, task: Task) -> CmaEsSettings:
        """The settings with a population and a step size. Raises SettingError for too many weights for a covariance."""
        n = task.weights_count
        if n > MOST_WEIGHTS:
            raise SettingError(
                f"cma-es learns a covariance of n × n numbers: expected at most {MOST_WEIGHTS} weights, got {n}; "
                "use --strategy snes, which learns a step size for each weight"
            )
        if settings.restarts not in RESTARTS:
            raise SettingError(unknown("kind of restarts", settings.restarts, RESTARTS))
        population = 5 + int(3 * math.log(n)) if settings.population is None else settings.population
        largest = most(task)
        if not SMALLEST_POPULATION <= population <= largest:
            why = " (where losses tie, more than 2n only wander)" if task.traits.ties else ""
            raise SettingError(
                f"settings.population: expected {SMALLEST_POPULATION} to {largest} for {n} weights{why}, "
                f"got {population}"
            )
        return structs.replace(settings, population=population, sigma=settings.sigma or 3 / math.sqrt(n))

    def init(self, weights: NDArray[np.float32], seed: int) -> CmaEsState:
        """The state before the first round: an isotropic distribution around the initial weights."""
        start, sigma = frozen(weights), decided(self.settings.sigma)
        attempt = Attempt.first(decided(self.settings.population), most(self.task))
        distribution = _isotropic(start, 0)._asdict()
        return CmaEsState(seed, 0, start, sigma, Best.unknown(start), start=start, attempt=attempt, **distribution)

    def units(self, state: CmaEsState) -> int:
        """The population, which restarts change."""
        return state.attempt.population

    def outgoing(self, state: CmaEsState) -> CmaEsState:
        """The state as sent to workers: only B and D of what was learnt."""
        nothing = np.empty(0)
        return replace(
            super().outgoing(state),
            mean=nothing,
            covariance=nothing,
            path_sigma=nothing,
            path=nothing,
            start=NOTHING,
            attempt=replace(state.attempt, record=NO_ROUNDS),
        )

    def ask(self, state: CmaEsState, lo: int, hi: int) -> Dense:
        """The center, then the center + σBDz, (hi - lo, n)."""
        drawn = self.noise(state, lo, hi)
        # One product per candidate: stacked into one, their number would change the last bits.
        weights = np.matmul(state.basis, (drawn * state.scales)[..., np.newaxis])[..., 0]
        weights *= np.float32(state.sigma)
        if lo == 0:
            weights[0] = 0  # candidate 0 is the center
        weights += state.center
        return Dense(weights)

    def advance(self, state: CmaEsState, result: RoundResult, best: Best) -> CmaEsState:
        """Move the distribution towards low losses, or restart if it has stagnated or diverged."""
        with np.errstate(all="ignore"):  # an overflow leads to a restart
            moved = self._move(state, result.losses[1:])
            diverged, useless = _is_divergent(moved), self._is_narrow(moved) or _is_degenerate(moved)
        attempt, n = state.attempt, state.center.size
        if not self.task.minibatch:  # with minibatches, losses of different rounds are not comparable
            attempt = attempt.after(result.losses, state.round, n)
        stagnates = self.settings.restarts != "none" and attempt.is_over(result.losses, state.round, n)
        if diverged or useless or stagnates:
            return self._restart(state, best, diverged)
        return replace(moved, best=best, attempt=attempt)

    def _restart(self, state: CmaEsState, best: Best, diverged: bool) -> CmaEsState:
        """The next state, restarted from the initial weights."""
        number = state.round + 1
        first = decided(self.settings.population)
        attempt = following(state.attempt, self.settings.restarts, first, state.seed, number, diverged)
        return replace(
            state,
            round=number,
            center=state.start,
            sigma=decided(self.settings.sigma) * attempt.sigma,
            best=best,
            attempt=attempt,
            **_isotropic(state.start, number)._asdict(),
        )

    def _move(self, state: CmaEsState, losses: Losses) -> CmaEsState:
        """The distribution after the losses, (λ,), of the candidates besides the center."""
        n, count = state.center.size, len(losses)
        c = constants(n, count)
        basis, scales = state.basis.astype(np.float64), state.scales.astype(np.float64)
        # The steps as evaluated, not as drawn: adding them to the center in float32 rounds them.
        y = (self.ask(state, 1, count + 1).weights - state.mean) / state.sigma  # (λ, n), ~ N(0, C), eq. 39
        z = (y @ basis) / scales  # (λ, n), ~ N(0, I)

        recombination = by_rank(losses, np.maximum(c.weights, 0))  # (λ,)
        step = recombination @ y  # (n,), eq. 41
        mean = state.mean + state.sigma * step  # eq. 42

        # C^(-1/2) y = B z, eq. 43
        path_sigma = (1 - c.c_sigma) * state.path_sigma + math.sqrt(c.c_sigma * (2 - c.c_sigma) * c.mu_eff) * (
            basis @ (recombination @ z)
        )
        length = float(np.linalg.norm(path_sigma))
        sigma = state.sigma * math.exp(min(1.0, c.c_sigma / c.d_sigma * (length / c.chi - 1)))  # eq. 44

        rounds = state.round - state.attempt.began + 1
        unbiased = length / math.sqrt(1 - (1 - c.c_sigma) ** (2 * rounds))
        heaviside = float(unbiased < (1.4 + 2 / (n + 1)) * c.chi)  # stalls p_c while σ is far too small
        path = (1 - c.c_c) * state.path + heaviside * math.sqrt(c.c_c * (2 - c.c_c) * c.mu_eff) * step  # eq. 45

        weights = by_rank(losses, c.weights)
        bounded = np.where(weights >= 0, weights, weights * n / np.maximum(np.square(z).sum(axis=1), 1e-9))  # eq. 46
        lost = (1 - heaviside) * c.c_c * (2 - c.c_c)
        covariance = (1 + c.c_1 * lost - c.c_1 - c.c_mu * weights.sum()) * state.covariance  # eq. 47
        learnt = np.vstack([path, y])  # (1 + λ, n)
        covariance += (np.concatenate([[c.c_1], c.c_mu * bounded]) * learnt.T) @ learnt

        moved = replace(
            state,
            round=state.round + 1,
            center=frozen(mean.astype(np.float32)),
            sigma=sigma,
            mean=frozen(mean),
            covariance=frozen(covariance),
            path_sigma=frozen(path_sigma),
            path=frozen(path),
        )
        return _decompose(moved) if moved.round - state.decomposed >= c.gap else moved

    def _is_narrow(self, state: CmaEsState) -> bool:
        """Whether float32 weights no longer move, or too little to matter (NoEffectCoord and TolX of B.3)."""
        deviations = state.sigma * np.sqrt(np.diag(state.covariance))  # (n,)
        return bool((deviations <= 1e-8 * np.abs(state.mean) + 1e-12 * decided(self.settings.sigma)).all())


def most(task: Task) -> int:
    """The largest population: what memory holds, or 2n where losses tie, whose order then says little."""
    n = task.weights_count
    return 1 + (max(2 * n, 4 + int(3 * math.log(n))) if task.traits.ties else LARGEST_NOISE // n)


class _Distribution(NamedTuple):
    """The fields of the state that define the sampling distribution."""

    mean: Array
    covariance: Array
    basis: NDArray[np.float32]
    scales: NDArray[np.float32]
    decomposed: int
    path_sigma: Array
    path: Array


def _isotropic(start: NDArray[np.float32], round_number: int) -> _Distribution:
    """The initial distribution around these weights, (n,), in that round."""
    n = start.size
    zeros = frozen(np.zeros(n))
    return _Distribution(
        mean=frozen(start.astype(np.float64)),
        covariance=frozen(np.eye(n)),
        basis=frozen(np.eye(n, dtype=np.float32)),
        scales=frozen(np.ones(n, np.float32)),
        decomposed=round_number,
        path_sigma=zeros,
        path=zeros,
    )


def _is_divergent(state: CmaEsState) -> bool:
    """Whether the distribution is too wide or not finite."""
    deviations = state.sigma * np.sqrt(np.diag(state.covariance))  # (n,)
    return not (np.isfinite(state.mean).all() and deviations.max() < LARGEST_SIGMA)  # NaN is not below either


def _is_degenerate(state: CmaEsState) -> bool:
    """Whether the distribution is too flat for candidates in float32 to follow it (ConditionCov of B.3)."""
    return not (state.scales.min() > 0 and (state.scales.max() / state.scales.min()) ** 2 < LARGEST_CONDITION)


def _decompose(state: CmaEsState) -> CmaEsState:
    """The state with B and D of its covariance; if the decomposition fails, D is zero."""
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
