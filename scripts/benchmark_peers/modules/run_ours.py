"""Our own search, of a module or of the same network as our layers, until its last accuracy is reached."""

from typing import Any

from nondiff.run_distsearch import searched

from distsearch.search.assembly import assemble
from modules.rows import ROWS


def search(order: dict[str, Any]) -> dict[str, Any]:
    """Search for the order's seconds, or fewer."""
    module = ROWS[order["row"]]
    config = module.entry(order["who"]).config(order["folder"], order["seed"], order["workers"])
    return searched(assemble(config), order["seconds"], module.accuracies[-1], first=1)  # others are soon overtaken
