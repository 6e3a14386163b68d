"""The packages that only pictures need."""

from importlib import import_module
from typing import Any

from distsearch.errors.importing import importing

NAMES = {"PIL": "Pillow"}  # for pip


def imported(module: str) -> Any:
    """A module of an optional package. SettingError naming the extra if it cannot be imported."""
    top = module.partition(".")[0]
    with importing(top, "plots need", package=NAMES.get(top, ""), extra="plots"):
        return import_module(module)
