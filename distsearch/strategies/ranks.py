"""Fitness shaping by rank: only the order of losses counts, so the search is invariant to monotone transformations."""

import numpy as np
from numpy.typing import NDArray

Losses = NDArray[np.float64]


class Ranks:
    """Maps each loss to a utility by its rank; `utilities`, (candidates,), begin with the lowest loss's."""

    def __init__(self, utilities: Losses) -> None:
        self.utilities = utilities

    def __call__(self, losses: Losses) -> Losses:
        """The utilities of the losses, (candidates,)."""
        return by_rank(losses, self.utilities)


def centered_ranks(count: int) -> Ranks:
    """Utilities from −½ for the lowest loss to ½ (Salimans et al. 2017, arXiv 1703.03864)."""
    return Ranks(np.linspace(-0.5, 0.5, count))


def by_rank(losses: Losses, values: Losses) -> Losses:
    """The values, (candidates,), given from the lowest loss's on, in the order of the losses, (candidates,).

    Equal losses get the mean of their values: losses that count errors (0–1 error) are often equal, and having a lower
    index is no merit. Non-finite losses come last.
    """
    comparable = np.where(np.isfinite(losses), losses, np.inf)
    order = np.argsort(comparable, kind="stable")
    rising = comparable[order]
    group = np.concatenate([[0], np.cumsum(rising[1:] != rising[:-1])])  # of equal losses
    means = np.bincount(group, weights=values) / np.bincount(group)
    dealt = np.empty(len(losses))
    dealt[order] = means[group]
    return dealt
