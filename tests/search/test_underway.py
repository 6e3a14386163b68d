"""Rounds that take long: observers hear how far they are, and the user beforehand how long each takes."""

import pytest

from distsearch.search import underway
from distsearch.search.observers import Observer
from distsearch.search.underway import Underway


class Told(Observer):
    def __init__(self):
        self.parts = []

    def within(self, part):
        self.parts.append(part)


@pytest.fixture
def clock(monkeypatch):
    """Sets the time."""
    now = [0.0]
    monkeypatch.setattr(underway.time, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, seconds)


def rounds(clock, limited, *lengths):
    """What is heard of rounds of 1000 units that take so many seconds each."""
    told, began = Told(), 100.0
    clock(began)
    heard = Underway(told, began, limited)
    for length in lengths:
        for answered in range(1000):
            clock(began + length * answered / 1000)
            heard(answered, 1000)
        began += length
    return told.parts


def test_short_rounds_are_not_heard_of(clock, said):
    assert rounds(clock, False, *[0.9] * 5) == []
    assert said == []


def test_how_far_a_long_round_is_and_how_long_it_still_takes_is_heard_a_few_times_a_second(clock, said):
    parts = rounds(clock, False, 0.5, 10.0)
    assert 30 < len(parts) < 40
    assert parts[0].share == pytest.approx(0.1)
    for part in parts:
        assert part.left == pytest.approx(10 * (1 - part.share))
        assert part.seconds == pytest.approx(0.5 + 10 * part.share)
    assert said == []


def test_that_rounds_take_minutes_is_said_once_and_early(clock, said):
    rounds(clock, False, 3000.0, 3000.0)
    assert said == ["a round takes about 50 min: smaller ones decide sooner, and a limit of seconds holds within them"]


def test_whoever_has_limited_the_seconds_is_not_told(clock, said):
    assert rounds(clock, True, 3000.0)
    assert said == []


def test_the_first_units_which_take_longer_do_not_count(clock, said):
    told = Told()
    heard = Underway(told, 0.0, limited=False)
    for seconds, answered in ((0, 0), (600, 1), (601, 11), (602, 21), (603, 31), (604, 41)):
        clock(seconds)
        heard(answered, 1041)
    assert [part.left for part in told.parts] == [None, *map(pytest.approx, (103, 102, 101, 100))]
    assert said == [
        "a round takes about 11.7 min: smaller ones decide sooner, and a limit of seconds holds within them"
    ]
