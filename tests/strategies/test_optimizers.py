import math

import numpy as np
import pytest

from distsearch.strategies.optimizers import OPTIMIZERS, Adam, Moments, Momentum


def test_adam_goes_its_published_way():
    weights, moments = np.array([1.0, -2.0], np.float32), Moments.zero(2)
    first = second = np.zeros(2)
    expected = weights.astype(np.float64)
    for number in range(5):
        gradient = np.array([0.3 * (number + 1), -1.0 + number], np.float32)
        change, moments = Adam().change(moments, gradient, 0.1, number + 1)
        weights = weights - change
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient.astype(np.float64) ** 2
        mean, square = first / (1 - 0.9 ** (number + 1)), second / (1 - 0.999 ** (number + 1))
        expected = expected - 0.1 * mean / (np.sqrt(square) + 1e-8)
        assert weights == pytest.approx(expected, rel=1e-4)


def test_momentum_remembers():
    change, moments = Momentum().change(Moments.zero(1), np.array([2.0], np.float32), 0.1, 1)
    assert change == pytest.approx([0.1 * 0.2])
    assert Momentum().change(moments, np.array([0.0], np.float32), 0.1, 2)[0] == pytest.approx([0.1 * 0.18])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_moments_cannot_be_written_to_and_the_change_is_an_array_of_its_own(name):
    gradient = np.array([2.0, -1.0], np.float32)
    before = Moments.zero(2)
    change, moments = OPTIMIZERS[name].change(before, gradient, 0.1, 1)
    kept = moments.first.tobytes(), moments.second.tobytes()
    change += 1  # as weight decay does
    assert (moments.first.tobytes(), moments.second.tobytes()) == kept
    assert not moments.first.flags.writeable
    assert not moments.second.flags.writeable
    assert gradient.tolist() == [2, -1]
    assert not before.first.any()
    assert not before.second.any()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_nothing_changes_where_there_is_no_gradient(name):
    change, _ = OPTIMIZERS[name].change(Moments.zero(2), np.zeros(2, np.float32), 0.1, 1)
    assert change.tolist() == [0, 0]
    assert math.isfinite(change.sum())
