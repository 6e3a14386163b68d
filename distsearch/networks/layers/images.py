"""Windows that slide over images: what each sees, which see a place, and what a change there changes in their sums."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.networks.changes import Moved, Window
from distsearch.networks.graph import Graph, Value

Array = NDArray[np.float32]


class Span(NamedTuple):
    """A run of rows or columns, [start, stop)."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """How many there are."""
        return self.stop - self.start

    @property
    def picked(self) -> slice:
        """The same for indexing."""
        return slice(self.start, self.stop)

    def shared(self, other: "Span") -> tuple[slice, slice]:
        """Where what both have stands among these, and among the others."""
        lo = max(self.start, other.start)
        hi = max(lo, min(self.stop, other.stop))
        return slice(lo - self.start, hi - self.start), slice(lo - other.start, hi - other.start)


class Images(NamedTuple):
    """The images that a layer sees: their channels first or, as examples have them, last."""

    channels: int
    height: int
    width: int
    times: int = 1  # time steps
    channels_last: bool = False

    def of(self, rows: Array) -> Array:
        """Activations, (sets, rows, columns), as images: a view, (sets, channels, height, width, columns)."""
        sets, columns = len(rows), rows.shape[-1]
        numbers = rows[:, : self.channels * self.height * self.width]
        if self.channels_last:
            return numbers.reshape(sets, self.height, self.width, self.channels, columns).transpose(0, 3, 1, 2, 4)
        return numbers.reshape(sets, self.channels, self.height, self.width, columns)

    def express(self, graph: Graph, value: Value) -> Value:
        """Activations, (examples, numbers), as images, (examples, channels, height, width)."""
        if not self.channels_last:
            return graph.reshaped(value, self.channels, self.height, self.width)
        return graph.add("Transpose", graph.reshaped(value, self.height, self.width, self.channels), perm=[0, 3, 1, 2])


class Sliding(NamedTuple):
    """Square windows that slide over an image with zeros around it."""

    size: int
    stride: int
    padding: int
    height: int  # of the image
    width: int

    @property
    def rows(self) -> int:
        """The number of windows below each other; below 1 if the image is too small."""
        return (self.height + 2 * self.padding - self.size) // self.stride + 1

    @property
    def columns(self) -> int:
        """The number of windows beside each other; below 1 if the image is too small."""
        return (self.width + 2 * self.padding - self.size) // self.stride + 1

    def reached(self, rows: Span, columns: Span) -> tuple[Span, Span]:
        """The windows that see any of these rows and columns of the image."""
        return self._reached(rows, self.rows), self._reached(columns, self.columns)

    def _reached(self, some: Span, count: int) -> Span:
        first = -(-(some.start + self.padding - self.size + 1) // self.stride)
        last = (some.stop - 1 + self.padding) // self.stride
        return Span(max(0, first), min(count - 1, last) + 1)

    def patches(self, images: Array, out: Array) -> None:
        """Write what each window sees of images (…, height, width, columns).

        out is (…, size, size, rows of windows, columns of windows, columns).
        """
        if self.padding:
            around = (self.padding, self.padding)
            images = np.pad(images, [(0, 0)] * (images.ndim - 3) + [around, around, (0, 0)])
        self._gather(images, out)

    def _gather(self, images: Array, out: Array) -> None:
        """Write what each window sees of images with whatever is around them."""
        down, across = ((count - 1) * self.stride + 1 for count in out.shape[-3:-1])
        for row in range(self.size):
            for column in range(self.size):
                seen = images[..., row : row + down : self.stride, column : column + across : self.stride, :]
                out[..., row, column, :, :, :] = seen

    def patches_of_part(self, part: "Part", rows: Span, columns: Span) -> Array:
        """What these windows see of changes in a part of the image, which is otherwise zero.

        Returns (experiments, channels, size, size, rows of windows, columns of windows, columns).
        """
        experiments, channels, *_, examples = part.changes.shape
        top, left = rows.start * self.stride - self.padding, columns.start * self.stride - self.padding
        seen_rows = Span(top, top + (rows.size - 1) * self.stride + self.size)
        seen_columns = Span(left, left + (columns.size - 1) * self.stride + self.size)
        seen = np.zeros((experiments, channels, seen_rows.size, seen_columns.size, examples), np.float32)
        # A stride may leave rows or columns, at either end, that no window sees.
        (down, from_rows), (across, from_columns) = seen_rows.shared(part.rows), seen_columns.shared(part.columns)
        seen[:, :, down, across] = part.changes[:, :, from_rows, from_columns]
        patches = np.empty((experiments, channels, self.size, self.size, rows.size, columns.size, examples), np.float32)
        self._gather(seen, patches)
        return patches


class Part(NamedTuple):
    """Changes in a part of an image."""

    changes: Array  # (experiments, channels, rows, columns, examples)
    rows: Span
    columns: Span


def changed_sums(sliding: Sliding, kernel: Array, change: Moved | Window) -> Part:
    """What a change below changes in the sums of the windows that see it; an empty part if none does.

    kernel is (channels, channels below, size, size).
    """
    if isinstance(change, Moved):
        row, column = divmod(change.place, sliding.width)
        above, beside = Span(row, row + 1), Span(column, column + 1)
    else:
        height, width = change.changes.shape[2:4]
        above, beside = Span(change.top, change.top + height), Span(change.left, change.left + width)
    rows, columns = sliding.reached(above, beside)
    if rows.size <= 0 or columns.size <= 0:
        nothing = np.empty((change.experiments, len(kernel), 0, 0, change.changes.shape[-1]), np.float32)
        return Part(nothing, Span(0, 0), Span(0, 0))
    if isinstance(change, Moved):
        kernel = _facing(sliding, kernel[:, change.at], (above.start, beside.start), rows, columns)
        return Part(_products(kernel, change), rows, columns)
    patches = sliding.patches_of_part(Part(change.changes, above, beside), rows, columns)
    sums = np.matmul(kernel.reshape(len(kernel), -1), patches.reshape(len(patches), kernel[0].size, -1))
    return Part(sums.reshape(len(patches), len(kernel), rows.size, columns.size, -1), rows, columns)


def _facing(sliding: Sliding, kernel: Array, place: tuple[int, int], rows: Span, columns: Span) -> Array:
    """The weights by which some windows see a place, (channels, channels below, rows, columns)."""
    down = place[0] + sliding.padding - sliding.stride * np.arange(rows.start, rows.stop)
    across = place[1] + sliding.padding - sliding.stride * np.arange(columns.start, columns.stop)
    return kernel[:, :, down[:, np.newaxis], across]


def _products(kernel: Array, change: Moved) -> Array:
    """The products of moved channels, (channels, moved, rows, columns), with what changes in each experiment.

    Returns (experiments, channels, rows, columns, examples).
    """
    channels, moved, *window = kernel.shape
    if change.group == 1:
        return kernel.transpose(1, 0, 2, 3)[..., np.newaxis] * change.changes[:, np.newaxis, np.newaxis, np.newaxis]
    if missing := -moved % change.group:
        kernel = np.pad(kernel, ((0, 0), (0, missing), (0, 0), (0, 0)))
    split = kernel.reshape(channels, -1, change.group, *window).transpose(1, 0, 3, 4, 2)
    products = np.matmul(split.reshape(len(split), -1, change.group), change.stacked())
    return products.reshape(len(split), channels, *window, -1)
