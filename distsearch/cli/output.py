"""Printing and writing for all commands; Rich is imported inside, so that --help is instant."""

import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distsearch.cli import streams
from distsearch.errors import UserError
from distsearch.runs import files
from distsearch.text import escaped, escaped_in_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import RenderableType

    from distsearch.cli.console import PlainConsole


def check_output(path: Path) -> None:
    """Raise UserError if a file cannot be written there, before any work is done for it."""
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a folder; add a file name")
    if not path.parent.is_dir():
        raise UserError(f"cannot write {path}: {path.parent} is not a folder")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UserError(f"cannot write {path}: permission denied")


def check_suffix(option: str, path: Path, *suffixes: str) -> None:
    """UserError if a file to be written has none of the suffixes, or cannot be written; `option` named it."""
    if path.suffix.lower() not in suffixes:
        raise UserError(f"{option}: expected a file ending in {suffixes[0]}, got {path.name!r}")
    check_output(path)


def write(path: Path, content: "bytes | Iterable[bytes]") -> None:
    """Write a file that the user asked for, whole or not at all. Raises UserError if it cannot be written."""
    try:
        files.write_output(path, content)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None


def new_console(stderr: bool = False, quiet: bool = False) -> "PlainConsole":
    """A console on stdout or stderr; a quiet one prints nothing, and of the log warnings alone are shown."""
    from distsearch.cli.console import PlainConsole

    if quiet:
        hush()
    return PlainConsole(stderr, quiet)


def hush() -> None:
    """Show only warnings of the library's log from now on."""
    logging.getLogger("distsearch").setLevel(logging.WARNING)


def say(sentence: str) -> None:
    """Print a sentence on stderr."""
    sys.stderr.write(f"{escaped(sentence)}\n")
    sys.stderr.flush()


def print_parts(*parts: "RenderableType") -> None:
    """Print texts and tables on stdout."""
    console = new_console()
    for part in parts:
        console.print(part)


def print_columns(lines_of: "Callable[[int], list[str]]") -> None:
    """Print a heading and lines on stdout, made for a terminal of that many characters; elsewhere without a limit."""
    console = new_console()
    heading, *lines = lines_of(console.width if console.is_terminal else sys.maxsize)
    console.print(heading, style="bold", soft_wrap=True)
    print_text("".join(f"{line}\n" for line in lines))


def print_text(text: str) -> None:
    """Print data on stdout, unchanged in a file or pipe; on a terminal with control characters as escapes."""
    streams.put(text, sys.stdout)


def print_json(document: Any) -> None:
    """Print a document as strict JSON, alone on stdout."""
    import msgspec

    from distsearch.runs import documents

    try:
        text = msgspec.json.format(documents.encode(document)).decode()
    except UnicodeEncodeError:  # file names with bytes that are not UTF-8
        text = json.dumps(documents.named(msgspec.to_builtins(document)), indent=2)
    print_text(f"{escaped_in_json(text)}\n")
