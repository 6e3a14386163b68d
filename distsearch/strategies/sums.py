"""Sums of vectors with the same bits however the vectors are distributed.

Floating-point sums depend on their order, so there is only one: vector 0 with 1, 2 with 3, and so on, then those sums
in pairs, and so forth (pairwise summation: Higham 1993, doi 10.1137/0914050). Whoever holds a contiguous range of
vectors adds up all subtrees that lie within it and passes on the rest, one vector per subtree.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Subtree(NamedTuple):
    """The sum of the 2**level vectors from index position · 2**level on."""

    level: int
    position: int
    vector: NDArray[np.float32]


def merge(subtrees: Iterable[Subtree]) -> tuple[Subtree, ...]:
    """Neighbouring subtrees, in the order of their vectors, merged into larger ones where possible."""
    stack: list[Subtree] = []
    for right in subtrees:
        while stack and right.position % 2 and stack[-1][:2] == (right.level, right.position - 1):
            left = stack.pop()
            right = Subtree(left.level + 1, left.position // 2, left.vector + right.vector)
        stack.append(right)
    return tuple(stack)


def total(subtrees: Iterable[Subtree]) -> NDArray[np.float32]:
    """The sum of all vectors, beginning with vector 0; subtrees of an incomplete tree are added from the end."""
    *rest, last = merge(subtrees)
    whole = last.vector
    for subtree in reversed(rest):
        whole = subtree.vector + whole
    return whole
