"""Losses of classes that are means over the examples."""

from copy import copy
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from distsearch.errors import SettingError
from distsearch.objectives.losses.base import RARE, Array, Each, Loss, Terms, paid, softmax, sum_of_each, with_mean


class CrossEntropy(Loss):
    """−log softmax of the right class."""

    probable = True

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


class CountedErrors(Loss):
    """A share of errors, which is flat between steps.

    Where a class is rare, giving every example to another one is a plateau that moving nodes does not leave: no move
    of a usual size changes a prediction any more. Node perturbation is given the cross-entropy there, by which the
    examples of a rare class pull the harder the farther off they are; the probabilities that it is lowest for give the
    fewest errors.
    """

    flat = True

    def suited(self, counts: NDArray[np.int64]) -> Loss:
        """The same loss; not flat to node perturbation where a class is rare."""
        if counts.min() > RARE * counts.max():
            return self
        followed = copy(self)
        followed.flat, followed.whole = False, True
        return followed

    def surrogate(self, outputs: Array, targets: Array, weights: Array | None = None) -> Each:
        """The errors themselves, or the cross-entropy and a number for all alike; the mean is the share of errors."""
        if not self.whole:
            return self.weighted
        loss = float(self.joined([self.part(outputs.copy(), targets, weights)], targets)[0])
        return with_mean(CrossEntropy().weighted, loss, outputs, targets, weights)


class ClassificationError(CountedErrors):
    """The share of examples whose largest output is not the right class's (0–1 loss; ties count as errors)."""

    def each(self, outputs: Array, targets: Array) -> Array:
        """1 where the right class is not strictly above all others, else 0."""
        return np.subtract(np.float32(1), are_hits(outputs, targets), dtype=np.float32)

    def total(self, outputs: Array, targets: Array) -> Array:
        """The number of examples whose right class is not strictly above all others."""
        return np.float32(outputs.shape[2]) - hits(outputs, targets)


class TopKError(CountedErrors):
    """The share of examples whose right class is not among the k largest outputs (ties count as errors)."""

    takes: ClassVar[tuple[str, ...]] = ("top",)

    def __init__(self, top: int = 1) -> None:
        self._top = top

    @classmethod
    def of(cls, terms: Terms) -> Self:
        """With k, 5 if it is left open. SettingError if every prediction would be right."""
        top = min(5, terms.classes - 1) if terms.top is None else terms.top
        if top >= terms.classes:
            raise SettingError(
                f"--top: expected fewer than the {terms.classes} classes, got {top}, with which none would be an error"
            )
        return cls(top)

    def each(self, outputs: Array, targets: Array) -> Array:
        """1 where k others are at least as large as the right class's output, else 0."""
        right = np.add.reduce(outputs * targets, axis=1, keepdims=True)
        not_below = ~(outputs < right)  # NaN counts as not below
        others = np.add.reduce(not_below & (targets == 0), axis=1, dtype=np.int32)
        return (others >= self._top).astype(np.float32)

    def total(self, outputs: Array, targets: Array) -> Array:
        """The number of such examples."""
        return sum_of_each(self.each(outputs, targets))


class ExpectedCost(Loss):
    """What decisions drawn with the softmax's probabilities would cost: Σ over the classes of pₖ · cost(true, k).

    As the search makes the probabilities of its decisions large, it comes to what the decisions themselves cost. Node
    perturbation pays by another function of the probabilities, see `paid`.
    """

    whole = True  # its surrogate is derived anew in every round
    takes: ClassVar[tuple[str, ...]] = ("costs",)

    def __init__(self, costs: Array | None = None, by_example: bool = False) -> None:
        self._costs = costs
        self._own = by_example

    @classmethod
    def of(cls, terms: Terms) -> Self:
        """With the costs, (true classes, predicted classes), or each example's own; without any, 1 for each error."""
        return cls(terms.costs, terms.costs_by_example)

    def each(self, outputs: Array, targets: Array) -> Array:
        """The expected cost of each example."""
        costs = self._of_examples(targets, outputs.shape[1])
        return np.add.reduce(np.multiply(softmax(outputs), costs, out=outputs), axis=1)

    def total(self, outputs: Array, targets: Array) -> Array:
        """The sum of `each`."""
        return sum_of_each(self.each(outputs, targets))

    def surrogate(self, outputs: Array, targets: Array, weights: Array | None = None) -> Each:
        """What each example costs above its best prediction, as `paid`; the mean is the expected cost."""

        def each(outputs: Array, targets: Array, weights: Array | None) -> Array:
            costs = self._of_examples(targets, outputs.shape[1])
            regrets = costs - np.minimum.reduce(costs, axis=0)
            return paid(softmax(outputs), regrets if weights is None else regrets * weights)

        loss = float(self.joined([self.part(outputs.copy(), targets, weights)], targets)[0])
        return with_mean(each, loss, outputs, targets, weights)

    def _of_examples(self, targets: Array, classes: int) -> Array:
        """The cost of each prediction for each example, (classes, examples).

        Where each has its own costs, they stand below the targets.
        """
        if self._own:
            return targets[classes:]
        costs: Array = np.float32(1) - np.eye(classes, dtype=np.float32) if self._costs is None else self._costs
        return costs.T @ targets


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
