"""polystep 1.1.0 on a module, with the settings of its own runs of the same network; else of argmax attention."""

from functools import partial
from typing import Any

from nondiff.run_polystep import SETTINGS, searched

from modules.models import made
from modules.rows import ROWS


def search(order: dict[str, Any]) -> dict[str, Any]:
    """Search for the order's seconds."""
    module = ROWS[order["row"]]
    settings = SETTINGS.get(module.name, SETTINGS["attention"])
    return searched(partial(made, module.name), settings, module.data, order)
