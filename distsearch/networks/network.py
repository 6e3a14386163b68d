"""A stack of dense layers: where each stands in the flat weights, and the forward pass of many candidates at once.

Activations are (candidates, neurons, examples): the examples are last, long and contiguous. In memory the outputs of
the last layer have their candidates inside, (outputs, candidates, examples): what a loss does to every example at once
then runs on from one candidate to the next.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Layer
from distsearch.errors import SettingError, unknown
from distsearch.randomness import Stream, noise

CACHE_BYTES = 2 * 1024 * 1024  # of the processor's cache, which activations are to stay in

Array = NDArray[np.float32]


# An activation is applied in place to a layer's neurons with their row of ones below, (candidates, neurons + 1,
# examples), because one long run is faster than many short ones. `zeros` has the shape of one candidate's.


def _relu(hidden: Array, zeros: Array) -> None:
    # An array of zeros, not the number 0: NumPy's loop over two arrays is five times as fast. One candidate's, which
    # stays in the cache, not one for all.
    np.maximum(hidden, zeros, out=hidden)


def _tanh(hidden: Array, zeros: Array) -> None:
    np.tanh(hidden, out=hidden)
    hidden[:, -1] = 1


def _sigmoid(hidden: Array, zeros: Array) -> None:
    np.negative(hidden, out=hidden)
    np.exp(hidden, out=hidden)
    np.add(hidden, np.float32(1), out=hidden)
    np.reciprocal(hidden, out=hidden)
    hidden[:, -1] = 1


def _step(hidden: Array, zeros: Array) -> None:
    np.sign(hidden, out=hidden)
    np.maximum(hidden, zeros, out=hidden)


ACTIVATIONS: dict[str, Callable[[Array, Array], None]] = {
    "relu": _relu,
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "step": _step,
}

# The standard deviation of a layer's first weights, from its inputs and outputs; biases start at zero.
STARTS: dict[str, Callable[[int, int], float]] = {
    "course": lambda inputs, outputs: 0.01,
    "he": lambda inputs, outputs: float(np.sqrt(2 / inputs)),
    "glorot": lambda inputs, outputs: float(np.sqrt(2 / (inputs + outputs))),
}


@dataclass(frozen=True)
class _Buffers:
    """Where the activations of one shape of tile are kept between calls."""

    hidden: tuple[Array, ...]  # of each hidden layer, (candidates, neurons + 1, examples), the last row ones
    zeros: tuple[Array, ...]  # of each hidden layer, (neurons + 1, examples)
    outputs: Array  # (candidates, outputs, examples)


class _Kept(threading.local):
    """The buffers of each thread, by candidates and examples: threads must not write into each other's."""

    def __init__(self) -> None:
        self.buffers: dict[tuple[int, int], _Buffers] = {}

    def __reduce__(self) -> tuple[type["_Kept"], tuple[()]]:
        return _Kept, ()


class Network:
    """Dense layers with one hidden activation; the last layer is linear."""

    def __init__(self, inputs: int, hidden: tuple[int, ...], outputs: int, activation: str) -> None:
        if activation not in ACTIVATIONS:
            raise SettingError(unknown("activation", activation, ACTIVATIONS))
        widths = (inputs, *hidden, outputs)
        layers, start = [], 0
        for before, after in pairwise(widths):
            layers.append(Layer(start, before, after))
            start = layers[-1].stop
        self.layers = tuple(layers)
        self.activation = activation
        self.weights_count = start
        self._kept = _Kept()

    @property
    def neurons(self) -> int:
        """Activations that one candidate keeps for one example, the rows of ones included."""
        return sum(layer.outputs + 1 for layer in self.layers) - 1

    def start(self, kind: str, seed: int) -> Array:
        """The first weights, (n,): normal with the deviation of `kind`, zero biases. SettingError if unknown."""
        if kind not in STARTS:
            raise SettingError(unknown("start", kind, STARTS))
        weights = noise(seed, Stream.START, 0, 0, 1, self.weights_count)[0]
        for layer in self.layers:
            matrix = layer.matrix(weights)
            matrix[:, :-1] *= np.float32(STARTS[kind](layer.inputs, layer.outputs))
            matrix[:, -1] = 0
        return weights

    def forward(self, candidates: Candidates, inputs: Array) -> Array:
        """The outputs of every candidate, (candidates, outputs, examples), in a buffer that the thread soon reuses.

        inputs is (features + 1, examples), its last row ones.
        """
        buffers = self._buffers_for(len(candidates), inputs.shape[-1])
        activate = ACTIVATIONS[self.activation]
        below = inputs
        for layer, hidden, zeros in zip(self.layers, buffers.hidden, buffers.zeros, strict=False):
            candidates.apply(layer, below, hidden[:, :-1])
            activate(hidden, zeros)
            below = hidden
        candidates.apply(self.layers[-1], below, buffers.outputs)
        return buffers.outputs

    def named(self, weights: Array) -> dict[str, Array]:
        """The flat weights as each layer's `weights` (inputs, outputs) and `biases` (outputs,), the course's shapes."""
        arrays = {}
        for number, layer in enumerate(self.layers, start=1):
            matrix = layer.matrix(weights)
            arrays[f"dense{number}.weights"] = np.ascontiguousarray(matrix[:, :-1].T)
            arrays[f"dense{number}.biases"] = np.ascontiguousarray(matrix[:, -1])
        return arrays

    def flat(self, arrays: dict[str, Array]) -> Array:
        """The flat weights, (n,), of what `named` gave. KeyError or ValueError if they are another network's."""
        weights = np.empty(self.weights_count, np.float32)
        if len(arrays) != 2 * len(self.layers):
            raise ValueError(f"expected {2 * len(self.layers)} arrays, got {len(arrays)}")
        for number, layer in enumerate(self.layers, start=1):
            matrix = layer.matrix(weights)
            parts = arrays[f"dense{number}.weights"], arrays[f"dense{number}.biases"]
            if parts[0].shape != (layer.inputs, layer.outputs) or parts[1].shape != (layer.outputs,):
                raise ValueError(f"dense{number} is {parts[0].shape}, not {(layer.inputs, layer.outputs)}")
            matrix[:, :-1] = parts[0].T
            matrix[:, -1] = parts[1]
        return weights

    def _buffers_for(self, candidates: int, examples: int) -> _Buffers:
        kept = self._kept.buffers
        buffers = kept.get((candidates, examples))
        if buffers is None:
            if len(kept) >= 8:  # a search has at most four shapes: whole and last tiles and chunks
                kept.clear()
            hidden = tuple(np.ones((candidates, layer.outputs + 1, examples), np.float32) for layer in self.layers[:-1])
            zeros = tuple(np.zeros_like(array[0]) for array in hidden)
            buffers = _Buffers(hidden, zeros, _room_for_outputs(candidates, self.layers[-1].outputs, examples))
            kept[candidates, examples] = buffers
        return buffers


def _room_for_outputs(candidates: int, outputs: int, examples: int) -> Array:
    """Room for (candidates, outputs, examples), in memory (outputs, candidates, examples)."""
    if examples == 1:  # NumPy would sum the outputs of one candidate in another order than those of many
        return np.empty((candidates, outputs, 1), np.float32)
    return np.empty((outputs, candidates, examples), np.float32).transpose(1, 0, 2)
