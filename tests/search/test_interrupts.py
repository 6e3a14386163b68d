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
def test_a_signal_ends_the_current_action_and_all_later_ones(number):
    before = signal.getsignal(number)
    with Interrupts() as interrupts:
        assert interrupts.during(lambda: "done") == "done"
        assert interrupts.during(signalled, number) is None
        assert interrupts.came == number
        assert interrupts.during(lambda: "done") is None
        with pytest.raises(KeyboardInterrupt):
            interrupts.begin(lambda: "done")
    assert signal.getsignal(number) is before


def test_a_signal_between_actions_interrupts_nothing():
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


def test_a_signal_interrupts_preparations():
    with Interrupts() as interrupts:
        assert interrupts.begin(lambda: "done") == "done"
        with pytest.raises(KeyboardInterrupt):
            interrupts.begin(signalled, signal.SIGTERM)


@pytest.fixture
def received() -> Iterator[list[int]]:
    """The signals that the program's own handler has received."""
    numbers: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda number, frame: numbers.append(number))
    yield numbers
    for number, handler in before.items():
        signal.signal(number, handler)


def test_from_the_second_on_signals_go_to_the_previous_handler(received):
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        awaited("the first signal", lambda: interrupts.came)
        for count, number in enumerate((signal.SIGINT, signal.SIGTERM), 1):
            os.kill(os.getpid(), number)
            awaited("a later signal", lambda count=count: len(received) == count)
    assert received == [signal.SIGINT, signal.SIGTERM]


def test_a_library_call_passes_the_signal_on_when_it_ends(received):
    with passed_on() as interrupts:
        assert interrupts.during(signalled, signal.SIGTERM) is None
        assert received == []
    assert received == [signal.SIGTERM]
    with passed_on():
        pass
    assert received == [signal.SIGTERM]


def test_a_handler_not_set_from_python_is_left_alone(monkeypatch):
    monkeypatch.setattr(signal, "getsignal", {signal.SIGINT: signal.SIG_DFL}.get)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGTERM)
            assert not interrupts.came
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_exceptions_of_the_action_pass_through():
    with Interrupts() as interrupts, pytest.raises(ZeroDivisionError):
        interrupts.during(lambda: 1 / 0)


def as_c_code_does() -> None:
    """Signalled just after its work is done: both the exception and a result exist."""
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(PATIENCE)
    except BaseException as error:
        raise SystemError("returned a result with an exception set") from error


def test_a_signal_at_the_end_of_a_c_call_counts():
    with Interrupts() as interrupts:
        assert interrupts.during(as_c_code_does) is None
        assert interrupts.came


def test_a_second_signal_at_the_end_of_a_c_call_ends_the_program():
    def twice() -> None:
        interrupts.came = signal.SIGINT
        as_c_code_does()

    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        interrupts.during(twice)


def test_other_system_errors_pass_through():
    def broken():
        raise SystemError

    with Interrupts() as interrupts, pytest.raises(SystemError):
        interrupts.during(broken)
