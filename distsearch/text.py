"""Text from outside: paths and lists as users write them, and control characters that must not act on a terminal."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from distsearch.errors import SettingError, brief

LONGEST_WHOLE = 40  # digits; a longer number stays a word

# All of C0 and C1 except tab and newline; DEL; line separators and bidirectional controls; and lone surrogates, which
# stand for bytes that are not UTF-8.
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def expanded(written: str | os.PathLike[str]) -> str:
    """The path with a leading `~` or `~name` replaced by that home directory.

    Raises SettingError if there is no such home directory, or if no file can have this path.
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
            f"expected a path, got {brief(text)}: there is no home directory {home}; "
            f"write ./{text} if the name begins with ~"
        )
    return path


def as_path(written: str | os.PathLike[str]) -> Path:
    """The path as a Path, expanded by `expanded`."""
    return Path(expanded(written))


def not_encodable() -> str:
    """What to do about a text that cannot be encoded, or that was decoded wrongly."""
    if sys.getfilesystemencoding() == "utf-8":
        return "write it in UTF-8"
    return "this locale is not UTF-8, so set LC_ALL=C.UTF-8 or PYTHONUTF8=1"


def escaped(text: str) -> str:
    """The text with its control characters as Python escapes, such as \\x1b."""
    return _ACTING.sub(lambda found: ascii(found[0])[1:-1], text)


def escaped_in_json(text: str) -> str:
    """JSON text with its control characters as JSON escapes, such as \\u001b."""
    return _ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def words(text: str) -> list[int | str]:
    """The words of a text such as 64,res(conv8x3,conv8x3), with numbers for those that are whole ones."""
    return [int(word) if _is_whole(word) else word for word in listed(text)]


def listed(text: str) -> list[str]:
    """The words of a text, separated by commas: one between brackets is part of a word."""
    found, depth, start = [], 0, 0
    for at, letter in enumerate(f"{text},"):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and (depth <= 0 or at == len(text)):
            found.append(text[start:at].strip())
            start = at + 1
    return found if text.strip() else []


def some_of(names: Sequence[str], most: int) -> str:
    """The first few of some names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def rounds_text(rounds: int) -> str:
    """How many rounds, in words."""
    return f"{rounds:,} round{'' if rounds == 1 else 's'}"


def duration(seconds: float) -> str:
    """A duration in the largest unit that leaves a number above 2: 1.25 s, 17 min, 3.2 h, 12 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if (count := seconds / size) >= 2:
            return f"{count:,.0f} {unit}" if count >= 1000 else f"{count:.3g} {unit}"
    return f"{seconds:.3g} s"


def _is_whole(word: str) -> bool:
    """Whether a word is a whole number that Python will read: it refuses those of thousands of digits."""
    return word.isascii() and word.isdecimal() and len(word) < LONGEST_WHOLE
