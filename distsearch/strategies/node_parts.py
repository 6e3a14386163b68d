"""How the nodes of a network are divided among units of node perturbation."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from distsearch.candidates.blocks import NodeLayer

UNIT_COST = 23_000  # multiplications per example that are worth a unit, besides the forward pass that all need
UNIT_PASSES = 2  # the same with convolutions, whose forward pass counts for more, in forward passes
SLICE, SLICE_OF_IMAGES = 128, 64  # examples per unit
MOST_PARTS = 32  # that the nodes are divided into


class Parts(NamedTuple):
    """The nodes divided into parts of about the same cost: where each begins, and one past the last one's end."""

    moves: tuple[int, ...]  # nodes, times the places at which each is moved
    weights: tuple[int, ...]  # the first of each part's weights

    def __len__(self) -> int:
        return len(self.moves) - 1

    @classmethod
    def of(cls, layers: Sequence[NodeLayer], groups: int | None) -> "Parts":
        """As many parts as are worth a unit; each ends at a whole group of nodes."""
        moves, weights, costs = [0], [0], [0.0]  # of all groups, added up
        for layer in layers:
            size, left = layer.group_size(groups), layer.nodes
            while left:
                some = min(size, left)
                moves.append(moves[-1] + some * layer.places)
                weights.append(weights[-1] + some * layer.width)
                costs.append(costs[-1] + layer.price + some * layer.width)
                left -= some
        passes = UNIT_PASSES * sum(layer.products for layer in layers if layer.places > 1)
        worth = max(UNIT_COST, passes, *(layer.worth for layer in layers))
        count = max(1, min(MOST_PARTS, int(costs[-1] / worth)))
        chosen = {bisect_left(costs, costs[-1] * part / count) for part in range(count)} | {len(moves) - 1}
        at = sorted(chosen)
        return cls(tuple(moves[place] for place in at), tuple(weights[place] for place in at))


def slice_size(layers: Sequence[NodeLayer]) -> int:
    """How many examples of the batch make a unit, with one part of the nodes: fewer if each of them is much work."""
    return SLICE_OF_IMAGES if any(layer.places > 1 for layer in layers) else SLICE
