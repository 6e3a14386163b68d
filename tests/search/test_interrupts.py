import os
import signal
import time
from collections.abc import Iterator

import pytest
from waiting import PATIENCE, awaited

from distsearch.search.interrupts import Interrupts, passed_on


def signalled(number: int) -> str:
    os.kill(os.getpid(), number)
    time.sleep(PATIENCE)
    return "not interrupted"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_action_in_hand_and_all_later_ones(number):
    before = signal.getsignal(number)
    with Interrupts() as interrupts:
        assert interrupts.during(lambda: "done") == "done"
        assert interrupts.during(signalled, number) is None
        assert interrupts.came == number
        assert interrupts.during(lambda: "done") is None
        with pytest.raises(KeyboardInterrupt):
            interrupts.begin(lambda: "done")
    assert signal.getsignal(number) is before


def test_between_actions_a_signal_breaks_nothing_off():
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGINT)
        awaited("the signal", lambda: interrupts.came)
        written = "whole"
    assert written == "whole"
    assert interrupts.came


def test_a_signal_that_the_caller_ignores_stays_ignored():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGTERM)
            assert interrupts.during(lambda: "done") == "done"
        assert interrupts.came is None
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_what_has_to_begin_is_broken_off_by_a_signal():
    with Interrupts() as interrupts:
        assert interrupts.begin(lambda: "done") == "done"
        with pytest.raises(KeyboardInterrupt):
            interrupts.begin(signalled, signal.SIGTERM)


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """The signals that a handler of the program's own has been given."""
    numbers: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda number, frame: numbers.append(number))
    yield numbers
    for number, handler in before.items():
        signal.signal(number, handler)


def test_from_the_second_on_signals_go_where_they_went_before(heard):
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        awaited("the first signal", lambda: interrupts.came)
        for count, number in enumerate((signal.SIGINT, signal.SIGTERM), 1):
            os.kill(os.getpid(), number)
            awaited("a later signal", lambda count=count: len(heard) == count)
    assert heard == [signal.SIGINT, signal.SIGTERM]


def test_code_that_is_called_passes_a_signal_on_at_its_end(heard):
    with passed_on() as interrupts:
        assert interrupts.during(signalled, signal.SIGTERM) is None
        assert heard == []
    assert heard == [signal.SIGTERM]
    with passed_on():
        pass
    assert heard == [signal.SIGTERM]


def test_a_handler_that_was_not_set_from_python_is_left_alone(monkeypatch):
    monkeypatch.setattr(signal, "getsignal", {signal.SIGINT: signal.SIG_DFL}.get)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGTERM)
            assert not interrupts.came
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_errors_of_the_action_pass_through():
    with Interrupts() as interrupts, pytest.raises(ZeroDivisionError):
        interrupts.during(lambda: 1 / 0)


def as_c_code_does() -> None:
    """Signalled when it has just done its work: the exception is there, and so is a result."""
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(PATIENCE)
    except BaseException as error:
        raise SystemError("returned a result with an exception set") from error


def test_a_signal_at_the_end_of_a_call_into_c_is_one_all_the_same():
    with Interrupts() as interrupts:
        assert interrupts.during(as_c_code_does) is None
        assert interrupts.came


def test_a_second_signal_at_the_end_of_a_call_into_c_ends_the_program():
    def twice() -> None:
        interrupts.came = signal.SIGINT
        as_c_code_does()

    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        interrupts.during(twice)


def test_other_errors_of_the_system_pass_through():
    def broken():
        raise SystemError

    with Interrupts() as interrupts, pytest.raises(SystemError):
        interrupts.during(broken)
