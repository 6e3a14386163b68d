from dataclasses import replace

import numpy as np
import pytest
from msgspec.structs import replace as replace_settings

from distsearch.errors import SettingError
from distsearch.strategies.base import Best, frozen
from distsearch.strategies.descent import Descent, DescentSettings, DescentState, resolve
from distsearch.strategies.optimizers import OPTIMIZERS, Moments
from distsearch.strategies.schedules import Plateau


def descent(**values) -> Descent:
    """With a rate of 0.1 and a first step size of 0.2."""
    return Descent(resolve(DescentSettings(**values), 0.1, values.get("horizon")), 0.2)


def state_of(*weights: float) -> DescentState:
    center = frozen(np.array(weights, np.float32))
    return DescentState(0, 0, center, 0.2, Best.unknown(center), Moments.zero(len(weights)), Plateau())


def step(following: Descent, state: DescentState, *gradient: float) -> DescentState:
    return following.step(state, np.array(gradient, np.float32).__getitem__, state.best)


def test_momentum_accumulates_and_decay_shrinks():
    following = descent(optimizer="momentum", decay=0.5)
    after = step(following, state_of(1.0), 2.0)
    assert after.center == pytest.approx([1 - 0.1 * 0.2 - 0.1 * 0.5 * 1])
    again = step(following, after, 0.0)
    assert again.center == pytest.approx(after.center - 0.1 * 0.18 - 0.05 * after.center)


def test_a_step_is_the_optimizer_s_change_for_its_round():
    """Adam corrects its moments by the number of gradients so far, the first being that of round 0."""
    following, state, moments = descent(), state_of(1.0, -2.0), Moments.zero(2)
    expected = state.center
    for number in range(3):
        gradient = np.array([0.3 * (number + 1), -1.0 + number], np.float32)
        after = Moments.empty(2)
        change = OPTIMIZERS["adam"].change(moments, gradient, 0.1, number + 1, after)
        moments = after
        expected = expected - change
        state = following.step(state, gradient.__getitem__, state.best)
        assert state.center.tobytes() == expected.tobytes()
        assert state.round == number + 1


def test_a_step_leaves_the_previous_state_unchanged_and_returns_read_only_weights():
    before = state_of(1.0, -2.0)
    best = Best(before.center, 0.5, 0, 0)
    after = descent(decay=0.5).step(before, np.array([1.0, 1.0], np.float32).__getitem__, best)
    assert before.center.tolist() == [1, -2]
    assert not before.moments.first.any()
    assert not after.center.flags.writeable
    assert not after.moments.first.flags.writeable
    assert after.best is best


def test_a_cosine_schedule_falls_from_the_rate_to_zero_and_stays_there():
    falling = descent(schedule="cosine", horizon=100)
    assert [falling.rate(number) for number in (0, 50, 100, 150)] == pytest.approx([0.1, 0.05, 0, 0])
    assert descent().rate(1000) == 0.1
    assert descent().sigma(1000) == falling.sigma(50) == 0.2


def test_a_horizon_is_of_rounds_of_which_each_may_have_several_local_ones():
    settings = resolve(DescentSettings(schedule="cosine", sigma_schedule="cosine", horizon=100), 0.1, None)
    apart = Descent(settings, 0.2, local_rounds=10)
    assert apart.rate(500) == pytest.approx(0.05)
    assert apart.rate(1000) == pytest.approx(0)
    before = replace(state_of(1.0), round=50, plateau=Plateau(1.0, 0, 0, 9))
    following = Descent(replace_settings(settings, plateau_rounds=10), 0.2, local_rounds=10)
    after = following.measured(before, 1.0)
    assert (after.plateau.count, after.sigma) == (1, pytest.approx(0.1))


def test_settings_left_out_are_chosen_and_those_given_are_kept():
    chosen = resolve(DescentSettings(), 0.02, 30, 0.1)
    assert (chosen.rate, chosen.plateau_rounds, chosen.decay, chosen.decay_growth) == (0.02, None, 0.1, None)
    assert resolve(DescentSettings(sigma_schedule="plateau", decay_growth=2.0), 0.02, None).plateau_rounds == 100
    given = DescentSettings(rate=0.5, horizon=7, plateau_rounds=9, decay=0.0, decay_growth=1.5)
    assert resolve(given, 0.02, 30, 0.1, 1.2) == given
    assert resolve(DescentSettings(schedule="cosine"), 0.02, 30).horizon == 30


def test_a_decay_that_was_chosen_may_grow_and_one_that_is_given_does_not_by_itself():
    chosen = resolve(DescentSettings(), 0.02, None, 0.1, 1.2)
    assert (chosen.decay_growth, chosen.plateau_rounds) == (1.2, 2500)
    assert resolve(chosen, 0.02, None) == chosen
    assert resolve(DescentSettings(decay=0.1), 0.02, None, 0.1, 1.2).decay_growth is None
    given = resolve(DescentSettings(decay=0.1, decay_growth=2.0), 0.02, None)
    assert (given.decay_growth, given.plateau_rounds) == (2.0, 2500)


def test_the_decay_grows_at_plateaus_of_the_loss_twelve_times_at_most():
    growing = descent(optimizer="momentum", decay=0.5, decay_growth=2.0, plateau_rounds=2)
    state = state_of(1.0)
    for number, loss in enumerate([3.0, 2.0, 2.0, 1.0, 1.0, 1.0]):
        state = growing.after(replace(state, round=number), loss)
    assert state.plateau.count == 1
    assert step(growing, state, 0.0).center == pytest.approx([1 - 0.1 * 1.0])
    assert growing.decay(12) == growing.decay(10**6) == 0.5 * 2**12
    assert descent(decay=0.5).after(state, 5.0) is state


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"schedule": "cosin"}, "unknown schedule 'cosin': did you mean 'cosine'"),
        ({"optimizer": "adman"}, "unknown optimizer 'adman': did you mean 'adam'"),
        ({"schedule": "cosine"}, "needs to know the number of rounds: give --rounds or --horizon"),
        ({"sigma_schedule": "cosine"}, "or use the schedule plateau .with --seconds alone"),
    ],
)
def test_invalid_settings_are_named(values, sentence):
    with pytest.raises(SettingError, match=sentence):
        resolve(DescentSettings(**values), 0.1, None)


def test_no_step_is_taken_without_a_gradient():
    before = state_of(1.0, 2.0)
    assert step(descent(), before, 0.0, 0.0).center.tolist() == before.center.tolist()
