"""Optimisers turn an estimated gradient into a change of the weights, as pure functions of their moments."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

FIRST_DECAY, SECOND_DECAY, EPSILON = 0.9, 0.999, 1e-8


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


class Optimizer(ABC):
    """Computes the change of the weights from a gradient and its predecessors."""

    @abstractmethod
    def change(self, moments: Moments, gradient: Array, rate: float, count: int) -> tuple[Array, Moments]:
        """What to subtract from the weights, as a new array, (n,), and the next moments.

        gradient, (n,), is the `count`th, counting from 1, and rate the learning rate.
        """


class Momentum(Optimizer):
    """Heavy-ball momentum: the running mean of the gradients."""

    def change(self, moments: Moments, gradient: Array, rate: float, count: int) -> tuple[Array, Moments]:
        """η m."""
        first = _first(moments, gradient)
        return first * np.float32(rate), Moments(first, moments.second)


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1)."""

    def change(self, moments: Moments, gradient: Array, rate: float, count: int) -> tuple[Array, Moments]:
        """η m̂ / (√v̂ + ε)."""
        first = _first(moments, gradient)
        second = np.multiply(moments.second, np.float32(SECOND_DECAY))
        second += np.float32(1 - SECOND_DECAY) * np.square(gradient)
        root = np.sqrt(second)
        root *= np.float32(1 / math.sqrt(1 - SECOND_DECAY**count))
        root += np.float32(EPSILON)
        change = np.divide(first, root, out=root)
        change *= np.float32(rate / (1 - FIRST_DECAY**count))
        second.flags.writeable = False
        return change, Moments(first, second)


def _first(moments: Moments, gradient: Array) -> Array:
    first = np.multiply(moments.first, np.float32(FIRST_DECAY))
    first += np.float32(1 - FIRST_DECAY) * gradient
    first.flags.writeable = False
    return first


OPTIMIZERS: dict[str, Optimizer] = {"adam": Adam(), "momentum": Momentum()}
