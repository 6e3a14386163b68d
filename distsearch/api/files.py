"""Files that Python users name: their paths, and what is written there."""

import os
from pathlib import Path

from distsearch.errors import SettingError, UserError, brief
from distsearch.runs.files import write_output
from distsearch.text import as_path


def path_of(given: object, what: str) -> Path:
    """The path as a Path, a leading `~` expanded. Raises SettingError, which says `what` it should be of."""
    if not isinstance(given, str | os.PathLike):
        raise SettingError(f"path: expected the path of {what}, got {brief(given)}")
    return as_path(given)


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all. Raises UserError if it cannot be written."""
    try:
        write_output(path, content)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None
