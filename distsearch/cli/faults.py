"""Unforeseen errors: those of the user's own code name its line, and all others are bugs in this program.

The traceback of a bug is written to a file, for the report of it.
"""

import platform
import shlex
import sys
import tempfile
import traceback

from distsearch import __version__
from distsearch.cli.output import say
from distsearch.errors import UserError, brief
from distsearch.errors.attribution import owned, owner

EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h
MOST_SHOWN = 300  # characters of what the user's own code says


def report(error: Exception) -> int:
    """Say what has happened, and return the exit code.

    The traceback of a bug is written to a file that only the user can read.
    """
    if (found := owner(error)) is not None:
        what, place = found
        raised = f"{type(error).__name__}: {' '.join(str(error).split())[:MOST_SHOWN]}"
        say(". ".join([f"distsearch: {what} raised {raised} ({place})", *getattr(error, "__notes__", ())]))
        return UserError.exit_code
    raised = f"{type(error).__name__}: {brief(str(error))}"
    what = f"distsearch: stopped by an internal error ({raised})"
    if others := owned():
        what = f"distsearch: stopped by an error of its own, or of {' or '.join(others)} ({raised})"
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
