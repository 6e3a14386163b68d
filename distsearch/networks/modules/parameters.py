"""Where a module's parameters are in the flat weights, (n,).

First come those of the layers whose nodes can be moved, node by node, as node perturbation needs them; then all others.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.blocks import Block

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Placed:
    """A parameter's place: some columns of a block, (nodes, weights of each)."""

    name: str
    shape: tuple[int, ...]
    block: Block
    columns: slice
    across: bool = False  # whether each node's weights are a column of the parameter, not a row

    def read(self, weights: Any) -> Any:
        """The parameter's values in flat weights, (n,), of NumPy or torch: of its shape, a view or a copy."""
        part = self._part(weights)
        return (part.T if self.across else part).reshape(self.shape)

    def write(self, values: Array, weights: Array) -> None:
        """Write its values, of its shape, into flat weights, (n,)."""
        part = self._part(weights)
        part[:] = values.reshape(part.shape[::-1]).T if self.across else values.reshape(part.shape)

    def _part(self, weights: Any) -> Any:
        block = self.block
        return weights[block.start : block.stop].reshape(block.rows, block.columns)[:, self.columns]


@dataclass(frozen=True)
class Use:
    """The parameters of one layer, in the order in which each of its nodes has its share of them."""

    names: tuple[str, ...]
    across: bool


class Parameters:
    """The places of all parameters that are searched."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], layers: Sequence[Use] = ()) -> None:
        self.placed: dict[str, Placed] = {}
        self._at = 0
        for layer in layers:
            self._place_layer(layer, shapes)
        self.loose = self._at
        """The first of the weights that belong to no layer's nodes."""
        for name, shape in shapes.items():
            if name not in self.placed:
                rows = shape[0] if len(shape) > 1 else 1
                block = self._block(rows, int(np.prod(shape)) // rows)
                self.placed[name] = Placed(name, shape, block, slice(None))
        self.count = self._at
        self.blocks = tuple(dict.fromkeys(place.block for place in self.placed.values()))

    def loose_in(self, lo: int = 0, hi: int | None = None) -> Iterator[Placed]:
        """The parameters of no layer's nodes; those that have some of the weights from lo to hi."""
        hi = self.count if hi is None else hi
        for place in self.placed.values():
            block = place.block
            if block.start >= self.loose and block.start < hi and lo < block.stop:
                yield place

    def flat(self, values: Mapping[str, Array]) -> Array:
        """The flat weights, (n,), from each parameter's values. KeyError or ValueError if one is not of its shape."""
        weights = np.empty(self.count, np.float32)
        for name, place in self.placed.items():
            if values[name].shape != place.shape:
                raise ValueError(f"{name}: expected the shape {place.shape}, got {values[name].shape}")
            place.write(values[name], weights)
        return weights

    def _place_layer(self, layer: Use, shapes: Mapping[str, tuple[int, ...]]) -> None:
        first = shapes[layer.names[0]]
        nodes = first[-1] if layer.across else first[0]
        widths = [int(np.prod(shapes[name])) // nodes for name in layer.names]
        block, at = self._block(nodes, sum(widths)), 0
        for name, width in zip(layer.names, widths, strict=True):
            across = layer.across and len(shapes[name]) > 1
            self.placed[name] = Placed(name, shapes[name], block, slice(at, at + width), across)
            at += width

    def _block(self, rows: int, columns: int) -> Block:
        block = Block(self._at, rows, columns)
        self._at = block.stop
        return block
