"""Optimisers turn an estimated gradient into a change of the weights, as pure functions of their moments."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

FIRST_DECAY, SECOND_DECAY, EPSILON = 0.9, 0.999, 1e-8
SMALLEST_RATE = 1e-30  # below it, float32 has no number for what the roots are multiplied by


@dataclass(frozen=True, slots=True)
class Moments:
    """Running means of the gradient and of its square, each (n,), read-only."""

    first: Array
    second: Array

    @classmethod
    def zero(cls, weights_count: int) -> "Moments":
        """The moments before the first gradient."""
        nothing = np.zeros(weights_count, np.float32)
        nothing.flags.writeable = False
        return cls(nothing, nothing)

    @classmethod
    def empty(cls, weights_count: int) -> "Moments":
        """Memory for the moments of that many weights."""
        return cls(np.empty(weights_count, np.float32), np.empty(weights_count, np.float32))

    def within(self, numbers: slice) -> "Moments":
        """Those of some of the weights, as views."""
        return Moments(self.first[numbers], self.second[numbers])


class Optimizer(ABC):
    """Computes the change of the weights from a gradient and its predecessors, each weight by itself."""

    @abstractmethod
    def change(self, moments: Moments, gradient: Array, rate: float, count: int, out: Moments) -> Array:
        """What to subtract from the weights, as a new array, (n,); the next moments are written to `out`.

        gradient, (n,), is the `count`th, counting from 1, and rate the learning rate.
        """


class Momentum(Optimizer):
    """Heavy-ball momentum: the running mean of the gradients."""

    def change(self, moments: Moments, gradient: Array, rate: float, count: int, out: Moments) -> Array:
        """η m."""
        out.second[:] = moments.second
        return _first(moments, gradient, out) * np.float32(rate)


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1, its steps in the order of the end of section 2)."""

    def change(self, moments: Moments, gradient: Array, rate: float, count: int, out: Moments) -> Array:
        """η m̂ / (√v̂ + ε), as m / (√v/α + ε/α') with all factors of each in one."""
        first = _first(moments, gradient, out)
        second = np.multiply(moments.second, np.float32(SECOND_DECAY), out=out.second)
        squares = np.square(gradient)
        squares *= np.float32(1 - SECOND_DECAY)
        second += squares
        if rate < SMALLEST_RATE:
            return np.zeros_like(first)
        scale = (1 - FIRST_DECAY**count) / rate
        root = np.sqrt(second, out=squares)
        root *= np.float32(scale / math.sqrt(1 - SECOND_DECAY**count))
        root += np.float32(scale * EPSILON)
        return np.divide(first, root, out=root)


def _first(moments: Moments, gradient: Array, out: Moments) -> Array:
    first = np.multiply(moments.first, np.float32(FIRST_DECAY), out=out.first)
    first += np.float32(1 - FIRST_DECAY) * gradient
    return first


OPTIMIZERS: dict[str, Optimizer] = {"adam": Adam(), "momentum": Momentum()}
