"""SIGINT and SIGTERM sent to a real program during a run: it ends, and what it leaves resumes to the same bytes."""

import os
import re
import signal
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from processes import alive, descendants
from programs import Program, started
from searches import contents, search
from waiting import LONGEST_LIFE, PATIENCE, awaited

from distsearch.runs.directory import StoredRun

pytestmark = pytest.mark.slow

SETTINGS = ("--data", "digits", "--layers", "16", "--strategy", "hill-climb", "--population", "64", "--verbose")
ENDLESS = ("--rounds", "1000000000")


def program(folder: Path, *arguments: str, **variables: str) -> AbstractContextManager[Program]:
    return started(*arguments, cwd=folder, environment={**os.environ, **variables})


def ended(process: Program, code: int = 0) -> str:
    """The program's output until it ends, which has to be with this exit code."""
    told = process.stderr.read()
    assert process.wait(PATIENCE) == code, told
    assert "Traceback" not in told
    return told


def follow_to_round(process: Program, number: int) -> None:
    """Read its output until it has found better weights in that round or a later one."""
    for line in process.stderr:
        if (found := re.match(r"new best weights in round (\d+)", line)) and int(found[1]) >= number:
            return
    raise AssertionError("the search has ended")


def run(folder: Path, workers: str, *limits: str):
    return program(folder, "run", "--workers", workers, "--name", "run", *SETTINGS, *limits)


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_program_and_the_run_resumes_to_the_same_bytes(tmp_path, number, workers):
    with run(tmp_path, workers, *ENDLESS) as process:
        follow_to_round(process, 10)
        family = descendants(process.pid)
        process.send_signal(number)
        assert "interrupted" in ended(process, 130)
        assert not alive(family)
    with program(tmp_path, "resume", "run", "--workers", "0", "--rounds", "5") as process:
        ended(process)
    path = tmp_path / "runs" / "run"
    whole, _ = search(
        tmp_path / "whole",
        data="digits",
        layers=[16],
        strategy="hill-climb",
        population=64,
        rounds=StoredRun(path).rounds,
    )
    assert contents(path) == contents(whole.path)


STUCK = """
import os, sys, time, distsearch

def stuck(weights):
    if weights.any():
        open(os.path.join({folder!r}, str(os.getpid())), "w").close()
        time.sleep({longest})
    return 0.0

distsearch.minimize(stuck, [0.0], workers={workers})
"""


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_does_not_wait_for_the_current_round(tmp_path, number, workers):
    """The first round never ends, so the program can only end by abandoning it."""
    script = STUCK.format(folder=str(tmp_path), workers=workers, longest=10 * LONGEST_LIFE)
    with started(cwd=tmp_path.parent, program=script) as process:
        awaited("a call that does not return", lambda: any(tmp_path.iterdir()))
        family = descendants(process.pid)
        process.send_signal(number)
        told = process.stderr.read()
        assert process.wait(PATIENCE) != 0
        assert ("KeyboardInterrupt" in told) == (number == signal.SIGINT)
        awaited("all of its processes to end", lambda: not alive(family))


@pytest.mark.parametrize("signals", [1, 2])
def test_a_signal_while_ray_starts_leaves_no_token(tmp_path, temporary, signals):
    """The search ends while its workers are being started."""
    slow = ("--data", "digits", "--layers", "512", "--strategy", "hill-climb", "--population", "256", *ENDLESS)
    with program(tmp_path, "run", "--runs", "kept", *slow, TMPDIR=str(temporary)) as process:
        awaited("a token", lambda: list(temporary.glob("distsearch-ray-*/token")))
        for _ in range(signals):
            process.send_signal(signal.SIGINT)
        ended(process, 130)
    assert list(temporary.iterdir()) == []


def test_a_storm_of_signals_ends_the_program_like_two(tmp_path):
    with run(tmp_path, "0", *ENDLESS) as process:
        follow_to_round(process, 10)
        for count in range(2000):
            if process.poll() is not None:
                break
            process.send_signal(signal.SIGTERM if count % 3 else signal.SIGINT)
        ended(process, 130)
    with program(tmp_path, "resume", "run", "--workers", "0", "--rounds", "1") as process:
        ended(process)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_the_program_and_leaves_a_whole_checkpoint_and_no_process(tmp_path, number):
    with run(tmp_path, "2", *ENDLESS) as process:
        follow_to_round(process, 10)
        family = [each for each in descendants(process.pid) if not re.match("ray::.*Agent", each.command)]
        process.send_signal(number)
        awaited("the checkpoint", (tmp_path / "runs" / "run" / "checkpoint.safetensors").exists)
        process.send_signal(number)
        ended(process, 130)
        awaited("all of its processes to end", lambda: not alive(family))
    with program(tmp_path, "resume", "run", "--workers", "0", "--rounds", "1") as process:
        ended(process)
