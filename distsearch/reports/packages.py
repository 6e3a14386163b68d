"""The packages that only pictures need."""

from importlib import import_module
from typing import Any

from distsearch.errors import SettingError


def imported(module: str) -> Any:
    """A module of an optional package. SettingError naming the extra if it is not installed."""
    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise SettingError(f'plots need {package}, which is not installed: pip install "distsearch[plots]"') from None
