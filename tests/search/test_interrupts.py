import os
import signal
import time

import pytest

from distsearch.search.interrupts import Interrupts


def signalled(number: int) -> str:
    os.kill(os.getpid(), number)
    time.sleep(1)
    return "not interrupted"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_action_in_hand_and_all_later_ones(number):
    before = signal.getsignal(number)
    with Interrupts() as interrupts:
        assert interrupts.during(lambda: "done") == "done"
        assert interrupts.during(signalled, number) is None
        assert interrupts.came
        assert interrupts.during(lambda: "done") is None
    assert signal.getsignal(number) is before


def test_between_actions_a_signal_breaks_nothing_off():
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        written = "whole"
    assert written == "whole"
    assert interrupts.came


def test_a_second_signal_ends_the_program():
    with Interrupts(), pytest.raises(KeyboardInterrupt):  # noqa: PT012  (the second of two)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)


def test_errors_of_the_action_pass_through():
    with Interrupts() as interrupts, pytest.raises(ZeroDivisionError):
        interrupts.during(lambda: 1 / 0)


def as_c_code_does() -> None:
    """Signalled when it has just done its work: the exception is there, and so is a result."""
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)
    except BaseException as error:
        raise SystemError("returned a result with an exception set") from error


def test_a_signal_at_the_end_of_a_call_into_c_is_one_all_the_same():
    with Interrupts() as interrupts:
        assert interrupts.during(as_c_code_does) is None
        assert interrupts.came


def test_a_second_signal_at_the_end_of_a_call_into_c_ends_the_program():
    def twice() -> None:
        interrupts.came = True
        as_c_code_does()

    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        interrupts.during(twice)


def test_other_errors_of_the_system_pass_through():
    def broken():
        raise SystemError

    with Interrupts() as interrupts, pytest.raises(SystemError):
        interrupts.during(broken)
