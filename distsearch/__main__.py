"""`python -m distsearch` and the command `distsearch`."""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

import typer

from distsearch.cli import logs, streams
from distsearch.cli.app import application
from distsearch.cli.faults import report
from distsearch.cli.output import INTERRUPTED_EXIT_CODE, say
from distsearch.errors import DistsearchError, UserError
from distsearch.workers.place import OPENING

# The errors of Typer itself, whose own base class has a public name in none of its versions.
_CommandLineError: Any = typer.BadParameter.__mro__[2]


class _Ending:
    """What SIGINT and SIGTERM do but where a search notes them: the first unwinds, the second ends at once."""

    def __init__(self) -> None:
        self._came = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self._came:
            os._exit(INTERRUPTED_EXIT_CODE)
        self._came = True
        raise KeyboardInterrupt


def main() -> None:
    """Run the command line. Errors are one sentence on stderr; the exit code says of which kind."""
    ending = _Ending()
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup`, or a shell's background, wants it
            signal.signal(number, ending)
    streams.prepare()
    logs.prepare()
    code = _exit_code(sys.argv[1:])
    if code == INTERRUPTED_EXIT_CODE or any(thread.name == OPENING for thread in threading.enumerate()):
        _leave(code)
    sys.exit(code)


def _exit_code(arguments: Sequence[str]) -> int:
    """The exit code of a command line, whose error, if any, has been printed."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except DistsearchError as error:
        return _refused(str(error), error.exit_code)
    except _CommandLineError as error:
        return _refused(_about_the_command_line(error))
    except MemoryError:
        return _refused("there is not enough memory for this: try a smaller network, --batch or --population")
    except OSError as error:  # what no room has a better sentence for, such as a folder that may not be entered
        if error.strerror is None:
            return report(error)
        return _refused(f"cannot use {error.filename or 'a file'}: {error.strerror}")
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT_CODE
    except Exception as error:  # noqa: BLE001  (whatever is left is a fault of this program)
        return report(error)
    return code


def _leave(code: int) -> NoReturn:
    """End at once: without Ray's long good-bye, one that is still starting, or signals that are still to come."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody may be reading any more
            stream.flush()
    os._exit(code)


def _run(arguments: Sequence[str]) -> int:
    command = typer.main.get_command(application(arguments))
    try:
        with command.make_context("distsearch", list(arguments) or ["--help"]) as context:
            command.invoke(context)
    except typer.Exit as ended:
        return ended.exit_code if arguments else UserError.exit_code
    return 0


def _refused(sentence: str, code: int = UserError.exit_code) -> int:
    say(f"distsearch: {sentence}")
    return code


def _about_the_command_line(error: Any) -> str:
    command = error.ctx.command_path if getattr(error, "ctx", None) else "distsearch"
    message = error.format_message().rstrip(".")
    return f"{message if len(message) <= 200 else message[:199] + '…'}: `{command} --help` shows what there is"


if __name__ == "__main__":
    main()
