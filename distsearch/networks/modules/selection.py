"""Which of a module's parameters are searched: those whose names match patterns; all others are frozen."""

from collections.abc import Callable, Collection, Sequence
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

    def refusal(pattern: str) -> SettingError:
        return SettingError(
            f"network.trainable: no parameter of the model matches {brief(pattern)}; expected names or patterns "
            f"(head.*), nearest: {nearest(pattern, names)}"
        )

    matched = matching(names, patterns, refusal)
    chosen = {id(each) for name, each in named if name in matched}
    for _, each in named:
        each.requires_grad_(id(each) in chosen)


def matching(names: Collection[str], patterns: Sequence[str], refusal: Callable[[str], SettingError]) -> set[str]:
    """The names that match any of the patterns. Raises what `refusal` makes of a pattern that none matches."""
    found: set[str] = set()
    for pattern in patterns:
        fitting = [name for name in names if fnmatchcase(name, pattern)]
        if not fitting:
            raise refusal(pattern)
        found.update(fitting)
    return found


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
