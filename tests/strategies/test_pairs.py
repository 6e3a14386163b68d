import pytest

from distsearch.strategies.pairs import pairs_of


def test_unit_0_is_the_center_and_then_come_plus_and_minus_of_each_pair():
    first, last, places, signs = pairs_of(0, 7)
    assert (first, last) == (0, 3)
    assert places.tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert signs.tolist() == [0, 1, -1, 1, -1, 1, -1]


@pytest.mark.parametrize("lo", range(8))
@pytest.mark.parametrize("count", range(1, 8))
def test_any_run_of_units_finds_the_pairs_of_the_whole(lo, count):
    whole, part = pairs_of(0, 20), pairs_of(lo, lo + count)
    assert (part.first + part.places).tolist() == whole.places[lo : lo + count].tolist()
    assert part.signs.tolist() == whole.signs[lo : lo + count].tolist()
    assert part.places.max() < part.last - part.first


def test_no_pair_is_drawn_that_nobody_takes():
    assert pairs_of(5, 9)[:2] == (2, 4)
    assert pairs_of(4, 5)[:2] == (1, 2)
    assert pairs_of(0, 1)[:2] == (0, 1)
