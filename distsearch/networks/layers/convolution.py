"""A convolution: neurons that see a square window of the image, the same weights at every place.

Pooling that follows it is part of it, before its activation, which is less work. The largest is the same for every
activation that rises; the mean is that of sums, not of activations.
Its nodes are its channels, moved at each place (after pooling) by themselves; only what sees the place is computed
again. The product with a window's inputs is a matrix times columns (im2col), so that candidates of all kinds carry it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Shared
from distsearch.errors import SettingError, brief
from distsearch.networks.building import Builder, whole
from distsearch.networks.changes import Change, Everything, Moved, Reach, Window
from distsearch.networks.graph import Graph, Value
from distsearch.networks.initial import Start
from distsearch.networks.layers.base import Layer, Movable, Nodes, mean_size
from distsearch.networks.layers.images import Images, Part, Sliding, Span, changed_sums
from distsearch.networks.layers.pools import NO_POOL, Pool
from distsearch.networks.matrices import Matrix
from distsearch.networks.neurons import Neurons

Array = NDArray[np.float32]

PATCHES_BYTES = 32 * 1024 * 1024  # of what windows see, at once
PLACE_COST = 5.0  # measured cost, in multiplications, of each sum that a change reaches, besides products


class Buffers(NamedTuple):
    """What the forward pass of many candidates needs, kept between calls; G are the groups of channels."""

    patches: Array  # (candidates, G, inputs of a window + 1, windows * columns), the last row ones
    sums: Array  # (candidates, channels, windows * columns)
    activations: Array  # (candidates, rows, columns), the last row ones
    zeros: Array  # (rows, columns)


class Trace(NamedTuple):
    """A forward pass of one set of weights, kept to see what moving nodes changes."""

    matrices: Array  # (G, channels, inputs of a window + 1)
    kernel: Array  # (channels, channels below, size, size), with zeros between groups
    inputs: Array  # (rows below, columns)
    seen: "tuple[tuple[slice, Array], ...]"  # what windows see, as `_seen` yields it; none if it is too much to keep
    sums: Array  # (channels, height, width, columns), before pooling
    pooled: Array  # (channels, pooled height, pooled width, columns): the nodes
    activations: Array  # (rows, columns)
    zeros: Array  # (rows, columns)


class Convolution(Layer, Nodes):
    """A convolution of images (channels, height, width), or of examples (height, width, channels).

    Each of its matrices is of one group of channels, which sees its own share of the channels below.
    """

    kind = "conv"

    def __init__(self, matrices: Sequence[Matrix], neurons: Neurons, below: Images, sliding: Sliding) -> None:
        self.matrices = tuple(matrices)
        self.neurons = neurons
        self.sliding = sliding
        self.blocks = tuple(matrix.block for matrix in matrices)
        self.times = neurons.times
        self.jumps = neurons.jumps
        self.nodes = sum(block.rows for block in self.blocks)
        self.width = self.blocks[0].columns
        self._below = below
        self.pooled_by(NO_POOL)

    def pooled_by(self, pool: Pool) -> None:
        """Pool its sums from now on."""
        self.pool = pool
        self._image = self.sliding.rows // pool.size, self.sliding.columns // pool.size
        self.shape = (self.nodes, *self._image)
        self.places = self._image[0] * self._image[1]

    @property
    def windows(self) -> int:
        """How many columns of its products there are for each example."""
        return self.sliding.rows * self.sliding.columns

    @property
    def memory(self) -> int:
        """The numbers kept per candidate and example: what windows see counts most."""
        seen = self.width * len(self.blocks) + self.nodes
        return super().memory + self.windows * seen * self._below.times

    def buffers(self, candidates: int, examples: int) -> Buffers:
        """Allocate what that many candidates need on that many examples."""
        columns = examples * self._below.times
        patches = np.ones((candidates, len(self.blocks), self.width, self.windows * columns), np.float32)
        sums = np.empty((candidates, self.nodes, self.windows * columns), np.float32)
        activations = np.ones((candidates, self.rows, columns), np.float32)
        return Buffers(patches, sums, activations, np.zeros_like(activations[0]))

    def forward(self, candidates: Candidates, below: Shared | Array, buffers: Buffers) -> Array:
        """The layer's activations, from those below, (candidates, rows, columns), or inputs that all share."""
        shared = isinstance(below, Shared)
        patches = buffers.patches[:1] if shared else buffers.patches
        self._gather(below.array[np.newaxis] if isinstance(below, Shared) else below, patches)
        first = 0
        for number, matrix in enumerate(self.matrices):
            last = first + matrix.block.rows
            inputs = Shared(patches[0, number], kept=False) if shared else patches[:, number]
            matrix.apply(candidates, inputs, buffers.sums[:, first:last])
            first = last
        pooled = self.pool.of(buffers.sums.reshape(len(candidates), *self._map, -1))
        buffers.activations[:, :-1] = pooled.reshape(len(candidates), self.outputs, -1)
        return self.neurons.apply(buffers.activations, buffers.zeros)

    def express(self, graph: Graph, weights: Array, below: list[Value]) -> list[Value]:
        """A convolution and its pooling for each step, and the neurons."""
        stacked = np.concatenate([matrix.of(weights) for matrix in self.matrices])
        sliding = self.sliding
        shape = self.nodes, -1, sliding.size, sliding.size
        kernel = graph.constant(np.ascontiguousarray(stacked[:, :-1]).reshape(shape), "W")
        biases = graph.constant(np.ascontiguousarray(stacked[:, -1]), "b")
        sums = []
        for value in below:
            images = self._below.express(graph, value)
            strides, pads = [sliding.stride] * 2, [sliding.padding] * 4
            made = graph.add("Conv", images, kernel, biases, strides=strides, pads=pads, group=len(self.matrices))
            sums.append(graph.reshaped(self.pool.express(graph, made), self.outputs))
        return self.neurons.express(graph, sums)

    @property
    def _map(self) -> tuple[int, int, int]:
        """Channels, rows and columns before pooling."""
        return self.nodes, self.sliding.rows, self.sliding.columns

    def _gather(self, below: Array, patches: Array) -> None:
        """Write what windows see of activations below, (sets, rows, columns): (sets, G, width, windows * columns)."""
        sliding, groups = self.sliding, len(self.blocks)
        images = self._below.of(below)
        seen = patches[:, :, :-1].reshape(
            len(below), groups, -1, sliding.size, sliding.size, sliding.rows, sliding.columns, below.shape[-1]
        )
        sliding.patches(images.reshape(len(below), groups, -1, *images.shape[2:]), seen)

    def trace(self, weights: Array, below: Array) -> Trace:
        """The forward pass of some weights, (n,), from activations below, (rows, columns)."""
        columns = below.shape[1]
        matrices = np.stack([matrix.of(weights) for matrix in self.matrices])
        seen = tuple(self._seen(below)) if columns <= self._together() else ()
        sums = self._sums(matrices, columns, seen or self._seen(below))
        pooled = self.pool.of(sums)
        zeros = np.zeros((self.rows, columns), np.float32)
        activations = self._activated(pooled[np.newaxis], zeros)[0]
        return Trace(matrices, self._kernel(matrices), below, seen, sums, pooled, activations, zeros)

    def _sums(self, matrices: Array, columns: int, seen: Iterable[tuple[slice, Array]]) -> Array:
        """The sums, (channels, height, width, columns), of what windows see."""
        sums = np.empty((*self._map, columns), np.float32)
        for some, patches in seen:
            np.copyto(sums[..., some], np.matmul(matrices, patches).reshape(*self._map, -1))
        return sums

    def _seen(self, below: Array) -> Iterator[tuple[slice, Array]]:
        """What windows see of activations below, (rows, columns), as many columns at once as memory allows.

        Yields which columns, and (G, width, windows * columns).
        """
        together = self._together()
        for start in range(0, below.shape[1], together):
            some = slice(start, min(start + together, below.shape[1]))
            patches = np.empty((1, len(self.blocks), self.width, self.windows * (some.stop - start)), np.float32)
            patches[:, :, -1] = 1
            self._gather(below[np.newaxis, :, some], patches)
            yield some, patches[0]

    def _together(self) -> int:
        """Of how many columns all that windows see is kept in memory at once."""
        return max(1, PATCHES_BYTES // (4 * len(self.blocks) * self.width * self.windows))

    def _kernel(self, matrices: Array) -> Array:
        """The weights, without biases, as (channels, channels below, size, size)."""
        groups, rows, _ = matrices.shape
        size = self.sliding.size
        kernel = np.zeros((groups, rows, groups, self._below.channels // groups, size, size), np.float32)
        for number, matrix in enumerate(matrices):
            kernel[number, :, number] = matrix[:, :-1].reshape(rows, -1, size, size)
        return kernel.reshape(self.nodes, self._below.channels, size, size)

    def _activated(self, pooled: Array, zeros: Array) -> Array:
        """The activations, (experiments, rows + 1, columns), of pooled sums, (experiments, …, columns)."""
        flat = pooled.reshape(len(pooled), -1, pooled.shape[-1])
        padded = np.empty((len(flat), flat.shape[1] + 1, flat.shape[2]), np.float32)
        padded[:, :-1] = flat
        return self.neurons.below_others(padded, zeros)

    def movable(self, trace: Trace | None = None) -> Iterator[Movable]:
        """Its channels, at each place."""
        yield Movable(self, trace)

    @property
    def products(self) -> int:
        """Multiplications per example of the forward pass."""
        return self.nodes * self.width * self.windows * self._below.times

    def size(self, trace: Trace) -> float:
        """√2 times the inputs' root mean square, but no less than makes sense to its neurons."""
        return max(self.neurons.smallest_step, mean_size(trace.inputs))

    def reach(self) -> Reach:
        """A move changes one place."""
        return Reach(1, (1, 1))

    def moved(self, trace: Trace, steps: Array, at: slice, group: int, place: int) -> Moved:
        """The change in activations at a place due to steps of the channels `at`, (channels, examples)."""
        if self._below.times > 1:  # a constant step, at each time
            steps = np.tile(steps, self._below.times)
        row, column = divmod(place, self._image[1])
        if not self.neurons.linear:
            activations = self._activated((trace.pooled[at, row, column] + steps)[np.newaxis], trace.zeros)[0, :-1]
            before = trace.activations[:-1].reshape(*self.shape, -1)[at, row, column]
            steps = np.subtract(activations, before)
        return Moved(steps, at, group, place, self.places)

    def after(self, trace: Trace, change: Change) -> Change:
        """The activations after a change below: of the windows that see it, if it is in a part of the image."""
        if isinstance(change, Everything):
            return self._after_everything(trace, change)
        made = changed_sums(self.sliding, trace.kernel, change)
        rows, columns = self.pool.reached(made.rows, self._image[0]), self.pool.reached(made.columns, self._image[1])
        if rows.size * columns.size == 0 or made.changes.size == 0:
            nothing = np.zeros((len(made.changes), self.nodes, 1, 1, trace.activations.shape[1]), np.float32)
            return Window(nothing, 0, 0, self._image)
        pooled = self.pool.of(self._sums_after(trace, made, self.pool.covered(rows), self.pool.covered(columns)))
        changes = self._activated(pooled, trace.zeros)[:, :-1].reshape(*pooled.shape[:-1], -1)
        before = trace.activations[:-1].reshape(*self.shape, -1)
        changes -= before[:, rows.picked, columns.picked]
        return Window(changes, rows.start, columns.start, self._image)

    def _sums_after(self, trace: Trace, made: Part, rows: Span, columns: Span) -> Array:
        """The sums of these rows and columns with what has changed, (experiments, channels, rows, columns, columns)."""
        before = trace.sums[:, rows.picked, columns.picked]
        if (rows, columns) == (made.rows, made.columns):
            return np.add(made.changes, before, out=made.changes)
        sums = np.empty((len(made.changes), *before.shape), np.float32)
        sums[:] = before
        (down, from_rows), (across, from_columns) = rows.shared(made.rows), columns.shared(made.columns)
        sums[:, :, down, across] += made.changes[:, :, from_rows, from_columns]
        return sums

    def _after_everything(self, trace: Trace, change: Everything) -> Everything:
        """The activations for activations below, one experiment after the other."""
        sums = [self._sums(trace.matrices, below.shape[1], self._seen(below)) for below in change.activations]
        pooled = np.stack([self.pool.of(each) for each in sums])
        return Everything(self._activated(pooled, trace.zeros))

    def reached(self, below: Reach) -> Reach:
        """The windows that see the change, and the squares that they are pooled in."""
        pool, times = self.pool.size, self._below.times
        if below.window is None:
            numbers = self.windows * self.nodes
            cost = numbers * (self.width + PLACE_COST)
            return Reach(self.rows, None, below.multiplications + times * cost, below.numbers + times * numbers)
        seen = [
            min((extent + self.sliding.size - 2) // self.sliding.stride + 1, most)
            for extent, most in zip(below.window, self._map[1:], strict=True)
        ]
        squares = [min(-(-extent // pool) + (pool > 1), most) for extent, most in zip(seen, self._image, strict=True)]
        channels = below.rows // (below.window[0] * below.window[1])
        products = seen[0] * seen[1] * self.nodes * channels
        numbers = squares[0] * squares[1] * pool**2 * self.nodes
        cost = below.multiplications + times * (products + PLACE_COST * numbers)
        rows = self.nodes * squares[0] * squares[1]
        return Reach(rows, (squares[0], squares[1]), cost, below.numbers + times * numbers)

    def gradient(self, trace: Trace, slopes: Array, at: slice, out: Array) -> None:
        """Write the gradient of channels' weights, (channels, width), from slopes, (channels, places, examples)."""
        if self._below.times > 1:  # a step is constant in time, and so are the inputs that it stands for
            slopes = np.tile(slopes / np.float32(self._below.times), self._below.times)
        spread = self.pool.spread(slopes.reshape(len(slopes), *self._image, -1), trace.sums[at], trace.pooled[at])
        out[:] = 0
        rows = self.blocks[0].rows
        for some, seen in trace.seen or self._seen(trace.inputs):
            here = spread[..., some].reshape(len(spread), -1)
            for number, patches in enumerate(seen):
                first, last = max(at.start, number * rows) - at.start, min(at.stop, (number + 1) * rows) - at.start
                if first < last:
                    out[first:last] += here[first:last] @ patches.T

    def scale_start(self, weights: Array, deviation: Start) -> None:
        """Make the initial weights normal, with zero biases."""
        for block in self.blocks:
            matrix = block.matrix(weights)
            matrix[:, :-1] *= np.float32(deviation(block.columns - 1, block.rows * self.sliding.size**2))
            matrix[:, -1] = 0

    def named(self, weights: Array) -> Iterator[tuple[str, Array]]:
        """`weights` (channels, channels seen, size, size) and `biases` (channels,)."""
        matrix = self._stacked(weights)
        size = self.sliding.size
        yield "weights", np.ascontiguousarray(matrix[:, :-1]).reshape(self.nodes, -1, size, size)
        yield "biases", np.ascontiguousarray(matrix[:, -1])

    def take(self, arrays: dict[str, Array], weights: Array) -> None:
        """Write the tensors into the flat weights, (n,). Raises KeyError or ValueError if they are another layer's."""
        size = self.sliding.size
        shape = self.nodes, (self.width - 1) // size**2, size, size
        if arrays["weights"].shape != shape or arrays["biases"].shape != (self.nodes,):
            raise ValueError(f"the weights are {arrays['weights'].shape}, not {shape}")
        matrix = self._stacked(weights)
        matrix[:, :-1] = arrays["weights"].reshape(self.nodes, -1)
        matrix[:, -1] = arrays["biases"]

    def _stacked(self, weights: Array) -> Array:
        """The weights of all channels as one matrix, (channels, width): a view, as the groups follow each other."""
        return weights[self.blocks[0].start : self.blocks[-1].stop].reshape(self.nodes, self.width)


WORD = re.compile(r"(\d+)x(\d+)(?:s(\d+))?(?:p(\d{1,9}))?(?:g(\d+))?")


def from_word(arguments: str, builder: Builder) -> Convolution:
    """The layer of a word such as conv16x5: 16 channels of 5 × 5; also with a stride, zeros around, and groups."""
    found = WORD.fullmatch(arguments)
    if found is None:
        raise SettingError(
            f"network.layers: expected channels and size such as conv16x5, perhaps with a stride, zeros around it and "
            f"groups as in conv16x5s2p2g4, got {brief('conv' + arguments)}"
        )
    word = f"conv{arguments}"
    channels, size, stride, groups = (whole(found[part] or "1", f"numbers above 0 in {word}") for part in (1, 2, 3, 5))
    below = builder.images(word)
    padding = int(found[4]) if found[4] else (size // 2 if builder.same_size else 0)
    if padding >= size:
        raise builder.misfit(word, f"has {padding} rows of zeros around its image, of which it sees only {size - 1}")
    sliding = Sliding(size, stride, padding, below.height, below.width)
    if sliding.rows < 1 or sliding.columns < 1:
        raise builder.misfit(word, f"sees {size} × {size}, which must not be more than its image has")
    if channels % groups or below.channels % groups:
        raise builder.misfit(word, f"has {groups} groups, which must divide the channels")
    precision = builder.precision()
    columns = below.channels // groups * size**2 + 1
    matrices = [builder.matrix(channels // groups, columns, precision) for _ in range(groups)]
    return Convolution(matrices, builder.neurons(), below, sliding)
