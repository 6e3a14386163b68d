"""Internal errors have an exit code of their own, a file with the traceback and a sentence."""

import os
import re
import stat
from pathlib import Path

import pytest
from programs import SHORT, ran

from distsearch.cli import faults


def failing(error: str) -> str:
    """A Python script that runs the program with an error in every command's first step."""
    return (
        "from distsearch.cli import app, records\n"
        f"def fail(*arguments, **options): raise {error}\n"
        "records.stored_run = app._settings = fail\n"
        "from distsearch.__main__ import main; main()"
    )


@pytest.mark.parametrize(
    "error",
    [
        "KeyError('a \\x1b[31m')",
        "RecursionError('deep')",
        "EOFError()",
        "BrokenPipeError('x')",
        "AssertionError('y' * 999)",
    ],
)
@pytest.mark.parametrize("command", [("verify", "a"), ("run", *SHORT)])
def test_an_internal_error_has_its_own_exit_code_and_its_traceback_is_kept_in_a_file(tmp_path, error, command):
    done = ran(*command, cwd=tmp_path, program=failing(error), variables={"TMPDIR": str(tmp_path)})
    assert done.returncode == faults.EXIT_CODE == 70
    found = re.fullmatch(
        r"distsearch: stopped by an internal error \((.{1,120})\): please report it with the file (.*)\n",
        done.stderr,
    )
    assert found, done.stderr
    assert found[1].startswith(error.partition("(")[0])
    assert "\x1b" not in done.stderr
    path = Path(found[2])
    assert path.parent == tmp_path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert "Traceback (most recent call last)" in text
    assert "in fail" in text
    assert f"distsearch {command[0]}" in text
    assert "Python 3." in text


def test_without_room_for_the_file_the_traceback_is_printed(tmp_path):
    program = "import tempfile\ntempfile.tempdir = '/dev/full'\n" + failing("KeyError('a')")
    done = ran("verify", "a", cwd=tmp_path, program=program)
    assert done.returncode == 70
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("please report it with the lines above\n")


def test_an_operating_system_error_is_not_an_internal_error(tmp_path):
    error = "PermissionError(13, 'Permission denied', 'a\\x1b[31m')"
    done = ran("verify", "a", cwd=tmp_path, program=failing(error), variables={"TMPDIR": str(tmp_path)})
    assert (done.returncode, done.stderr) == (2, "distsearch: cannot use a\\x1b[31m: Permission denied\n")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_an_interrupt_that_a_library_makes_another_error_of_is_one(tmp_path, number):
    program = (
        "import os, signal\n"
        "from distsearch.cli import records\n"
        "def fail(*arguments):\n"
        f"    try: os.kill(os.getpid(), signal.{number}); signal.pause()\n"
        "    except KeyboardInterrupt: raise ImportError('multiarray failed to import') from None\n"
        "records.stored_run = fail\n"
        "from distsearch.__main__ import main; main()"
    )
    done = ran("verify", "a", cwd=tmp_path, program=program)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("module", ["distsearch.cli.entry", "typer"])
def test_an_interrupt_while_the_program_itself_is_imported_ends_it_without_a_word(tmp_path, number, module):
    program = (
        "import os, runpy, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(name, path, target=None):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), signal.{number}); signal.pause()\n"
        "sys.meta_path.insert(0, Finder)\n"
        "runpy.run_module('distsearch', run_name='__main__')"
    )
    done = ran("list", cwd=tmp_path, program=program, fresh=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
