"""When the driver does a sweep by itself."""

from distsearch.workers.dispatch.shortcuts import LATEST, LONGEST, RECHECK, Shortcut

MOST = LATEST // 2 + 1  # of the latest: their median


def asked(there: float, worked: float, sweeps: int = LATEST) -> Shortcut:
    shortcut = Shortcut()
    for _ in range(sweeps):
        assert not shortcut.taken()
        shortcut.answered(there, worked)
    return shortcut


def test_it_is_taken_where_the_work_is_over_before_the_workers_have_answered():
    assert asked(there=0.003, worked=0.001).taken()
    assert not asked(there=0.003, worked=0.004).taken()


def test_the_workers_are_asked_first_and_a_single_late_answer_decides_nothing():
    shortcut = asked(there=0.003, worked=0.004, sweeps=LATEST - 1)
    shortcut.answered(1.0, 0.004)
    assert not shortcut.taken()


def test_work_that_would_keep_the_driver_busy_for_long_goes_to_the_workers():
    assert asked(there=10.0, worked=0.9 * LONGEST).taken()
    assert not asked(there=10.0, worked=1.1 * LONGEST).taken()


def test_work_that_takes_longer_here_than_the_workers_said_goes_back_to_them():
    shortcut = asked(there=0.003, worked=0.001)
    for _ in range(MOST):
        assert shortcut.taken()
        shortcut.done(0.005)
    assert not shortcut.taken()


def test_now_and_then_the_workers_are_asked_again_and_taken_back_when_they_are_faster():
    shortcut = asked(there=0.003, worked=0.001)
    for _ in range(MOST):
        sweeps = [shortcut.taken() for _ in range(RECHECK)]
        assert sweeps.index(False) == RECHECK - 1
        shortcut.answered(0.0005, 0.001)
    assert not shortcut.taken()
