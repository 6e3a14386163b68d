"""The library names settings as the command line does; here its sentences are put into the words of Python."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from distsearch.config import SECTIONS, options
from distsearch.errors import DistsearchError

# A flag, and a value after it if that looks like one: a number, a choice, or the name of a strategy or a loss.
_CHOICES = "yes|no|auto|days|parts|drop|impute"
_FLAG = re.compile(rf"--(?P<flag>[a-z]+(?:-[a-z]+)*)(?: (?P<value>\d+|[a-z]+(?:-[a-z]+)+|snes|{_CHOICES})\b)?")
_QUALIFIED = re.compile(rf"\b(?:{'|'.join(SECTIONS)})\.(?P<name>[a-z_]+)(?=: )")


def in_python(sentence: str) -> str:
    """The sentence with settings as keyword arguments: `scale="yes"` for --scale yes, `sigma` for --sigma."""
    switches = {setting.flag for _, setting in options() if setting.type is bool}

    def argument(found: re.Match[str]) -> str:
        name, value = found["flag"].replace("-", "_"), found["value"]
        if value is not None:
            return f"{name}={value}" if value.isdecimal() else f'{name}="{value}"'
        return f"{name}=True" if found["flag"] in switches else name

    names = {f"{section}.{setting.name}": setting.flag.replace("-", "_") for section, setting in options()}

    def unqualified(found: re.Match[str]) -> str:
        return names.get(found[0], found["name"])

    return _QUALIFIED.sub(unqualified, _FLAG.sub(argument, sentence))


@contextmanager
def speaking_python() -> Iterator[None]:
    """While entered, errors speak of keyword arguments."""
    try:
        yield
    except DistsearchError as error:
        error.args = (in_python(str(error)),)
        raise
