import math

import numpy as np
import pytest

from distsearch.errors import SettingError
from distsearch.strategies.optimizers import Moments, OptimizerSettings, rate_of, step


def settings(**values) -> OptimizerSettings:
    return OptimizerSettings(**values).resolved_for(0.1, values.get("horizon"))


def test_adam_goes_its_published_way():
    weights, moments = np.array([1.0, -2.0], np.float32), Moments.zero(2)
    first = second = np.zeros(2)
    expected = weights.astype(np.float64)
    for number in range(5):
        gradient = np.array([0.3 * (number + 1), -1.0 + number], np.float32)
        weights, moments = step(settings(), moments, weights, gradient, number)
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient.astype(np.float64) ** 2
        mean, square = first / (1 - 0.9 ** (number + 1)), second / (1 - 0.999 ** (number + 1))
        expected = expected - 0.1 * mean / (np.sqrt(square) + 1e-8)
        assert weights == pytest.approx(expected, rel=1e-4)
    assert not weights.flags.writeable
    assert not moments.first.flags.writeable


def test_momentum_remembers_and_decay_shrinks():
    weights = np.array([1.0], np.float32)
    chosen = settings(optimizer="momentum", decay=0.5)
    after, moments = step(chosen, Moments.zero(1), weights, np.array([2.0], np.float32), 0)
    assert after == pytest.approx([1 - 0.1 * 0.2 - 0.1 * 0.5 * 1])
    again, _ = step(chosen, moments, after, np.array([0.0], np.float32), 1)
    assert again == pytest.approx(after - 0.1 * 0.18 - 0.05 * after)


def test_a_cosine_falls_from_the_rate_to_nothing_and_stays_there():
    chosen = settings(schedule="cosine", horizon=100)
    rates = [rate_of(chosen, number) for number in (0, 50, 100, 150)]
    assert rates == pytest.approx([0.1, 0.05, 0, 0])
    assert rate_of(settings(), 1000) == 0.1


def test_what_is_left_open_is_chosen_and_what_is_given_kept():
    assert OptimizerSettings().resolved_for(0.02, 30).rate == 0.02
    assert OptimizerSettings(rate=0.5, horizon=7).resolved_for(0.02, 30) == OptimizerSettings(rate=0.5, horizon=7)
    assert OptimizerSettings(schedule="cosine").resolved_for(0.02, 30).horizon == 30


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"schedule": "cosin"}, "unknown schedule 'cosin': did you mean 'cosine'"),
        ({"optimizer": "adman"}, "unknown optimizer 'adman': did you mean 'adam'"),
        ({"schedule": "cosine"}, "how many rounds there are to be: give --rounds or --horizon"),
        ({"sigma_schedule": "cosine"}, "or take the schedule plateau .seconds do not tell"),
    ],
)
def test_what_does_not_fit_is_named(values, sentence):
    with pytest.raises(SettingError, match=sentence):
        OptimizerSettings(**values).resolved_for(0.1, None)


def test_no_step_is_taken_where_there_is_no_gradient():
    weights = np.array([1.0, 2.0], np.float32)
    after, _ = step(settings(), Moments.zero(2), weights, np.zeros(2, np.float32), 0)
    assert after.tolist() == weights.tolist()
    assert math.isfinite(after.sum())
