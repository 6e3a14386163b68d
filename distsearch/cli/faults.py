"""Unforeseen errors are bugs in this program: their traceback is written to a file, for the bug report."""

import platform
import shlex
import sys
import tempfile
import traceback

from distsearch import __version__
from distsearch.cli.output import say
from distsearch.errors import brief

EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h


def report(error: Exception) -> int:
    """Write the traceback to a file that only the user can read, say where it is, and return the exit code."""
    what = f"distsearch: stopped by an internal error ({type(error).__name__}: {brief(str(error))})"
    text = f"{_circumstances()}\n{''.join(traceback.format_exception(error))}"
    try:
        descriptor, path = tempfile.mkstemp(prefix="distsearch-", suffix=".txt")
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        say(f"{text}{what}: please report it with the lines above")
    else:
        say(f"{what}: please report it with the file {path}")
    return EXIT_CODE


def _circumstances() -> str:
    system = f"Python {platform.python_version()}, {platform.platform()}"
    return f"distsearch {__version__}, {system}\n{shlex.join(['distsearch', *sys.argv[1:]])}\n"
