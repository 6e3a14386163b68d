"""Mirrored pairs: unit 0 is the center; units 2p + 1 and 2p + 2 are the center plus and minus the noise of pair p."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Pairs(NamedTuple):
    """Whose noise some units in a row need, and how each of them takes it."""

    first: int  # pair, and the one behind the last
    last: int
    places: NDArray[np.intp]  # (units,), where each unit's noise stands among theirs
    signs: NDArray[np.float32]  # (units,), ±1; 0 for the center, which takes none


def pairs_of(lo: int, hi: int) -> Pairs:
    """The pairs of the units lo to hi; of one at least, whose noise the center does not take."""
    units = np.arange(lo, hi)
    first = max(0, lo - 1) // 2
    signs = np.where(units % 2, np.float32(1), np.float32(-1))
    signs[units == 0] = 0
    return Pairs(first, max(first + 1, hi // 2), np.maximum(units - 1, 0) // 2 - first, signs)
