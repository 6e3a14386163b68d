"""Weights as what they are in the forward pass, packed into as many bits as they have.

Weights of 8 bits are signed bytes. Those of fewer are bit-packed in the order of their tensor (row by row): binary ones
8 to a byte, 1 for up; ternary ones 4 to a byte, two bits each, which hold the number of steps plus one; the first
weight is in the lowest bits. Each is times its tensor's step.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.networks.matrices import Matrix
from distsearch.networks.precision import FLOAT32, WholeSteps
from distsearch.networks.trainable import Trainable

Array = NDArray[np.float32]
Tensors = dict[str, NDArray[Any]]

SHIFTS = np.arange(0, 8, 2, dtype=np.uint8)  # of the ternary weights in a byte
SCALE = ".scale"  # after a tensor's name: the name of the tensor of its step
LAYOUT = "layout"  # of the packed tensors, in a file's header


class Layout(NamedTuple):
    """How a tensor is packed."""

    bits: int  # of each weight
    shape: tuple[int, ...]


def packed(network: Trainable, weights: Array) -> tuple[Tensors, dict[str, Layout]]:
    """The network's tensors, rounded as its forward pass sees them, and how those of few bits are packed.

    Every tensor of few bits comes with another that holds its step, of shape (1,).
    """
    names = network.named(network.rounded(weights))
    if not network.matrices:
        return names, {}
    bits, steps = np.full((2, weights.size), FLOAT32.bits, np.float32)
    for matrix in network.matrices:
        _describe(matrix, matrix.block.matrix(bits), matrix.block.matrix(steps))
    bits_of, steps_of = network.named(bits), network.named(steps)
    tensors: Tensors = {}
    layouts: dict[str, Layout] = {}
    for name, values in names.items():
        width = int(bits_of[name].flat[0])
        if width == FLOAT32.bits:
            tensors[name] = values
            continue
        tensors[name] = _pack(values / steps_of[name], width)
        tensors[name + SCALE] = steps_of[name].ravel()[:1].copy()
        layouts[name] = Layout(width, values.shape)
    return tensors, layouts


def unpacked(tensors: Mapping[str, NDArray[Any]], layouts: Mapping[str, Layout]) -> dict[str, Array]:
    """The network's float32 tensors by their names, as `Trainable.flat` takes them: the opposite of `packed`.

    Raises KeyError or ValueError if they do not fit each other.
    """
    named: dict[str, Array] = {}
    for name, array in tensors.items():
        if name in layouts:
            steps = _unpack(array, layouts[name])
            named[name] = steps * np.float32(tensors[name + SCALE][0])
        elif name.removesuffix(SCALE) not in layouts:
            named[name] = array
    return named


def are_packed(names: Collection[str]) -> bool:
    """Whether tensors of these names are such as `packed` returns, some of them of few bits."""
    return any(name.endswith(SCALE) and name.removesuffix(SCALE) in names for name in names)


def _describe(matrix: Matrix, bits: Array, steps: Array) -> None:
    """Write to each weight of a matrix, (rows, columns), its bits and its step; biases are bytes."""
    precision = matrix.precision
    if isinstance(precision, WholeSteps):
        bits[:] = precision.bits
        bits[:, -1] = 8
        steps[:] = precision.step(matrix.block.columns - 1)


def _pack(steps: Array, bits: int) -> NDArray[Any]:
    """Numbers of steps, in as many bits each."""
    flat = steps.ravel()
    if bits == 1:
        return np.packbits(flat > 0, bitorder="little")
    if bits == 2:
        codes = np.zeros((-(-flat.size // 4), 4), np.uint8)
        codes.flat[: flat.size] = flat + 1
        return np.bitwise_or.reduce(codes << SHIFTS, axis=1)
    return steps.astype(np.int8)


def _unpack(packed_steps: NDArray[Any], layout: Layout) -> Array:
    """The numbers of steps, in their tensor's shape."""
    count = int(np.prod(layout.shape))
    if layout.bits == 1:
        flat = np.unpackbits(packed_steps, count=count, bitorder="little").astype(np.float32) * 2 - 1
    elif layout.bits == 2:
        codes = (packed_steps[:, np.newaxis] >> SHIFTS) & np.uint8(3)
        flat = codes.ravel()[:count].astype(np.float32) - 1
    else:
        flat = packed_steps.ravel().astype(np.float32)
    return flat.reshape(layout.shape)
