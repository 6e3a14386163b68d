"""A stack of layers: where each one's weights are, and the forward pass of many candidates at once.

Activations are (candidates, neurons, examples): the examples are last, and contiguous.
"""

import threading
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Shared
from distsearch.candidates.blocks import Block
from distsearch.networks.activations import ACTIVATIONS
from distsearch.networks.initial import STARTS
from distsearch.networks.layers.dense import Buffers, Dense
from distsearch.randomness import Stream, noise

CACHE_BYTES = 2 * 1024 * 1024  # of the processor's cache, in which activations should fit

Array = NDArray[np.float32]


class _ThreadBuffers(threading.local):
    """The layers' buffers of each thread, by candidates and examples: threads must not write into each other's."""

    def __init__(self) -> None:
        self.kept: dict[tuple[int, int], list[Buffers]] = {}

    def __reduce__(self) -> tuple[type["_ThreadBuffers"], tuple[()]]:
        return _ThreadBuffers, ()


class Network:
    """Dense layers with one hidden activation; the last layer is linear."""

    def __init__(self, inputs: int, hidden: tuple[int, ...], outputs: int, activation: str) -> None:
        hidden_activation = ACTIVATIONS.find(activation)
        layers, start = [], 0
        for number, (before, after) in enumerate(pairwise((inputs, *hidden, outputs))):
            block = Block(start, after, before + 1)
            layers.append(Dense(block, hidden_activation if number < len(hidden) else None))
            start = block.stop
        self.layers = tuple(layers)
        self.weights_count = start
        self._buffers = _ThreadBuffers()

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The matrices into which the weights are divided, in order."""
        return tuple(layer.block for layer in self.layers)

    @property
    def jumps(self) -> bool:
        """Whether any activation jumps."""
        return any(layer.activation is not None and layer.activation.jumps for layer in self.layers)

    @property
    def neurons(self) -> int:
        """The number of activations kept per candidate and example, including the rows of ones."""
        return sum(layer.rows for layer in self.layers)

    def start(self, kind: str, seed: int) -> Array:
        """The initial weights, (n,): normal by `kind`, with zero biases. Raises SettingError if it is unknown."""
        deviation = STARTS.find(kind)
        weights = noise(seed, Stream.START, 0, 0, 1, self.weights_count)[0]
        for layer in self.layers:
            matrix = layer.block.matrix(weights)
            matrix[:, :-1] *= np.float32(deviation(layer.inputs, layer.outputs))
            matrix[:, -1] = 0
        return weights

    def forward(self, candidates: Candidates, inputs: Shared) -> Array:
        """The outputs of every candidate, (candidates, outputs, examples), in a buffer that the thread soon reuses.

        inputs are (features + 1, examples), their last row ones.
        """
        below: Shared | Array = inputs
        outputs = inputs.array
        for layer, buffers in zip(self.layers, self._buffers_for(len(candidates), inputs.array.shape[-1]), strict=True):
            below = outputs = layer.forward(candidates, below, buffers)
        return outputs

    def named(self, weights: Array) -> dict[str, Array]:
        """The flat weights as each layer's `weights` (inputs, outputs) and `biases` (outputs,), the course's shapes."""
        arrays = {}
        for number, layer in enumerate(self.layers, start=1):
            matrix = layer.block.matrix(weights)
            arrays[f"dense{number}.weights"] = np.ascontiguousarray(matrix[:, :-1].T)
            arrays[f"dense{number}.biases"] = np.ascontiguousarray(matrix[:, -1])
        return arrays

    def flat(self, arrays: dict[str, Array]) -> Array:
        """The flat weights, (n,), from what `named` returned. Raises KeyError or ValueError if of another network."""
        weights = np.empty(self.weights_count, np.float32)
        if len(arrays) != 2 * len(self.layers):
            raise ValueError(f"expected {2 * len(self.layers)} arrays, got {len(arrays)}")
        for number, layer in enumerate(self.layers, start=1):
            matrix = layer.block.matrix(weights)
            parts = arrays[f"dense{number}.weights"], arrays[f"dense{number}.biases"]
            if parts[0].shape != (layer.inputs, layer.outputs) or parts[1].shape != (layer.outputs,):
                raise ValueError(f"dense{number} is {parts[0].shape}, not {(layer.inputs, layer.outputs)}")
            matrix[:, :-1] = parts[0].T
            matrix[:, -1] = parts[1]
        return weights

    def _buffers_for(self, candidates: int, examples: int) -> list[Buffers]:
        kept = self._buffers.kept
        buffers = kept.get((candidates, examples))
        if buffers is None:
            if len(kept) >= 8:  # a search has at most four shapes: of whole and last tiles and chunks
                kept.clear()
            buffers = kept[candidates, examples] = [layer.buffers(candidates, examples) for layer in self.layers]
        return buffers
