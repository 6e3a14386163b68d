"""When the driver does a sweep itself."""

import pytest

from distsearch.workers.dispatch.shortcuts import HOPELESS, LATEST, LONGEST, RECHECK, Shortcut

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


def test_now_and_then_the_workers_are_tried_again_and_used_if_faster():
    shortcut = tried(there=0.003, worked=0.001, here=0.001)
    for _ in range(MOST):
        sweeps = [shortcut.taken() for _ in range(RECHECK)]
        assert sweeps.index(False) == RECHECK - 1
        shortcut.answered(0.0005, 0.001)
    assert not shortcut.taken()


def test_now_and_then_the_driver_is_tried_again_and_used_if_faster():
    shortcut = tried(there=0.003, worked=0.004, here=0.004)
    for _ in range(MOST):
        sweeps = [shortcut.taken() for _ in range(RECHECK)]
        assert sweeps.index(True) == RECHECK - 1
        shortcut.done(0.002)
    assert shortcut.taken()
