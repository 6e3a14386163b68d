import numpy as np
import pytest

from distsearch.strategies.ranks import Ranks, by_rank, centered_ranks

VALUES = np.array([4.0, 2, 1, 0])


def test_the_lowest_loss_gets_the_first_value():
    losses = np.array([7.0, 1, 9, 3])
    assert by_rank(losses, VALUES).tolist() == Ranks(VALUES)(losses).tolist() == [1, 4, 0, 2]


def test_centered_ranks_run_from_minus_a_half_for_the_lowest_loss_to_a_half():
    assert centered_ranks(5)(np.array([7.0, 1, 9, 3, 8])).tolist() == [0, -0.5, 0.5, -0.25, 0.25]


def test_equal_losses_get_the_mean_of_their_values():
    assert by_rank(np.array([3.0, 1, 3, 3]), VALUES).tolist() == [1, 4, 1, 1]
    assert by_rank(np.full(4, 5.0), VALUES).tolist() == [1.75] * 4


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf])
def test_non_finite_losses_come_last(missing):
    assert by_rank(np.array([missing, 1, 9, missing]), VALUES).tolist() == [0.5, 4, 2, 0.5]
