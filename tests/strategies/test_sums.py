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
def test_the_bits_of_a_sum_do_not_depend_on_who_adds_up_what(count, cuts):
    whole = leaves(count)
    edges = [0, *sorted(cut for cut in cuts if cut < count), count]
    parts = [part for lo, hi in pairwise(edges) for part in merge(whole[lo:hi])]
    assert total(parts).tobytes() == total(whole).tobytes()
    assert total(whole) == pytest.approx(np.sum([leaf.vector for leaf in whole], axis=0, dtype=np.float64), abs=0.1)


def test_a_run_of_vectors_is_passed_on_as_few_sums():
    assert [part[:2] for part in merge(leaves(64))] == [(6, 0)]
    assert [part[:2] for part in merge(leaves(13))] == [(3, 0), (2, 2), (0, 12)]
    assert [part[:2] for part in merge(leaves(13)[3:])] == [(0, 3), (2, 1), (2, 2), (0, 12)]


def test_neighbours_that_belong_to_different_trees_are_kept_apart():
    one, two = leaves(3)[1:]
    assert merge([one, two]) == (one, two)
