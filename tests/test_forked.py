"""A forked program does what a started one does."""

import signal

import forked
import pytest
from programs import ENVIRONMENT, ran, started
from waiting import PATIENCE

pytestmark = pytest.mark.skipif(not forked.AVAILABLE, reason="programs are not forked here")
SHORT = ("run", "--rounds", "2", "--workers", "0", "--name", "a")


@pytest.mark.parametrize(
    "arguments",
    [("--version",), (), ("nothing",), ("show", "é\udcff"), ("run", "--loss", "mine:broken", *SHORT[1:])],
)
def test_it_says_and_returns_what_a_started_program_does(tmp_path, arguments):
    (tmp_path / "mine.py").write_text("raise ValueError('wrong here')\n")
    forks = ran(*arguments, cwd=tmp_path)
    starts = ran(*arguments, cwd=tmp_path, fresh=True)
    assert (forks.returncode, forks.stdout, forks.stderr) == (starts.returncode, starts.stdout, starts.stderr)


def test_source_is_run_as_by_python_c(tmp_path):
    program = "import sys\nprint(__name__, sys.argv, sys.path[0], sorted(vars()), sys.stdin.read())\n1 / 0"
    forks, starts = (ran("a", "b", cwd=tmp_path, program=program, fresh=fresh) for fresh in (False, True))
    assert (forks.returncode, forks.stdout) == (starts.returncode, starts.stdout)
    assert forks.stderr.splitlines()[-1] == starts.stderr.splitlines()[-1] == "ZeroDivisionError: division by zero"


def test_two_run_at_once_and_one_is_interrupted(tmp_path):
    endless = "import time\nprint('begun', flush=True)\ntime.sleep(1000)"
    environment = {**ENVIRONMENT, "KMP_INIT_AT_FORK": "FALSE"}  # which libraries set
    given = {"cwd": tmp_path, "program": endless, "environment": environment}
    with started(**given) as one, started(**given) as other:
        assert isinstance(one, forked.Program)
        assert [each.stdout.readline() for each in (one, other)] == ["begun\n"] * 2
        one.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in one.communicate(PATIENCE)[1]
        assert (one.poll(), other.poll()) == (-signal.SIGINT, None)
    assert other.returncode == -signal.SIGKILL


def test_what_one_changes_the_next_does_not_see(tmp_path):
    for folder, text in (("a", "1"), ("b", "2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(f"print({text}, flush=True)\nraise ValueError('from {text}')\n")
        done = forked.run(["run", "--loss", "mine:f", *SHORT[1:]], tmp_path / folder, ENVIRONMENT)
        assert done.returncode == 2
        assert f"from {text}" in done.stderr


def test_a_killed_program_has_the_signal_as_its_code_and_the_next_one_runs(tmp_path):
    (tmp_path / "mine.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    assert ran("run", "--loss", "mine:f", *SHORT[1:], cwd=tmp_path).returncode == -signal.SIGKILL
    assert ran("--version", cwd=tmp_path).returncode == 0


def test_a_program_that_hangs_is_killed(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("import time\ntime.sleep(1000)\n")
    monkeypatch.setattr(forked, "PATIENCE", 0.1)
    assert ran("run", "--loss", "mine:f", *SHORT[1:], cwd=tmp_path).returncode == -signal.SIGKILL
