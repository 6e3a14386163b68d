"""Values by rank: what counts of the losses is their order alone, so that any function of them is searched alike."""

import numpy as np
from numpy.typing import NDArray


def by_rank(losses: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """values, (candidates,), the lowest loss's first, dealt out to the losses, (candidates,).

    Equal losses get the mean of their values: losses that count (0-1 error) are often equal, and whoever came first
    is no better. Losses that are not finite come last.
    """
    comparable = np.where(np.isfinite(losses), losses, np.inf)
    order = np.argsort(comparable, kind="stable")
    rising = comparable[order]
    group = np.concatenate([[0], np.cumsum(rising[1:] != rising[:-1])])  # of equal losses
    means = np.bincount(group, weights=values) / np.bincount(group)
    dealt = np.empty(len(losses))
    dealt[order] = means[group]
    return dealt
