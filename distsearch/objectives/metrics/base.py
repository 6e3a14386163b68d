"""What a metric is given: the examples' true values, and what a network makes of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.objectives.losses.base import Array

Values = NDArray[Any]
Metric = Callable[[Values, Values], float]
"""From true values, (examples,) labels or numbers, or (examples, outputs) numbers, and predicted ones alike."""


class Outcome(NamedTuple):
    """A network's outputs on some examples, and what they should be."""

    truth: Values
    """Class numbers, (examples,), or numbers, (examples, outputs)."""
    outputs: Array
    """(examples, outputs)"""
    predicted: Values
    """As `truth`."""
    labels: Values | None = None
    """The classes' labels in the order of the outputs; None where numbers are predicted."""
    positive: int = 1
    """The number of the positive class, if there are two."""
    probable: bool = False
    """Whether the softmax of the outputs estimates the probabilities of the classes."""

    @classmethod
    def of_classes(
        cls, truth: Values, outputs: Array, labels: Values, positive: int = 1, probable: bool = False
    ) -> "Outcome":
        """What outputs, (examples, classes), say of class numbers, (examples,): the largest is predicted."""
        return cls(truth, outputs, outputs.argmax(axis=1), labels, positive, probable)


@dataclass(frozen=True)
class OfOutputs:
    """A metric that looks at the outputs themselves, or at which class is the positive one."""

    value: Callable[[Outcome], float]


def positives(outcome: Outcome) -> list[tuple[NDArray[np.bool_], NDArray[np.float64]]]:
    """Which examples are positive, and their scores, (examples,): for the positive class of two, or for each class."""
    outputs = outcome.outputs.astype(np.float64)
    if outputs.shape[1] == 2:
        own = outcome.positive
        return [(outcome.truth == own, outputs[:, own] - outputs[:, 1 - own])]
    shares = probabilities(outputs)
    return [(outcome.truth == number, shares[:, number]) for number in range(outputs.shape[1])]


def probabilities(outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The softmax of outputs, (examples, classes)."""
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    found: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return found
