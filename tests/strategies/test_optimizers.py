import numpy as np
import pytest

from distsearch.strategies.optimizers import OPTIMIZERS, Moments


def changed(name: str, moments: Moments, gradient, rate: float, count: int) -> tuple[np.ndarray, Moments]:
    """The change, and the moments after it."""
    after = Moments.empty(len(gradient))
    return OPTIMIZERS[name].change(moments, np.array(gradient, np.float32), rate, count, after), after


def test_adam_matches_the_paper():
    weights, moments = np.array([1.0, -2.0], np.float32), Moments.zero(2)
    first = second = np.zeros(2)
    expected = weights.astype(np.float64)
    for number in range(5):
        gradient = np.array([0.3 * (number + 1), -1.0 + number], np.float32)
        change, moments = changed("adam", moments, gradient, 0.1, number + 1)
        weights = weights - change
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient.astype(np.float64) ** 2
        mean, square = first / (1 - 0.9 ** (number + 1)), second / (1 - 0.999 ** (number + 1))
        expected = expected - 0.1 * mean / (np.sqrt(square) + 1e-8)
        assert weights == pytest.approx(expected, rel=1e-4)


def test_momentum_accumulates():
    change, moments = changed("momentum", Moments.zero(1), [2.0], 0.1, 1)
    assert change == pytest.approx([0.1 * 0.2])
    assert changed("momentum", moments, [0.0], 0.1, 2)[0] == pytest.approx([0.1 * 0.18])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_change_is_a_new_array_and_the_inputs_stay_unchanged(name):
    gradient = np.array([2.0, -1.0], np.float32)
    before, moments = Moments.zero(2), Moments.empty(2)
    change = OPTIMIZERS[name].change(before, gradient, 0.1, 1, moments)
    kept = moments.first.tobytes(), moments.second.tobytes()
    change += 1  # as weight decay does
    assert (moments.first.tobytes(), moments.second.tobytes()) == kept
    assert gradient.tolist() == [2, -1]
    assert not before.first.any()
    assert not before.second.any()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_nothing_changes_without_a_gradient(name):
    assert changed(name, Moments.zero(2), [0.0, 0.0], 0.1, 1)[0].tolist() == [0, 0]


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("rate", [1e-25, 1e-29, 1e-38, 1e-45, 1e-300])
def test_a_tiny_rate_changes_nothing_into_no_number(name, rate):
    moments, gradient = Moments.zero(2), np.array([0, 1], np.float32)
    for count in range(1, 4):
        after = Moments.empty(2)
        change = OPTIMIZERS[name].change(moments, gradient, rate, count, after)
        assert np.abs(change).max() <= 1e-24
        moments = after


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_nothing_changes_once_a_schedule_has_brought_the_rate_to_zero(name):
    change, moments = changed(name, Moments.zero(2), [0.0, 3.0], 0.0, 1)
    assert change.tolist() == [0, 0]
    assert moments.first[1] == pytest.approx(0.3)
