"""SIGINT and SIGTERM to a real program, in mid-run: it ends soon, and what it leaves goes on to the same bytes."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest
from processes import alive, awaited, descendants
from searches import contents

pytestmark = pytest.mark.slow

ROUNDS = 250
SETTINGS = ("--data", "digits", "--layers", "16", "--population", "64", "--verbose")
LONGEST = 3.0  # seconds from the signal to the end


@contextmanager
def program(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "distsearch", *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = Timer(120.0, process.kill)  # one that hangs is a failure, and no reason for the tests to hang
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        if process.poll() is None:
            process.kill()
        process.stderr.close()
        process.wait()


def follow_to_round(process: subprocess.Popen[str], number: int) -> None:
    """Read what it says until it has found better weights in that round or a later one."""
    for line in process.stderr:
        if (found := re.match(r"new best weights in round (\d+)", line)) and int(found[1]) >= number:
            return
    raise AssertionError("the search has ended")


def run(folder: Path, workers: str, *limits: str):
    return program(folder, "run", "--workers", workers, "--name", "run", *SETTINGS, *limits)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, object]:
    """The contents of the run that nobody interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    with run(folder, "0", "--rounds", str(ROUNDS)) as process:
        process.stderr.read()
        assert process.wait() == 0
    return contents(folder / "runs" / "run")


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_program_soon_and_the_run_goes_on_to_the_same_bytes(tmp_path, whole, number, workers):
    with run(tmp_path, workers, "--rounds", str(ROUNDS)) as process:
        follow_to_round(process, 10)
        family = descendants(process.pid)
        sent = time.monotonic()
        process.send_signal(number)
        told = process.stderr.read()
        assert process.wait(timeout=60) == 130
        assert time.monotonic() - sent < LONGEST
        assert "interrupted" in told
        assert "Traceback" not in told
        assert not alive(family)
    with program(tmp_path, "resume", "run", "--workers", "0") as process:
        process.stderr.read()
        assert process.wait() == 0
    assert contents(tmp_path / "runs" / "run") == whole


def test_a_storm_of_signals_ends_the_program_as_two_do(tmp_path):
    with run(tmp_path, "0") as process:
        follow_to_round(process, 10)
        for count in range(2000):
            if process.poll() is not None:
                break
            process.send_signal(signal.SIGTERM if count % 3 else signal.SIGINT)
        told = process.stderr.read()
        assert process.wait(timeout=60) == 130
        assert "Traceback" not in told
    with program(tmp_path, "resume", "run", "--workers", "0", "--rounds", "1") as process:
        process.stderr.read()
        assert process.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_the_program_soon_and_leaves_a_whole_checkpoint_and_no_process(tmp_path, number):
    with run(tmp_path, "2") as process:
        follow_to_round(process, 10)
        family = [each for each in descendants(process.pid) if not re.match("ray::.*Agent", each.command)]
        process.send_signal(number)
        awaited((tmp_path / "runs" / "run" / "checkpoint.safetensors").exists)
        sent = time.monotonic()
        process.send_signal(number)
        told = process.stderr.read()
        assert process.wait(timeout=60) == 130
        assert time.monotonic() - sent < LONGEST
        assert "Traceback" not in told
        awaited(lambda: not alive(family), seconds=15)
    with program(tmp_path, "resume", "run", "--workers", "0", "--rounds", "1") as process:
        process.stderr.read()
        assert process.wait() == 0
