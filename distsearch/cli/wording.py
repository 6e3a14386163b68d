"""The library names a setting as configuration files do, as section.name; its flag is named where that was typed."""

import re
from collections.abc import Sequence

from distsearch.cli.aliases import OPTIONS, SETTINGS
from distsearch.config import SECTIONS, options
from distsearch.settings import declarations

_FIELD = re.compile(r"(?<![\w./'\"-])(?P<section>[a-z]+(?:-[a-z]+)*)\.(?P<name>[a-z_]+)(?=: )")


def in_flags(sentence: str, arguments: Sequence[str]) -> str:
    """The sentence with `--rounds` for stop.rounds, unless the setting can only be a file's, or a stored run's."""
    options_typed = (word.partition("=")[0] for word in arguments)
    typed = {OPTIONS.get(option, option) for option in options_typed}
    from_file = not set(arguments) & set(SETTINGS) or "--config" in typed

    def flag(found: re.Match[str]) -> str:
        name = _flag_of(found["section"], found["name"])
        return found[0] if name is None or (from_file and name not in typed) else name

    return _FIELD.sub(flag, sentence)


def _flag_of(section: str, name: str) -> str | None:
    """The flag of a setting of a section, or of a strategy; None if there is no such setting."""
    if section in SECTIONS:
        return next((f"--{each.flag}" for part, each in options() if (part, each.name) == (section, name)), None)
    from distsearch.strategies import STRATEGIES  # takes NumPy to import

    own = STRATEGIES.own.get(section)
    named = () if own is None else declarations(own.Settings)
    return next((f"--{each.flag}" for each in named if each.name == name), None)
