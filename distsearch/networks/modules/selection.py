"""Which of a module's parameters are searched: those whose names match patterns; all others are frozen."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from distsearch.errors import SettingError, brief, near


def select(module: Any, patterns: Sequence[str]) -> None:
    """Let the parameters that match any of the patterns require gradients, and no others, whatever they did before.

    In a pattern, * stands for any characters and ? for one. A parameter that is known by several names is searched if
    one of them matches. SettingError for a pattern that no parameter of floating-point numbers matches.
    """
    if not patterns:
        return
    named = [(name, each) for name, each in module.named_parameters(remove_duplicate=False)]
    names = [name for name, each in named if each.is_floating_point()]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise SettingError(
                f"network.trainable: no parameter of the model matches {brief(pattern)}; expected names or patterns "
                f"(head.*), nearest: {nearest(pattern, names)}"
            )
    chosen = {id(each) for name, each in named if any(fnmatchcase(name, pattern) for pattern in patterns)}
    for _, each in named:
        each.requires_grad_(id(each) in chosen and each.is_floating_point())


def nearest(pattern: str, names: Sequence[str]) -> str:
    """Up to three names nearest to a pattern that matches none: spelt alike, or of the same part of the module."""
    stem = pattern.strip("*?.")
    inside = [name for name in names if stem and stem in name]
    alike = inside or near(stem, names, 3) or _by_part(stem, names) or names
    return ", ".join(alike[:3])


def _by_part(stem: str, names: Sequence[str]) -> list[str]:
    """The names in which any part between dots is spelt like one of the pattern's."""
    parts = [part for part in stem.split(".") if part]
    return [name for name in names if any(near(part, name.split("."), 1) for part in parts)]
