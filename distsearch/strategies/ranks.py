"""Fitness shaping by rank: only the order of the losses counts, so any monotone function of them is searched alike."""

import numpy as np
from numpy.typing import NDArray

Losses = NDArray[np.float64]


class Ranks:
    """Gives each loss a utility by its rank; `utilities`, (candidates,), are the lowest loss's first."""

    def __init__(self, utilities: Losses) -> None:
        self.utilities = utilities

    def __call__(self, losses: Losses) -> Losses:
        """The utilities of the losses, (candidates,)."""
        return by_rank(losses, self.utilities)


def centered_ranks(count: int) -> Ranks:
    """Utilities from −½ for the lowest loss to ½ (Salimans et al. 2017, arXiv 1703.03864)."""
    return Ranks(np.linspace(-0.5, 0.5, count))


def by_rank(losses: Losses, values: Losses) -> Losses:
    """values, (candidates,), the lowest loss's first, assigned to the losses, (candidates,).

    Equal losses get the mean of their values: losses that count (0–1 error) are often equal, and coming first is no
    merit. Losses that are not finite come last.
    """
    comparable = np.where(np.isfinite(losses), losses, np.inf)
    order = np.argsort(comparable, kind="stable")
    rising = comparable[order]
    group = np.concatenate([[0], np.cumsum(rising[1:] != rising[:-1])])  # of equal losses
    means = np.bincount(group, weights=values) / np.bincount(group)
    dealt = np.empty(len(losses))
    dealt[order] = means[group]
    return dealt
