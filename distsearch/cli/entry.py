"""The command line from arguments to exit code, with a sentence for every error."""

import os
import re
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NoReturn

import typer

from distsearch.cli import aliases, logs, streams
from distsearch.cli.app import COMPLETION_VARIABLE, application
from distsearch.cli.completion import begin_at_first_tab
from distsearch.cli.ending import INTERRUPTED_EXIT_CODE, Ending
from distsearch.cli.faults import report
from distsearch.cli.options import spelt_out
from distsearch.cli.output import say
from distsearch.cli.wording import in_flags
from distsearch.errors import DistsearchError, UserError, brief, did_you_mean, near
from distsearch.errors.attribution import owner
from distsearch.workers.place import OPENING, remove_private_folders

# The base class of Typer's own errors, which has no public name in any version.
_CommandLineError: Any = typer.BadParameter.__mro__[2]


def run(ending: Ending) -> NoReturn:
    """Run the command line. Errors are one sentence on stderr; the exit code gives their kind."""
    ending.clean_up = remove_private_folders
    streams.prepare()
    logs.prepare()
    code = _exit_code(sys.argv[1:], ending)
    if code == INTERRUPTED_EXIT_CODE or any(thread.name == OPENING for thread in threading.enumerate()):
        _leave(code)
    sys.exit(code)


def _exit_code(arguments: Sequence[str], ending: Ending) -> int:
    """Run a command line, printing its error, if any; the exit code."""
    try:
        with ending.unwinding():
            code = _run(arguments)
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED_EXIT_CODE
    except Exception as error:  # noqa: BLE001  (each has its sentence)
        # An extension module that is interrupted while it is imported makes an ImportError of it.
        return INTERRUPTED_EXIT_CODE if ending.came else _explain(error, arguments)
    return code


def _explain(error: Exception, arguments: Sequence[str]) -> int:
    """Print an error as a sentence; the exit code."""
    if isinstance(error, DistsearchError):
        return _refuse(in_flags(str(error), arguments), error.exit_code)
    if isinstance(error, _CommandLineError):
        return _refuse(_command_line_sentence(error))
    if isinstance(error, MemoryError):
        return _refuse("there is not enough memory for this: try a smaller network, --batch or --population")
    # Anything without a better sentence elsewhere, such as a folder that may not be entered.
    if isinstance(error, OSError) and error.strerror is not None and owner(error) is None:
        return _refuse(f"cannot use {error.filename or 'a file'}: {error.strerror}")
    return report(error)  # a bug in this program


def _leave(code: int) -> NoReturn:
    """End at once: without Ray's long good-bye, one that is still starting, or signals that are still to come."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # there may be no reader left
            stream.flush()
    remove_private_folders()
    os._exit(code)


def _run(arguments: Sequence[str]) -> int:
    arguments = spelt_out(aliases.understood(arguments))
    command = typer.main.get_command(application(arguments))
    if COMPLETION_VARIABLE in os.environ:  # a shell asks what may come next
        command.main(prog_name="distsearch", complete_var=COMPLETION_VARIABLE)
    try:
        with command.make_context("distsearch", list(arguments) or ["--help"]) as context:
            command.invoke(context)
    except SystemExit:  # as Typer ends when it has installed completion
        begin_at_first_tab()
        raise
    except typer.Exit as ended:
        return ended.exit_code if arguments else UserError.exit_code
    return 0


def _refuse(sentence: str, code: int = UserError.exit_code) -> int:
    say(f"distsearch: {sentence}")
    return code


def _command_line_sentence(error: Any) -> str:
    command = error.ctx.command_path if getattr(error, "ctx", None) else "distsearch"
    if extra := re.search(r"unexpected extra argument.* \((\S+).*\)", error.format_message()):
        if command.split()[-1] in aliases.SETTINGS:
            return f"expected options, got {brief(extra[1])}: type --data before a file to learn from"
        return f"expected nothing more, got {brief(extra[1])}: `{command} --help` shows the options"
    if missing := re.search(r"Missing (?:argument|option) '([^']+)'", error.format_message()):
        shown = "`distsearch list` shows the runs, " if missing[1].rstrip("…") == "RUN" else ""
        return f"expected {missing[1]} after `{command}`: {shown}`{command} --help` shows the options"
    if unknown := re.match(r"No such (option|command):? '?([^\s']+)", error.format_message()):
        return _unknown_sentence(error, command, *unknown.groups())
    message = re.sub(r"^Invalid value for '([^']+)': ", r"\1: ", error.format_message().rstrip("."))
    return f"{message if len(message) <= 200 else message[:199] + '…'}: `{command} --help` shows the options"


def _unknown_sentence(error: Any, command: str, kind: str, name: str) -> str:
    if place := _place(error.ctx, name):
        return f"{name}: expected {place} without an option, as in `{command} {_places(error.ctx)}`"
    options = [option for each in error.ctx.command.params for option in each.opts]
    if (ours := aliases.OPTIONS.get(name, "")) in options:
        meant = did_you_mean([ours])
    else:
        alike = re.findall(r"--[\w-]+|(?<= ')[\w-]+(?=')", error.format_message().partition(name)[2])
        meant = did_you_mean(near(name, alike, 3))
    return f"unknown {kind} {brief(name)}: {meant}`{command} --help` shows the {kind}s"


def _places(context: Any) -> str:
    """What a command expects without options: RUN FILE."""
    return " ".join(each.metavar for each in context.command.params if each.param_type_name == "argument")


def _place(context: Any, option: str) -> str | None:
    """Which of these is meant by an option that there is not: FILE by --data or --file."""
    is_data = "--data" in (option, aliases.OPTIONS.get(option)) or option == "--input"
    called = "FILE" if is_data else option.lstrip("-").upper()
    return called if called in re.findall(r"\w+", _places(context)) else None
