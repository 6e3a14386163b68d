"""Whose code has raised an error: where in the user's own, or in another package's, it stood."""

import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_OURS = f"{Path(__file__).parents[1]}/"
_FRAME = re.compile(r'File "([^"\n]+)", line (\d+)')

_owners: dict[str, list[str]] = {}


class Place(NamedTuple):
    """A line of a file."""

    file: str
    line: int | None

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}"


def owns(file: str, what: str) -> None:
    """Remember what of the user's own comes from a file, such as "the strategy mine:MyStrategy"."""
    known = _owners.setdefault(file, [])
    if what not in known:
        known.append(what)


def owned() -> list[str]:
    """All that `owns` was told of."""
    return [what for known in _owners.values() for what in known]


def owner(error: BaseException) -> tuple[str, Place] | None:
    """What has raised an error, of that which `owns` was told of, and where; None if it was none of that."""
    for place in reversed(list(_places(error))):
        if known := _owners.get(place.file):
            return " or ".join(known), place
    return None


def called(error: BaseException) -> str:
    """Where a function stood that we have called: the innermost of its own file's lines, in brackets, or nothing."""
    places = [place for place in _of_traceback(error) if not _is_ours(place.file)]
    own = [place for place in places if place.file == places[0].file]
    return f" ({own[-1]})" if own else ""


def _is_ours(file: str) -> bool:
    """Whether a file is one of ours, or of what imports modules."""
    return file.startswith((_OURS, "<frozen importlib")) or file.endswith("/importlib/__init__.py")


def _places(error: BaseException) -> Iterator[Place]:
    """The lines that led to an error, the outermost first; those on a worker are in the text of Ray's error."""
    yield from _of_traceback(error)
    if error.__cause__ is not None and type(error.__cause__).__name__.startswith("RayTaskError"):
        for file, line in _FRAME.findall(str(error.__cause__)):
            yield Place(file, int(line))


def _of_traceback(error: BaseException) -> Iterator[Place]:
    for frame in traceback.extract_tb(error.__traceback__):
        yield Place(frame.filename, frame.lineno)
