"""Sums of vectors with the same bits however the vectors are distributed.

Floating-point sums depend on their order, so there is only one: vector 0 with 1, 2 with 3, and so on, then those sums
in pairs, and so forth (pairwise summation: Higham 1993, doi 10.1137/0914050). Whoever holds a contiguous range of
vectors adds up all subtrees that lie within it and passes on the rest, one vector per subtree.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Subtree(NamedTuple):
    """The sum of the 2**level vectors from index position · 2**level on; or of a range of their numbers."""

    level: int
    position: int
    vector: NDArray[np.float32]  # (n,), or several rows of n numbers
    start: int = 0  # where the range begins

    @property
    def stop(self) -> int:
        """Where the range ends."""
        return self.start + self.vector.shape[-1]

    def within(self, lo: int, hi: int) -> "Subtree":
        """What lies in the range from lo to hi, as a view."""
        first, last = max(lo, self.start), min(hi, self.stop)
        return self._replace(vector=self.vector[..., first - self.start : last - self.start], start=first)


def merge(subtrees: Iterable[Subtree]) -> tuple[Subtree, ...]:
    """Neighbouring subtrees of the same range, in the order of their vectors, merged into larger ones if possible."""
    stack: list[Subtree] = []
    for right in subtrees:
        while stack and right.position % 2 and _is_left_of(stack[-1], right):
            left = stack.pop()
            right = Subtree(left.level + 1, left.position // 2, left.vector + right.vector, left.start)
        stack.append(right)
    return tuple(stack)


def _is_left_of(left: Subtree, right: Subtree) -> bool:
    same = (right.level, right.position - 1, right.start, right.vector.shape)
    return same == (left.level, left.position, left.start, left.vector.shape)


def total(subtrees: Iterable[Subtree]) -> NDArray[np.float32]:
    """The sum of all vectors, from the lowest number of any of their ranges to the highest.

    Each number is summed beginning with vector 0; subtrees of an incomplete tree are added from the end.
    """
    parts = list(subtrees)
    ends = sorted({end for part in parts for end in (part.start, part.stop)})
    if len(ends) == 2:
        return _total_of_one_range(parts)
    whole = np.empty((*parts[0].vector.shape[:-1], ends[-1] - ends[0]), np.float32)
    for lo, hi in pairwise(ends):
        those = [part.within(lo, hi) for part in parts if part.start <= lo and hi <= part.stop]
        whole[..., lo - ends[0] : hi - ends[0]] = _total_of_one_range(those)
    return whole


def _total_of_one_range(subtrees: Iterable[Subtree]) -> NDArray[np.float32]:
    *rest, last = merge(subtrees)
    whole = last.vector
    for subtree in reversed(rest):
        whole = subtree.vector + whole
    return whole
