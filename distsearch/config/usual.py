"""What is searched with where nothing is said: as in the course on its data, and on others what suits most of them."""

from collections.abc import Mapping
from typing import Any

from distsearch.settings import AUTO

COURSE = ("vertical", "spiral")
"""The data sets of the course, on which a run without settings is the chapter's."""
USUAL: dict[str, Any] = {"strategy": AUTO, "layers": (100,)}
"""On other data, by flag."""


def with_usual(sections: Mapping[str, Any]) -> dict[str, Any]:
    """The sections of a configuration with the usual strategy and layers, where they are not given.

    A torch module has layers of its own.
    """
    filled = dict(sections)
    if _given(filled, "data").get("source", COURSE[0]) in COURSE:
        return filled
    _fill(filled, "strategy", "name", USUAL["strategy"])
    if not _given(filled, "network").get("model"):
        _fill(filled, "network", "layers", USUAL["layers"])
    return filled


def _given(sections: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    """What is given of a section; nothing where it is no section, which is refused later."""
    values = sections.get(section, {})
    return values if isinstance(values, Mapping) else {}


def _fill(sections: dict[str, Any], section: str, name: str, value: Any) -> None:
    values = sections.get(section, {})
    if isinstance(values, Mapping) and name not in values:
        sections[section] = {**values, name: value}
