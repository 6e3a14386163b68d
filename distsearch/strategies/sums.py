"""Sums of vectors that come to the same bits however the vectors are shared out.

Floating-point sums depend on their order, so there is but one: vector 0 with 1, 2 with 3, and so on, then the sums of
two likewise, then of four (pairwise summation: Higham 1993, doi 10.1137/0914050). Whoever has a run of vectors adds up
all subtrees that lie within it and passes on what is left, one vector for each.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Subtree(NamedTuple):
    """The sum of the 2**level vectors from position · 2**level on."""

    level: int
    position: int
    vector: NDArray[np.float32]


def joined(subtrees: Iterable[Subtree]) -> tuple[Subtree, ...]:
    """Neighbouring subtrees, in the order of their vectors, added up as far as they make up larger ones."""
    stack: list[Subtree] = []
    for right in subtrees:
        while stack and right.position % 2 and stack[-1][:2] == (right.level, right.position - 1):
            left = stack.pop()
            right = Subtree(left.level + 1, left.position // 2, left.vector + right.vector)
        stack.append(right)
    return tuple(stack)


def total(subtrees: Iterable[Subtree]) -> NDArray[np.float32]:
    """The sum of all vectors, from 0 on: what is no whole tree is added from its end."""
    *rest, last = joined(subtrees)
    whole = last.vector
    for subtree in reversed(rest):
        whole = subtree.vector + whole
    return whole
