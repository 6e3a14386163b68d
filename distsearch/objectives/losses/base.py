"""What every loss is: of many candidates at once, from their outputs, (candidates, outputs, examples).

Targets are (outputs, examples): the numbers to be met, or ones and zeros with a one at each example's class.
The outputs are scratch: a loss may write over them. A candidate's loss must not depend on its neighbours, to the bit:
what each output adds to it is laid out with the outputs inside, and so summed in one order for any number of them.

A data set is worked through in chunks: a loss says what it needs of each (`part`), and what they come to (`joined`).
Most losses are means over the examples, and need the sum over each chunk.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
POWER = np.float32(0.7)  # see `paid`
RARE = 1 / 3  # of the examples of the most frequent class, up to which a class is rare
Each = Callable[[Array, Array, Array | None], Array]
"""Weight × loss of every example, (candidates, examples), from outputs, targets and weights of some examples."""


class Terms(NamedTuple):
    """What a loss may depend on beside outputs and targets; None for what the user has left open."""

    classes: int = 2
    quantile: float | None = None
    delta: float | None = None
    beta: float | None = None
    top: int | None = None
    positive: int | None = None
    """The number of the class whose precision and recall count, where there are two."""
    costs: Array | None = None
    """Of each prediction for each true class, (true classes, predicted classes)."""
    costs_by_example: bool = False
    """Whether each example has its own costs of each prediction, which stand below the targets."""


class Loss(ABC):
    """A mean over the examples; `numbers` says that it compares numbers (regression), not classes."""

    numbers: bool = False
    flat: bool = False
    """Whether it is flat between steps."""
    found_flat: bool = False
    """Whether it was found to be, where nothing says so: what is chosen looks at it, what was chosen stays."""
    degree: int | None = None
    """The power of the targets' unit that it is in, as 2 for a squared error: then targets may be standardised, and
    the loss is reported in their unit all the same. None: it depends on the unit, so targets stay as they are."""
    takes: ClassVar[tuple[str, ...]] = ()
    """The settings that it looks at."""
    whole: bool = False
    """Whether it is no mean over examples, but a function of all of them together."""
    weighs: bool = True
    """Whether some examples may count more than others."""
    by_example: bool = True
    """Whether it can tell what a change of one example's outputs does, as node perturbation needs."""
    probable: bool = False
    """Whether the softmax of the outputs estimates the probabilities of the classes."""
    of_module: bool = False
    """Whether it is given the torch module and a batch, and no outputs."""
    logarithms: bool = False
    """Whether the outputs are logarithms of the predicted numbers."""
    least: float = -inf
    """The smallest number that it can compare with what is predicted."""

    @classmethod
    def of(cls, terms: Terms) -> Self:
        """The loss on such terms. SettingError if they do not fit."""
        return cls()

    @abstractmethod
    def each(self, outputs: Array, targets: Array) -> Array:
        """The loss of every example for each candidate, (candidates, examples)."""

    @abstractmethod
    def total(self, outputs: Array, targets: Array) -> Array:
        """The sum over the examples for each candidate, (candidates,)."""

    def weighted(self, outputs: Array, targets: Array, weights: Array | None) -> Array:
        """Weight × loss of every example for each candidate, (candidates, examples); weights are (examples,)."""
        losses = self.each(outputs, targets)
        return losses if weights is None else np.multiply(losses, weights, order="C")

    def part(self, outputs: Array, targets: Array, weights: Array | None = None) -> Array:
        """What it needs of a chunk of the examples, (candidates,) or (candidates, numbers).

        Of a mean, the sum of weight × loss over the examples; weights are (examples,).
        """
        if weights is None:
            return self.total(outputs, targets)
        return np.add.reduce(self.weighted(outputs, targets, weights), axis=1)

    def joined(self, parts: Sequence[NDArray[Any]], targets: Array) -> NDArray[np.float64]:
        """The loss of each candidate, (candidates,), from the parts of all chunks in order, and all targets."""
        sums = parts[0]
        for part in parts[1:]:
            sums = np.add(sums, part, dtype=np.float64)
        return sums / np.float64(targets.shape[1])

    def surrogate(self, outputs: Array, targets: Array, weights: Array | None = None) -> Each:
        """A loss of every example whose mean is this one's and that falls where this one does: a mean's are its own.

        outputs, (1, outputs, examples), are the center's on all examples of the round.
        """
        return self.weighted

    def suited(self, counts: NDArray[np.int64]) -> "Loss":
        """The same for data with that many examples of each class, (classes,)."""
        return self

    def predictions(self, outputs: Array) -> Array:
        """The numbers that outputs, (examples, outputs), stand for."""
        return np.exp(outputs) if self.logarithms else outputs


def sum_of_each(each: Array) -> Array:
    """The sums over the examples of losses, (candidates, examples): each row's in one order, wherever it lies."""
    return np.add.reduce(np.ascontiguousarray(each), axis=1)


def mean_over_outputs(values: Array) -> Array:
    """The mean over the outputs, (candidates, examples)."""
    return np.add.reduce(values, axis=1) / np.float32(values.shape[1])


def softmax(outputs: Array) -> Array:
    """The probability of each class, (candidates, classes, examples), in the place of the outputs."""
    np.subtract(outputs, np.maximum.reduce(outputs, axis=1, keepdims=True), out=outputs)
    np.exp(outputs, out=outputs)
    return np.divide(outputs, np.add.reduce(outputs, axis=1, keepdims=True), out=outputs)


def paid(shares: Array, costs: Array) -> Array:
    """Σ over the classes of cost · (1 − (1 − pₖ)^POWER) / POWER, (candidates, examples).

    shares are the probabilities, (candidates, classes, examples); costs, (classes, examples), are 0 or more. Between a
    power of 0, the logarithm, which follows every outlier, and 1, the expected cost, which has no slope where all
    examples are given to one class: the search would stay there. Zhang and Sabuncu 2018, "Generalized cross entropy
    loss", arXiv 1805.07836, equation 6.
    """
    others = np.maximum(np.float32(1) - shares, np.float32(0))
    return np.add.reduce(costs * ((np.float32(1) - others**POWER) / POWER), axis=1)


def with_mean(each: Each, mean: float, outputs: Array, targets: Array, weights: Array | None) -> Each:
    """The losses and a number for all alike, such that their mean at these outputs is as given."""
    rest = np.float32(mean - each(outputs.copy(), targets, weights).mean(dtype=np.float64))
    return lambda outputs, targets, weights: each(outputs, targets, weights) + rest
