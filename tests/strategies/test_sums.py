from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distsearch.strategies.sums import Subtree, merge, total


def leaves(count: int) -> list[Subtree]:
    vectors = np.random.default_rng(count).normal(size=(count, 3)).astype(np.float32) * 1e3
    return [Subtree(0, position, vector) for position, vector in enumerate(vectors)]


@given(count=st.integers(1, 60), cuts=st.sets(st.integers(1, 59)))
def test_the_bits_of_a_sum_do_not_depend_on_how_it_is_divided(count, cuts):
    whole = leaves(count)
    edges = [0, *sorted(cut for cut in cuts if cut < count), count]
    parts = [part for lo, hi in pairwise(edges) for part in merge(whole[lo:hi])]
    assert total(parts).tobytes() == total(whole).tobytes()
    assert total(whole) == pytest.approx(np.sum([leaf.vector for leaf in whole], axis=0, dtype=np.float64), abs=0.1)


@given(cuts=st.sets(st.integers(1, 27)))
def test_ranges_of_the_numbers_may_be_summed_separately(cuts):
    """Seven vectors of four numbers each; a range of numbers may begin and end within a vector."""
    vectors = np.random.default_rng(7).normal(size=(7, 4)).astype(np.float32) * 1e3
    whole = total(Subtree(0, position, vector) for position, vector in enumerate(vectors))
    parts = []
    for lo, hi in pairwise([0, *sorted(cuts), 28]):
        rows = [(row, max(lo, 4 * row) - 4 * row, min(hi, 4 * row + 4) - 4 * row) for row in range(7)]
        parts += merge(Subtree(0, row, vectors[row, first:last], first) for row, first, last in rows if first < last)
    assert total(parts).tobytes() == whole.tobytes()
    assert (
        total(part.within(1, 3) for part in parts if part.start < 3 and part.stop > 1).tobytes() == whole[1:3].tobytes()
    )


def test_a_range_of_vectors_is_passed_on_as_few_sums():
    assert [part[:2] for part in merge(leaves(64))] == [(6, 0)]
    assert [part[:2] for part in merge(leaves(13))] == [(3, 0), (2, 2), (0, 12)]
    assert [part[:2] for part in merge(leaves(13)[3:])] == [(0, 3), (2, 1), (2, 2), (0, 12)]


def test_neighbours_in_different_trees_are_kept_apart():
    one, two = leaves(3)[1:]
    assert merge([one, two]) == (one, two)
