"""In how many groups a module's nodes are moved, and what that costs: from a look at the module alone (trial.py)."""

from distsearch.candidates.blocks import NodeLayer
from distsearch.networks.modules.trial import Anatomy, Found

MOST_GROUPS = 128  # of a layer's nodes
MOST_PASSES = 16.0  # the cost of moving a layer's nodes, in forward passes
RUNS = 10  # of the steps of a recurrent layer, which are moved apart from each other
UNIT_WORTH = 150_000.0  # multiplications per example that take as long as what a unit does besides its experiments
CALL_WORTH = 10_000.0  # such that take as long as a call of torch, which the experiments of a unit share
WORTH_ON_GPU = 100  # times as many
MOST_LOOSE = 1 << 16  # weights outside of layers, which are moved one sign each


def priced(anatomy: Anatomy, loose: int, on_gpu: bool) -> tuple[NodeLayer, ...]:
    """The nodes of the layers, and after them the weights outside of layers, so many, one sign each.

    Empty if there are no layers, or too many weights outside of them.
    """
    if not anatomy.layers or loose > MOST_LOOSE:
        return ()
    scale = WORTH_ON_GPU if on_gpu else 1
    found = [_layer(each, anatomy, scale) for each in anatomy.layers]
    if loose:
        groups = min(loose, int(MOST_PASSES))
        found.append(NodeLayer(loose, max(1.0, anatomy.loose), 1, 1, loose, groups, scale * UNIT_WORTH))
    return tuple(found)


def parts_of(found: Found, groups: int, anatomy: Anatomy) -> int:
    """In how many parts a layer's places are moved apart from each other, as far as that can be afforded.

    Of a layer that is called for several steps these are runs of them: the later one begins, the less it costs.
    """
    if found.inputs > 1:
        return _runs(found)
    affordable = MOST_PASSES * anatomy.products / max(1.0, found.price)
    return max(1, min(found.places, int(affordable / groups)))


def _layer(found: Found, anatomy: Anatomy, scale: float) -> NodeLayer:
    runs = _runs(found)
    share = (runs + 1) * (2 * runs + 1) / (6 * runs**2)  # of what is above the layer, the mean over runs (moves.py)
    price = max(1.0, found.price) * share
    calls = found.operations * share * runs * anatomy.choices  # examples are divided by what is picked for them
    worth = scale * max(UNIT_WORTH, CALL_WORTH * calls)
    affordable = max(1, int(MOST_PASSES * anatomy.products / price / runs))
    groups = min(found.nodes, MOST_GROUPS, affordable) if found.places > 1 else min(found.nodes, MOST_GROUPS)
    groups = _even(found.nodes, groups)
    price *= parts_of(found, groups, anatomy)
    return NodeLayer(found.nodes, price, found.width, found.places, int(found.products), groups, worth)


def _even(nodes: int, groups: int) -> int:
    """The most groups, up to so many, of equal sizes, which are computed together; not half of them or fewer."""
    return next((fewer for fewer in range(groups, groups // 2, -1) if nodes % fewer == 0), groups)


def _runs(found: Found) -> int:
    return min(found.inputs, RUNS)
