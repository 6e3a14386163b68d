"""Losses of numbers: means over the examples and the outputs of what a prediction z is away from the target y."""

from typing import ClassVar, Self

import numpy as np

from distsearch.errors import SettingError
from distsearch.objectives.losses.base import Array, Loss, Terms, mean_over_outputs, sum_of_each


class MeanSquaredError(Loss):
    """The mean over outputs of (z − y)²."""

    numbers = True
    degree = 2

    def each(self, outputs: Array, targets: Array) -> Array:
        """Σ over the outputs of (z − y)² / outputs."""
        np.subtract(outputs, targets, out=outputs)
        np.multiply(outputs, outputs, out=outputs)
        return mean_over_outputs(outputs)

    def total(self, outputs: Array, targets: Array) -> Array:
        """Σ (z − y)² / outputs."""
        np.subtract(outputs, targets, out=outputs)
        return np.add.reduce(np.vecdot(outputs, outputs, order="C"), axis=1) / np.float32(outputs.shape[1])


class MeanAbsoluteError(Loss):
    """The mean over outputs of |z − y|."""

    numbers = True
    degree = 1

    def each(self, outputs: Array, targets: Array) -> Array:
        """Σ over the outputs of |z − y| / outputs."""
        np.subtract(outputs, targets, out=outputs)
        np.abs(outputs, out=outputs)
        return mean_over_outputs(outputs)

    def total(self, outputs: Array, targets: Array) -> Array:
        """Σ |z − y| / outputs."""
        np.subtract(outputs, targets, out=outputs)
        np.abs(outputs, out=outputs)
        sums = np.ascontiguousarray(np.add.reduce(outputs, axis=2))
        return np.add.reduce(sums, axis=1) / np.float32(outputs.shape[1])


class OfErrors(Loss):
    """A mean over outputs of a function of the errors z − y."""

    numbers = True

    def each(self, outputs: Array, targets: Array) -> Array:
        """The mean over the outputs."""
        return mean_over_outputs(self.of_errors(np.subtract(outputs, targets, out=outputs)))

    def total(self, outputs: Array, targets: Array) -> Array:
        """The sum of `each`."""
        return sum_of_each(self.each(outputs, targets))

    def of_errors(self, errors: Array) -> Array:
        """The loss of errors, (candidates, outputs, examples), which it may write over."""
        raise NotImplementedError


class LogCosh(OfErrors):
    """log cosh (z − y): half the square near 0, and |z − y| − log 2 far from it."""

    def of_errors(self, errors: Array) -> Array:
        """|e| + log(1 + exp(−2|e|)) − log 2, which does not overflow."""
        sizes = np.abs(errors, out=errors)
        return sizes + np.log1p(np.exp(np.float32(-2) * sizes)) - np.float32(np.log(2))


class Huber(OfErrors):
    """(z − y)²/2 up to an error of δ, and δ(|z − y| − δ/2) beyond it (Huber 1964, doi 10.1214/aoms/1177703732)."""

    takes: ClassVar[tuple[str, ...]] = ("delta",)

    def __init__(self, delta: float = 1.0) -> None:
        self._delta = np.float32(delta)

    @classmethod
    def of(cls, terms: Terms) -> Self:
        """With δ, 1 if it is left open."""
        return cls() if terms.delta is None else cls(terms.delta)

    def of_errors(self, errors: Array) -> Array:
        """m(|e| − m/2), m the smaller of |e| and δ."""
        sizes = np.abs(errors, out=errors)
        inside = np.minimum(sizes, self._delta)
        return inside * (sizes - np.float32(0.5) * inside)


class Pinball(OfErrors):
    """q(y − z) where z is too low, (1 − q)(z − y) where too high: lowest at the quantile q (Koenker, Bassett 1978)."""

    takes: ClassVar[tuple[str, ...]] = ("quantile",)
    degree = 1

    def __init__(self, quantile: float = 0.5) -> None:
        self._quantile = np.float32(quantile)

    @classmethod
    def of(cls, terms: Terms) -> Self:
        """With the quantile, which has no default."""
        if terms.quantile is None:
            raise SettingError("the loss pinball needs to know the quantile: add --quantile, such as --quantile 0.9")
        return cls(terms.quantile)

    def of_errors(self, errors: Array) -> Array:
        """The larger of −qe and (1 − q)e."""
        return np.maximum(errors * -self._quantile, errors * (np.float32(1) - self._quantile))


class Poisson(Loss):
    """exp(z) − yz, of counts y: the outputs are logarithms of the predicted means."""

    numbers = True
    logarithms = True
    least = 0.0

    def each(self, outputs: Array, targets: Array) -> Array:
        """The mean over the outputs; −log of the likelihood, without what does not depend on the outputs."""
        return mean_over_outputs(np.exp(outputs) - targets * outputs)

    def total(self, outputs: Array, targets: Array) -> Array:
        """The sum of `each`."""
        return sum_of_each(self.each(outputs, targets))
