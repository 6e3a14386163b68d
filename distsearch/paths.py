"""Paths as users write them: in options, settings, files and environment variables, or as Python's path objects."""

import os
import sys
from pathlib import Path

from distsearch.errors import SettingError, brief


def expanded(written: str | os.PathLike[str]) -> str:
    """The path with a `~` or `~name` at its beginning replaced by that home.

    Raises SettingError if there is no such home, or if no file can have this path.
    """
    text = os.fspath(written)
    if "\0" in text:
        raise SettingError(f"expected a path, got {brief(text)}: leave out the zero bytes")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise SettingError(f"expected a path, got {brief(text)}: {not_encodable()}") from None
    path = os.path.expanduser(text)
    if path.startswith("~"):
        home = text.partition(os.sep)[0]
        raise SettingError(
            f"expected a path, got {brief(text)}: there is no home {home}; write ./{text} if the name begins with ~"
        )
    return path


def as_path(written: str | os.PathLike[str]) -> Path:
    """The path, as `expanded` makes it."""
    return Path(expanded(written))


def not_encodable() -> str:
    """What to do about a text that cannot be written, or that came in wrongly decoded."""
    if sys.getfilesystemencoding() == "utf-8":
        return "write it in UTF-8"
    return "this locale is not one of UTF-8, so set LC_ALL=C.UTF-8 or PYTHONUTF8=1"
