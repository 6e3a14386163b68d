import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distsearch.randomness import Stream, noise, permutation, signs, uniform


@given(
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**40),
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(1, 70),
)
def test_any_range_of_candidates_is_a_slice_of_the_whole(seed, round_number, lo, more, width):
    whole = noise(seed, Stream.CANDIDATES, round_number, 0, lo + more, width)
    part = noise(seed, Stream.CANDIDATES, round_number, lo, lo + more, width)
    assert part.shape == (more, width)
    assert part.dtype == np.float32
    assert part.tobytes() == whole[lo:].tobytes()


@given(st.integers(0, 50), st.integers(0, 9), st.integers(1, 9), st.sampled_from([64, 128, 192]))
def test_any_rows_of_signs_are_a_slice_of_the_whole(index, lo, more, width):
    whole = signs(3, Stream.SIGNS, 1, index, 0, lo + more, width)
    part = signs(3, Stream.SIGNS, 1, index, lo, lo + more, width)
    assert (part.shape, part.dtype) == ((more, width), np.float32)
    assert part.tobytes() == whole[lo:].tobytes()


def test_signs_are_balanced_and_independent_between_rows_and_tables():
    tables = np.array([signs(1, Stream.SIGNS, 0, index, 0, 500, 128) for index in range(2)], np.float64)
    assert set(np.unique(tables)) == {-1, 1}
    assert abs(tables.mean()) < 4 / np.sqrt(tables.size)
    assert abs((tables[0] * tables[1]).mean()) < 4 / np.sqrt(tables[0].size)
    assert abs((tables[:, 1:] * tables[:, :-1]).mean()) < 4 / np.sqrt(tables.size)
    assert abs((tables[..., 1:] * tables[..., :-1]).mean()) < 4 / np.sqrt(tables.size)


def test_noise_is_normal():
    drawn = noise(1, Stream.CANDIDATES, 0, 0, 1000, 1000).astype(np.float64).ravel()
    assert abs(drawn.mean()) < 4 / 1000
    assert abs(drawn.var() - 1) < 4 * np.sqrt(2) / 1000
    assert abs((drawn**4).mean() - 3) < 0.04
    share_above_two = (drawn > 2).mean()
    assert share_above_two == pytest.approx(0.02275, rel=0.03)


def test_the_table_is_the_same_on_every_machine():
    drawn = noise(7, Stream.CANDIDATES, 3, 0, 4, 5)
    assert drawn[3].tolist() == pytest.approx(EXPECTED, abs=0)
    assert zlib.crc32(noise(0, Stream.START, 0, 0, 64, 1024).tobytes()) == CHECKSUM


EXPECTED = [
    0.046354182064533234,
    1.8015928268432617,
    1.8392924070358276,
    -2.075079917907715,
    -0.657421350479126,
]
CHECKSUM = 1556549993


@pytest.mark.parametrize(
    "other",
    [(1, 0, 0), (0, 1, 0), (0, 0, 1), (2**63, 0, 0), (0, 0, 2**33)],
    ids=["seed", "stream", "round", "large seed", "large round"],
)
def test_seed_stream_and_round_each_change_the_noise(other):
    first, second = noise(0, 0, 0, 0, 1, 4096)[0], noise(*other, 0, 1, 4096)[0]
    correlation = float(first @ second) / 4096
    assert abs(correlation) < 5 / 64


def test_neighbouring_candidates_are_independent():
    drawn = noise(0, Stream.CANDIDATES, 0, 0, 64, 4096)
    products = drawn @ drawn.T / 4096
    assert abs(products - np.diag(np.diag(products))).max() < 5.5 / 64


def test_a_permutation_holds_every_number_once_and_depends_on_the_round():
    first, second = permutation(0, Stream.SPLIT, 0, 100), permutation(0, Stream.SPLIT, 1, 100)
    assert sorted(first) == list(range(100))
    assert first.tolist() != second.tolist()


def test_uniform_numbers_are_uniform_and_depend_on_seed_round_and_index():
    rounds = np.array([uniform(0, Stream.ACCEPTANCE, number) for number in range(2000)])
    indices = np.array([uniform(0, Stream.ACCEPTANCE, 0, index) for index in range(2000)])
    for drawn in (rounds, indices):
        assert 0 <= drawn.min() < 0.01 < 0.99 < drawn.max() < 1
        assert drawn.mean() == pytest.approx(0.5, abs=4 * np.sqrt(1 / 12 / 2000))
    assert rounds[0] == indices[0]
    assert not np.isin(rounds[1:], indices).any()
    assert uniform(1, Stream.ACCEPTANCE, 0) != rounds[0]
