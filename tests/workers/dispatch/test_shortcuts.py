"""When the driver does a sweep itself."""

from itertools import pairwise

import pytest

from distsearch.workers.dispatch.shortcuts import FIRST_RECHECK, HOPELESS, LATEST, LONGEST, RECHECK, Shortcut

MOST = LATEST // 2 + 1  # of the latest sweeps: their median


def asked(there: float, worked: float, sweeps: int = LATEST) -> Shortcut:
    """The shortcut after this many sweeps by the workers."""
    shortcut = Shortcut()
    for _ in range(sweeps):
        assert not shortcut.taken()
        shortcut.answered(there, worked)
    return shortcut


def tried(there: float, worked: float, here: float) -> Shortcut:
    """The shortcut after as many local sweeps as well."""
    shortcut = asked(there, worked)
    for _ in range(LATEST):
        assert shortcut.taken()
        shortcut.done(here)
    return shortcut


def test_it_is_taken_where_the_driver_finishes_before_the_workers_answer():
    assert tried(there=0.003, worked=0.001, here=0.0012).taken()
    assert not tried(there=0.003, worked=0.004, here=0.0035).taken()


def test_it_finds_work_that_is_faster_in_the_driver_than_on_workers():
    """Two workers that share memory and caches take longer together than the driver alone."""
    assert tried(there=0.004, worked=0.0045, here=0.0034).taken()


def test_the_workers_are_asked_first_and_a_single_late_answer_decides_nothing():
    shortcut = asked(there=0.003, worked=0.004, sweeps=LATEST - 1)
    shortcut.answered(1.0, 0.004)
    for _ in range(LATEST):
        shortcut.done(0.0035)
    assert not shortcut.taken()


@pytest.mark.parametrize(("there", "worked"), [(10.0, 1.1 * LONGEST), (0.001, 1.1 * HOPELESS * 0.001)])
def test_work_that_would_occupy_the_driver_for_long_is_not_tried_locally(there, worked):
    assert not asked(there, worked).taken()


def test_work_that_comes_to_occupy_the_driver_for_long_goes_back_to_the_workers():
    shortcut = tried(there=10.0, worked=0.9 * LONGEST, here=0.9 * LONGEST)
    for _ in range(MOST):
        assert shortcut.taken()
        shortcut.done(1.1 * LONGEST)
    assert not shortcut.taken()


def test_the_workers_are_tried_again_several_times_in_a_row_and_used_if_faster():
    shortcut = tried(there=0.003, worked=0.001, here=0.001)
    assert [shortcut.taken() for _ in range(FIRST_RECHECK)] == [True] * (FIRST_RECHECK - 1) + [False]
    for again in range(1, LATEST + 1):
        shortcut.answered(0.0005 if again > 1 else 0.003, 0.001)  # the first one woke them
        assert not shortcut.taken()


def test_the_driver_is_tried_again_several_times_in_a_row_and_used_if_faster():
    shortcut = tried(there=0.003, worked=0.004, here=0.004)
    assert [shortcut.taken() for _ in range(FIRST_RECHECK)] == [False] * (FIRST_RECHECK - 1) + [True]
    for _ in range(LATEST):
        shortcut.done(0.002)
        assert shortcut.taken()


def test_the_slower_way_is_tried_less_and_less_often():
    """Who stays slower by half takes no more than a hundredth of the time in the end."""
    shortcut, trials = tried(there=0.003, worked=0.001, here=0.002), []
    for sweep in range(10 * RECHECK):
        if shortcut.taken():
            shortcut.done(0.002)
        else:
            trials.append(sweep)
            shortcut.answered(0.003, 0.001)
    starts = [sweep for sweep in trials if sweep - 1 not in trials]
    assert len(trials) == LATEST * len(starts)
    distances = [after - before for before, after in pairwise(starts)]
    assert distances == sorted(distances)
    assert distances[0] < 3 * FIRST_RECHECK
    assert RECHECK <= distances[-1] <= RECHECK + LATEST
