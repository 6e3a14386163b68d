"""What an experiment changes in the activations of a layer: a few nodes, a part of an image, or everything.

Images are laid out (channels, height, width), row by row, so that a layer's activations are rows of numbers whatever
its shape. A layer is told what has changed below it, and says what that changes in its own activations.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Numbers = NDArray[np.intp]
Columns: TypeAlias = slice | Numbers


class Moved(NamedTuple):
    """Some of a layer's activations changed, each group of them in an experiment of its own."""

    changes: Array  # (changed, columns)
    at: slice  # the channels that are changed; of a layer that is no image, its neurons
    group: int  # how many of them each experiment changes
    place: int = 0  # in the image, counted row by row
    places: int = 1  # of the whole image

    @property
    def experiments(self) -> int:
        """The number of experiments."""
        return -(-len(self.changes) // self.group)

    @property
    def rows(self) -> slice:
        """Where the changed activations stand among all of the layer's."""
        first, count = self.at.start * self.places + self.place, len(self.changes)
        return slice(first, first + (count - 1) * self.places + 1, self.places)

    def everything(self, before: Array) -> Array:
        """All of the layer's activations, (experiments, rows, columns), given those of no experiment."""
        after = np.repeat(before[np.newaxis], self.experiments, axis=0)
        numbers = np.arange(len(self.changes))
        rows = self.rows
        after[numbers // self.group, rows.start + numbers * self.places] += self.changes
        return after

    def window(self, channels: int, image: tuple[int, int]) -> "Window":
        """The same as a part of the image, of one place and all channels."""
        changes = np.zeros((self.experiments, channels, 1, 1, self.changes.shape[1]), np.float32)
        numbers = np.arange(len(self.changes))
        changes[numbers // self.group, self.at.start + numbers, 0, 0] = self.changes
        return Window(changes, *divmod(self.place, image[1]), image)

    def in_columns(self, columns: Columns) -> "Moved":
        """The change in some of the columns."""
        return self._replace(changes=_columns(self.changes, columns))

    def of_pairs(self, before: Array, experiments: Numbers, columns: Numbers) -> Array:
        """All activations of some experiments in a column each, (pairs, rows), given those of no experiment."""
        after = before.T[columns]
        for number in range(self.group):
            changed = experiments * self.group + number
            some = np.flatnonzero(changed < len(self.changes))
            changed = changed[some]
            after[some, self.rows.start + changed * self.places] += self.changes[changed, columns[some]]
        return after

    def stacked(self) -> Array:
        """The changes by experiment, (experiments, group, columns), with zeros for what a last group lacks."""
        missing = -len(self.changes) % self.group
        changes = np.pad(self.changes, ((0, missing), (0, 0))) if missing else self.changes
        return changes.reshape(-1, self.group, changes.shape[1])


class Window(NamedTuple):
    """All channels changed in a part of the image."""

    changes: Array  # (experiments, channels, height, width, columns)
    top: int
    left: int
    image: tuple[int, int]  # the whole image's height and width

    @property
    def experiments(self) -> int:
        """The number of experiments."""
        return len(self.changes)

    def of(self, images: Array) -> Array:
        """This part of images, (…, height, width, columns)."""
        height, width = self.changes.shape[2:4]
        return images[..., self.top : self.top + height, self.left : self.left + width, :]

    def plus(self, other: "Window") -> "Window":
        """The changes of both; the other may be in another part."""
        height, width = (
            max(start + extent, beside + other_extent) - min(start, beside)
            for start, extent, beside, other_extent in zip(
                (self.top, self.left),
                self.changes.shape[2:4],
                (other.top, other.left),
                other.changes.shape[2:4],
                strict=True,
            )
        )
        experiments, channels, *_, columns = self.changes.shape
        top, left = min(self.top, other.top), min(self.left, other.left)
        both = Window(np.zeros((experiments, channels, height, width, columns), np.float32), top, left, self.image)
        for each in (self, other):
            down, across = each.top - top, each.left - left
            part = Window(each.changes, down, across, (height, width))
            part.of(both.changes)[:] += each.changes
        return both

    def everything(self, before: Array) -> Array:
        """All of the layer's activations, (experiments, rows, columns), given those of no experiment."""
        after = np.repeat(before[np.newaxis], len(self.changes), axis=0)
        _, channels, height, width, columns = self.changes.shape
        rows = channels * self.image[0] * self.image[1]
        images = after[:, :rows].reshape(len(after), channels, *self.image, columns)
        images[:, :, self.top : self.top + height, self.left : self.left + width] += self.changes
        return after

    def in_columns(self, columns: Columns) -> "Window":
        """The change in some of the columns."""
        return self._replace(changes=_columns(self.changes, columns))

    def of_pairs(self, before: Array, experiments: Numbers, columns: Numbers) -> Array:
        """All activations of some experiments in a column each, (pairs, rows), given those of no experiment."""
        after = before.T[columns]
        _, channels, height, width, _ = self.changes.shape
        images = after[:, : channels * self.image[0] * self.image[1]].reshape(len(after), channels, *self.image)
        part = images[:, :, self.top : self.top + height, self.left : self.left + width]
        part += self.changes[experiments, :, :, :, columns]
        return after


class Everything(NamedTuple):
    """All activations may have changed."""

    activations: Array  # (experiments, rows, columns)

    @property
    def experiments(self) -> int:
        """The number of experiments."""
        return len(self.activations)

    def everything(self, before: Array) -> Array:
        """All of the layer's activations, (experiments, rows, columns)."""
        return self.activations

    def in_columns(self, columns: Columns) -> "Everything":
        """The change in some of the columns."""
        return Everything(_columns(self.activations, columns))

    def of_pairs(self, before: Array, experiments: Numbers, columns: Numbers) -> Array:
        """All activations of some experiments in a column each, (pairs, rows)."""
        return self.activations[experiments, :, columns]


def _columns(array: Array, columns: Columns) -> Array:
    """Some of the columns, the last axis."""
    if isinstance(columns, slice):
        return array[..., columns]
    return array.take(columns, axis=-1)


Change: TypeAlias = Moved | Window | Everything


class Reach(NamedTuple):
    """How far a change reaches in a layer, and what it has cost to find out: for prices, not for results."""

    rows: int  # activations changed per experiment
    window: tuple[int, int] | None = None  # of the image, if only a part of it
    multiplications: float = 0.0  # per example
    numbers: int = 0  # kept at once, per experiment and column
