"""Restarts of cma-es: when an attempt has stagnated, and with what population and step size the next begins.

IPOP doubles the population with every restart (Auger and Hansen 2005, doi 10.1109/CEC.2005.1554902). BIPOP does so too,
but spends as many candidates again on small attempts with small steps (Hansen 2009, doi 10.1145/1570256.1570333).
When to restart: Hansen 2016, "The CMA evolution strategy: a tutorial", arXiv 1604.00772, appendix B.3.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from distsearch.randomness import Stream, uniform

RESTARTS = ("ipop", "bipop", "none")

LONGEST_WINDOW, WINDOW_SHARE = 20_000, 0.2  # rounds; share of the attempt's rounds
COMPARED = 0.3  # share of the window at either end
CHECKED_EVERY = 10  # rounds, as medians take longer than everything else in a round with few weights
ROUNDING = 1e-13  # relative difference up to which losses count as equal

Losses = NDArray[np.float64]

NO_ROUNDS: Losses = np.empty((0, 2))


@dataclass(frozen=True, slots=True)
class Attempt:
    """The search between two starts: how it began, its recent losses, and the cost of the attempts before it."""

    began: int  # its first round
    population: int  # candidates per round, including the center
    sigma: float  # its initial step size, as a multiple of the setting
    small: bool  # whether it is one of BIPOP's small ones
    end: int  # the round before which a small one ends
    large: int  # population of the latest attempt that is not small
    largest: int  # the population limit
    spent_large: int  # candidates of all earlier restarts that were not small
    spent_small: int  # candidates of all earlier small ones
    record: Losses  # (rounds, 2), the lowest and the median loss of each of its latest rounds

    @classmethod
    def first(cls, population: int, largest: int) -> "Attempt":
        """The first attempt of a search."""
        return cls(0, population, 1.0, False, 0, population, largest, 0, 0, NO_ROUNDS)

    def after(self, losses: Losses, round_number: int, n: int) -> "Attempt":
        """The attempt after another round with these losses, (candidates,), in a search over n weights."""
        rounds = round_number + 1 - self.began
        window = max(_shortest_window(n, self.population), min(LONGEST_WINDOW, int(WINDOW_SHARE * rounds)))
        rising = np.sort(np.where(np.isfinite(losses), losses, np.inf))
        record = np.concatenate([self.record[1 - window :], [[rising[0], rising[len(rising) // 2]]]])
        record.flags.writeable = False
        return replace(self, record=record)

    def is_over(self, losses: Losses, round_number: int, n: int) -> bool:
        """Whether it must end after a round with these losses, (candidates,).

        With minibatches, rounds are not recorded, as their losses do not compare; then only small attempts end.
        """
        if self.small and round_number + 1 >= self.end:
            return True
        return len(self.record) > 0 and (self._is_flat(losses, n) or self._stagnates(round_number, n))

    def _is_flat(self, losses: Losses, n: int) -> bool:
        """Whether losses differ only by rounding: those of this round, (candidates,), and recent rounds' lowest ones.

        The tutorial's TolFun, but relative, so that losses may have any scale.
        """
        margin = ROUNDING * abs(float(self.record[-1, 0]))
        if not losses.max() - losses.min() <= margin:
            return False
        rounds = 10 + math.ceil(30 * n / (self.population - 1))
        late = self.record[-rounds:, 0]
        return len(late) == rounds and bool(late.max() - late.min() <= margin)

    def _stagnates(self, round_number: int, n: int) -> bool:
        """Whether neither the lowest nor the median losses have fallen over the window: Stagnation."""
        count = len(self.record)
        if count < _shortest_window(n, self.population) or (round_number - self.began) % CHECKED_EVERY:
            return False
        part = int(COMPARED * count)
        before, after = np.median(self.record[:part], axis=0), np.median(self.record[-part:], axis=0)  # (2,) each
        return bool((after >= before).all())


def following(attempt: Attempt, restarts: str, first: int, seed: int, round_number: int, diverged: bool) -> Attempt:
    """The attempt that follows an ended one and begins in this round; `first` is the very first attempt's population.

    A large population diverges along flat directions, as in a network: after that, no attempt will be as large.
    """
    spent = attempt.population * (round_number - attempt.began)
    after = replace(
        attempt,
        began=round_number,
        sigma=1.0,
        small=False,
        spent_large=attempt.spent_large + (0 if attempt.small or attempt.began == 0 else spent),
        spent_small=attempt.spent_small + (spent if attempt.small else 0),
        record=NO_ROUNDS,
    )
    if restarts == "none":
        return after
    if diverged and not attempt.small:
        after = replace(after, largest=max(first, (attempt.large + 1) // 2))
    if restarts == "bipop" and after.spent_small < after.spent_large:
        return _small(after, first, seed)
    population = min(2 * attempt.large - 1, after.largest)
    return replace(after, population=population, large=population)


def _small(after: Attempt, first: int, seed: int) -> Attempt:
    """A small attempt: λ between the first one and half the large one, at no more than half the large ones' cost.

    λ = λ₁ (λ_large / 2λ₁)^(u²) and σ = σ₁ 10^(−2v), with u and v uniform in [0, 1).
    """
    u, v = (uniform(seed, Stream.RESTARTS, after.began, index) for index in (0, 1))
    others = int((first - 1) * max(1.0, (after.large - 1) / (2 * (first - 1))) ** u**2)
    rounds = max(1, after.spent_large // (2 * (others + 1)))
    return replace(after, population=others + 1, sigma=10 ** (-2 * v), small=True, end=after.began + rounds)


def _shortest_window(n: int, population: int) -> int:
    """The fewest rounds over which losses can be said to stagnate."""
    return 120 + 30 * n // (population - 1)
