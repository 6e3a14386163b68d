"""Losses of many candidates at once, from outputs (candidates, outputs, examples) to sums (candidates,).

Each gives the sum over the examples, so that a data set may be worked through in chunks; the objective divides.
Targets are (outputs, examples): the numbers to be met, or ones and zeros with a one at each example's class.
The outputs are scratch: a loss may write over them. A candidate's sum must not depend on its neighbours, to the bit:
what each output adds to it is laid out with the outputs inside, and so summed in one order for any number of them.
"""

from abc import ABC, abstractmethod
from inspect import isabstract
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from distsearch.registry import Registry

Array = NDArray[np.float32]


class Loss(ABC):
    """A loss; `numbers` says that it compares numbers (regression), not classes."""

    numbers: ClassVar[bool] = False
    flat: ClassVar[bool] = False
    """Whether it is flat between steps."""
    degree: ClassVar[int | None] = None
    """The power of the targets' unit that it is in, as 2 for a squared error: then targets may be standardised, and
    the loss is reported in their unit all the same. None: it depends on the unit, so targets stay as they are."""

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

    def sums(self, outputs: Array, targets: Array, weights: Array | None) -> Array:
        """The sum of weight × loss over the examples for each candidate, (candidates,); weights are (examples,)."""
        if weights is None:
            return self.total(outputs, targets)
        return np.add.reduce(self.weighted(outputs, targets, weights), axis=1)


class CrossEntropy(Loss):
    """−log softmax of the right class."""

    def each(self, outputs: Array, targets: Array) -> Array:
        """As in `total`, without the sum."""
        np.subtract(outputs, np.maximum.reduce(outputs, axis=1, keepdims=True), out=outputs)
        right = np.einsum("coe,oe->ce", outputs, targets)
        np.exp(outputs, out=outputs)
        sums = np.add.reduce(outputs, axis=1)
        return np.subtract(np.log(sums, out=sums), right, out=right)

    def total(self, outputs: Array, targets: Array) -> Array:
        """Σ log Σₖ exp(zₖ) − z of the right class, with every example's largest z moved to 0."""
        np.subtract(outputs, np.maximum.reduce(outputs, axis=1, keepdims=True), out=outputs)
        right = np.add.reduce(np.vecdot(outputs, targets, order="C"), axis=1)
        np.exp(outputs, out=outputs)
        sums = np.add.reduce(outputs, axis=1)
        return np.add.reduce(np.log(sums, out=sums), axis=1) - right


class ClassificationError(Loss):
    """The share of examples whose largest output is not the right class's (0–1 loss; ties count as errors)."""

    flat = True

    def each(self, outputs: Array, targets: Array) -> Array:
        """1 where the right class is not strictly above all others, else 0."""
        return np.subtract(np.float32(1), are_hits(outputs, targets), dtype=np.float32)

    def total(self, outputs: Array, targets: Array) -> Array:
        """The number of examples whose right class is not strictly above all others."""
        return np.float32(outputs.shape[2]) - hits(outputs, targets)


class MeanSquaredError(Loss):
    """The mean over outputs of (z − y)²."""

    numbers = True
    degree = 2

    def each(self, outputs: Array, targets: Array) -> Array:
        """Σ over the outputs of (z − y)² / outputs."""
        np.subtract(outputs, targets, out=outputs)
        np.multiply(outputs, outputs, out=outputs)
        return np.add.reduce(outputs, axis=1) / np.float32(outputs.shape[1])

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
        return np.add.reduce(outputs, axis=1) / np.float32(outputs.shape[1])

    def total(self, outputs: Array, targets: Array) -> Array:
        """Σ |z − y| / outputs."""
        np.subtract(outputs, targets, out=outputs)
        np.abs(outputs, out=outputs)
        sums = np.ascontiguousarray(np.add.reduce(outputs, axis=2))
        return np.add.reduce(sums, axis=1) / np.float32(outputs.shape[1])


def _is_loss(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, Loss) and not isabstract(found)


_OURS: dict[str, type[Loss]] = {
    "cross-entropy": CrossEntropy,
    "mean-squared-error": MeanSquaredError,
    "mean-absolute-error": MeanAbsoluteError,
    "classification-error": ClassificationError,
}
_ALSO_CALLED = {
    **dict.fromkeys(("ce", "crossentropy", "categorical-crossentropy", "log-loss", "nll"), "cross-entropy"),
    **dict.fromkeys(("mse", "squared-error", "l2"), "mean-squared-error"),
    **dict.fromkeys(("mae", "absolute-error", "l1"), "mean-absolute-error"),
    **dict.fromkeys(("0-1", "zero-one", "error"), "classification-error"),
}
LOSSES: Registry[type[Loss]] = Registry(
    "loss", "losses", _OURS, _is_loss, "a subclass of distsearch.objectives.losses.Loss", _ALSO_CALLED
)


AUTO = "auto"
"""The name that stands for the loss that suits the targets."""


def suited(name: str, classes: bool) -> str:
    """The name of the loss, chosen by whether there are classes to be learnt if it was left open."""
    if name != AUTO:
        return name
    return "cross-entropy" if classes else "mean-squared-error"


def create(name: str) -> Loss:
    """The loss of that name; SettingError if there is none."""
    return LOSSES.find(name, also=(AUTO,))()


def hits(outputs: Array, targets: Array) -> Array:
    """The number of examples whose right class is strictly above all others, (candidates,)."""
    return np.add.reduce(are_hits(outputs, targets), axis=1, dtype=np.float32)


def correct(outputs: Array, targets: Array) -> Array:
    """The number of examples whose right class is predicted, (candidates,).

    That is the first of the largest outputs. As a loss a tie counts as an error, see `hits`: it has not been decided.
    """
    predicted = outputs.argmax(axis=1)  # (candidates, examples)
    return np.add.reduce(targets[predicted, np.arange(targets.shape[1])], axis=1, dtype=np.float32)


def are_hits(outputs: Array, targets: Array) -> NDArray[np.bool_]:
    """Whether an example's right class is strictly above all others, (candidates, examples)."""
    # The right class's output is taken out (to −∞) before the maximum of the others, so that a tie is no hit.
    right = np.add.reduce(outputs * targets, axis=1)
    others = np.maximum.reduce(np.where(targets > 0, -np.inf, outputs), axis=1)
    return np.greater(right, others)
