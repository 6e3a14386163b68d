from dataclasses import replace

import numpy as np
import pytest

from distsearch.randomness import Stream, uniform
from distsearch.strategies.restarts import LONGEST_WINDOW, Attempt, following

N, POPULATION = 10, 11
WINDOW = 120 + 30 * N // (POPULATION - 1)


def after_rounds(losses: list[tuple[float, float]], attempt: Attempt | None = None) -> tuple[Attempt, list[int]]:
    """The attempt after rounds whose losses span each pair of numbers, and the rounds in which it is over."""
    attempt, over = attempt or Attempt.first(POPULATION, 10_000), []
    for number, (lowest, highest) in enumerate(losses):
        each = np.linspace(lowest, highest, attempt.population)
        attempt = attempt.after(each, number, N)
        if attempt.is_over(each, number, N):
            over.append(number)
    return attempt, over


def test_losses_that_have_not_fallen_over_the_window_are_stagnation():
    assert after_rounds([(1.0, 2.0)] * (WINDOW - 1))[1] == []
    assert after_rounds([(1.0, 2.0)] * (WINDOW + 10))[1] == [WINDOW]  # 150: it is looked at in every tenth round


def test_it_continues_while_the_lowest_or_the_median_loss_falls_however_little():
    rounds = np.arange(300)
    assert after_rounds([(500 - 1e-9 * number, 600) for number in rounds])[1] == []
    assert after_rounds([(500, 600 - 1e-9 * number) for number in rounds])[1] == []
    assert after_rounds([(500 + 1e-9 * number, 600) for number in rounds])[1] != []


def test_medians_are_compared_so_that_one_lucky_round_does_not_count():
    losses = [(1.0, 2.0)] * (WINDOW + 1)
    losses[-3] = (0.1, 2.0)
    assert after_rounds(losses)[1] == [WINDOW]


def test_the_first_and_the_last_three_tenths_of_the_window_are_compared():
    """With halves, the first 75 rounds, 52 of which are low, would be better than the last."""
    lowest = [1.0] * 23 + [0.1] * 52 + [2.0] * 30 + [0.9] * 46
    assert len(lowest) == WINDOW + 1
    assert after_rounds([(each, 3.0 - number / 100) for number, each in enumerate(lowest)])[1] == []


def test_a_long_attempt_is_judged_by_its_latest_fifth():
    attempt, over = after_rounds([(1000.0 - number, 2000.0 - number) for number in range(1000)])
    assert over == []
    assert len(attempt.record) == 200
    assert attempt.record[:, 0] == pytest.approx(1000.0 - np.arange(800, 1000))
    later = replace(attempt, began=-(10**6)).after(np.linspace(1, 2, POPULATION), 1000, N)
    assert len(later.record) == 201
    full = replace(later, record=np.zeros((LONGEST_WINDOW, 2))).after(np.linspace(1, 2, POPULATION), 1001, N)
    assert len(full.record) == LONGEST_WINDOW


def test_non_finite_losses_come_last():
    losses = np.array([np.nan, 3.0, np.inf, 2.0, -np.inf])
    assert Attempt.first(5, 10).after(losses, 0, N).record.tolist() == [[2.0, np.inf]]
    losses = np.array([np.nan, 3.0, 1.0, 2.0, -np.inf])
    assert Attempt.first(5, 10).after(losses, 0, N).record.tolist() == [[1.0, 3.0]]


@pytest.mark.parametrize(("apart", "ends"), [(1e-12, True), (1e-9, False)])
def test_losses_equal_up_to_rounding_end_it_soon(apart, ends):
    rounds = 10 + 30 * N // (POPULATION - 1)
    assert after_rounds([(100.0, 100.0 + apart)] * (rounds - 1))[1] == []
    assert (after_rounds([(100.0, 100.0 + apart)] * rounds)[1] == [rounds - 1]) == ends
    falling = [(100.0 + 1e-9 * (rounds - number), 200) for number in range(rounds - 1)] + [(100.0, 100.0)]
    assert after_rounds(falling)[1] == []


def test_ipop_doubles_the_population_up_to_the_maximum():
    attempt = Attempt.first(POPULATION, 70)
    found = []
    for number in range(5):
        attempt = following(attempt, "ipop", POPULATION, 0, 100 * (number + 1), diverged=False)
        found.append(attempt.population)
        assert (attempt.began, attempt.sigma, attempt.small, len(attempt.record)) == (100 * (number + 1), 1, False, 0)
    assert found == [21, 41, 70, 70, 70]


def test_without_restarts_the_population_stays_the_same():
    attempt = following(Attempt.first(POPULATION, 1000), "none", POPULATION, 0, 7, diverged=True)
    assert (attempt.population, attempt.began, attempt.largest) == (POPULATION, 7, 1000)


def test_a_population_that_has_diverged_is_halved_for_good():
    attempt = Attempt.first(POPULATION, 1000)
    for number, (diverged, expected) in enumerate(
        [(False, 21), (False, 41), (False, 81), (True, 41), (False, 41), (True, 21), (True, 11), (True, 11)]
    ):
        attempt = following(attempt, "ipop", POPULATION, 0, 10 * (number + 1), diverged)
        assert attempt.population == expected


def test_bipop_makes_small_attempts_while_they_have_cost_less_than_the_large_ones():
    attempt, number, seen = Attempt.first(POPULATION, 10**6), 0, []
    cost = {True: 0, False: 0}
    for _ in range(40):
        rounds = min(50, attempt.end - attempt.began) if attempt.small else 50
        if attempt.began:
            cost[attempt.small] += rounds * attempt.population
        number += rounds
        attempt = following(attempt, "bipop", POPULATION, 5, number, diverged=False)
        assert (attempt.spent_small, attempt.spent_large) == (cost[True], cost[False])
        assert attempt.small == (cost[True] < cost[False])
        if attempt.small:
            u, v = (uniform(5, Stream.RESTARTS, number, index) for index in (0, 1))
            large = max(1.0, (attempt.large - 1) / 20)
            assert attempt.population == 1 + int(10 * large ** (u * u))
            assert attempt.sigma == pytest.approx(10 ** (-2 * v))
            assert 0 < (attempt.end - attempt.began) * attempt.population <= max(cost[False] / 2, attempt.population)
        seen.append(attempt.small)
    assert seen[0] is False
    assert 5 < sum(seen) < 35


def test_a_small_attempt_ends_after_its_rounds_even_without_recorded_losses():
    attempt = replace(Attempt.first(POPULATION, 100), began=10, small=True, end=15)
    losses = np.ones(POPULATION)
    assert [attempt.is_over(losses, number, N) for number in (10, 13, 14)] == [False, False, True]
    assert not replace(attempt, small=False).is_over(losses, 99, N)
