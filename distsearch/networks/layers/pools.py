"""Pooling: the largest, or the mean, of each square of an image; what does not fill a square is left."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.networks.graph import Graph, Value
from distsearch.networks.layers.images import Span

Array = NDArray[np.float32]


class Pool(NamedTuple):
    """Squares of that many rows and columns, side by side."""

    size: int = 1
    mean: bool = False  # instead of the largest

    def of(self, images: Array) -> Array:
        """The pooled images, (…, rows // size, columns // size, columns), from (…, rows, columns, columns)."""
        if self.size == 1:
            return images
        corners = list(self._corners(images))
        take = np.add if self.mean else np.maximum
        pooled = take(corners[0], corners[1])
        for corner in corners[2:]:
            take(pooled, corner, out=pooled)
        if self.mean:
            pooled *= np.float32(1 / self.size**2)
        return pooled

    def express(self, graph: Graph, images: Value) -> Value:
        """The pooled images, (examples, channels, rows // size, columns // size)."""
        if self.size == 1:
            return images
        square = [self.size, self.size]
        return graph.add("AveragePool" if self.mean else "MaxPool", images, kernel_shape=square, strides=square)

    def spread(self, slopes: Array, images: Array, pooled: Array) -> Array:
        """Slopes along pooled images as slopes along the images: those of the largest, the first of equals; or shares.

        slopes and pooled are (…, rows // size, columns // size, columns), images (…, rows, columns, columns).
        """
        if self.size == 1:
            return slopes
        spread = np.zeros_like(images)
        left = np.ones(pooled.shape, np.bool_)
        for corner, into in zip(self._corners(images), self._corners(spread), strict=True):
            if self.mean:
                np.multiply(slopes, np.float32(1 / self.size**2), out=into)
                continue
            largest = corner == pooled
            largest &= left
            left &= ~largest
            np.multiply(slopes, largest, out=into)
        return spread

    def reached(self, some: Span, count: int) -> Span:
        """Which of `count` squares have any of these rows."""
        return Span(some.start // self.size, min(count, -(-some.stop // self.size)))

    def covered(self, some: Span) -> Span:
        """The rows of these squares."""
        return Span(some.start * self.size, some.stop * self.size)

    def _corners(self, images: Array) -> list[Array]:
        """The first number of each square, the second, …: views, (…, rows // size, columns // size, columns)."""
        size = self.size
        rows, columns = (count // size * size for count in images.shape[-3:-1])
        return [images[..., down:rows:size, across:columns:size, :] for down in range(size) for across in range(size)]


NO_POOL = Pool()
