"""Errors name a setting by section and name, stop.rounds, as a file of settings does; doors have their own words."""

import re
from collections.abc import Callable

from distsearch.config import SECTIONS, options
from distsearch.settings import OWN_SECTION, Declared

_PLACE = re.compile(rf"(?<![\w./:-])(?P<section>{'|'.join((*SECTIONS, OWN_SECTION))})\.(?P<name>[a-z_]+)(?=: )")


def reworded(sentence: str, word_for: Callable[[str], str | None]) -> str:
    """The sentence with each setting called what `word_for` makes of its flag; as it is where that is None."""
    flags = {f"{section}.{setting.name}": setting.flag for section, setting in options()}

    def word(found: re.Match[str]) -> str:
        flag = flags.get(found[0])
        if flag is None and found["section"] == OWN_SECTION:
            flag = found["name"].replace("_", "-")
        return (flag and word_for(flag)) or found[0]

    return _PLACE.sub(word, sentence)


def keywords() -> dict[str, Declared]:
    """All settings but the strategies' own, by the names of Python's keyword arguments."""
    return {setting.keyword: setting for _, setting in options()}
