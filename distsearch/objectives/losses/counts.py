"""Losses that are functions of counts over all examples: how many of each class, how many predicted, how many right.

The counts are those expected of decisions drawn with the softmax's probabilities, so that they have slopes and chunks
of examples add up. (Soft counts in the F-measure: Jansche 2005, "Maximum expected F-measure training of logistic
regression models"; macro-F1: Bénédict et al. 2021, arXiv 2108.10566.) For node perturbation such a loss becomes a cost
of each prediction for each true class, derived anew in every round from the counts of the center: at its optimum a
function of rates is a cost-sensitive error (Parambath, Usunier and Grandvalet 2014, arXiv 1505.00199).
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from distsearch.objectives.losses.base import Array, Each, Loss, Terms, softmax

Exact = NDArray[np.float64]

STEP = 1e-3  # of an example: finite differences of float64 counts


class Counts(NamedTuple):
    """Of every class, (…, classes): examples that are right, that are predicted, and that there are."""

    right: Exact
    predicted: Exact
    actual: Exact


class CountLoss(Loss):
    """A loss that is a function of the counts of every class."""

    whole = True

    @abstractmethod
    def of_counts(self, counts: Counts) -> Exact:
        """The loss, (…,), from counts, (…, classes)."""

    def part(self, outputs: Array, targets: Array, weights: Array | None = None) -> Array:
        """The counts of a chunk, (candidates, 3 × classes)."""
        shares = np.ascontiguousarray(softmax(outputs))
        if weights is not None:
            shares *= weights
        predicted = np.add.reduce(shares, axis=2)
        actual = np.add.reduce(targets if weights is None else targets * weights, axis=1)
        right = np.add.reduce(np.multiply(shares, targets, out=shares), axis=2)
        return np.concatenate([right, predicted, np.broadcast_to(actual, right.shape)], axis=1)

    def joined(self, parts: Sequence[NDArray[Any]], targets: Array) -> Exact:
        """The loss from the counts of all chunks."""
        sums = parts[0].astype(np.float64)
        for part in parts[1:]:
            sums = sums + part
        return self.of_counts(_counts(sums))

    def each(self, outputs: Array, targets: Array) -> Array:
        """What every example adds to the loss of these examples by its own counts, to first order."""
        outputs = outputs.copy()
        return np.concatenate(
            [self.surrogate(one[np.newaxis].copy(), targets)(one[np.newaxis], targets, None) for one in outputs]
        )

    def total(self, outputs: Array, targets: Array) -> Array:
        """The loss of these examples, times their number, (candidates,)."""
        count = targets.shape[1]
        return (self.joined([self.part(outputs, targets)], targets) * count).astype(np.float32)

    def surrogate(self, outputs: Array, targets: Array, weights: Array | None = None) -> Each:
        """Each example's expected cost, by the slopes of the loss along the counts of all examples."""
        sums = self.part(outputs, targets, weights)[0].astype(np.float64)
        moves = np.eye(len(sums)) * STEP
        slopes = (self.of_counts(_counts(sums + moves)) - self.of_counts(_counts(sums - moves))) / (2 * STEP)
        rest = float(self.of_counts(_counts(sums)) - slopes @ sums)  # so that their mean is the loss
        right, predicted, actual = np.split(slopes * targets.shape[1], 3)
        costs = (np.diag(right) + predicted + actual[:, np.newaxis] + rest).astype(np.float32)  # (true, predicted)

        def each(outputs: Array, targets: Array, weights: Array | None) -> Array:
            of_examples = costs.T @ targets
            if weights is not None:
                of_examples *= weights
            return np.add.reduce(np.multiply(softmax(outputs), of_examples, out=outputs), axis=1)

        return each


class FBeta(CountLoss):
    """1 − Fᵦ, Fᵦ = (1 + β²) right / (β² actual + predicted): of one class, or the mean over all, or of all counts."""

    takes: ClassVar[tuple[str, ...]] = ("beta", "positive")
    average = ""
    """The mean over the classes (macro), or of all counts together (micro); else of the positive class of two."""

    def __init__(self, beta: float = 1.0, positive: int | None = None) -> None:
        self._square = beta * beta
        self._positive = positive

    @classmethod
    def of(cls, terms: Terms) -> Self:
        """With β, 2 if it is left open."""
        return cls(2.0 if terms.beta is None else terms.beta, terms.positive)

    def of_counts(self, counts: Counts) -> Exact:
        """1 − Fᵦ; a class that there is none of and that is never predicted counts as 0."""
        if self.average == "micro":
            counts = Counts(*(count.sum(axis=-1, keepdims=True) for count in counts))
        elif not self.average and counts.right.shape[-1] == 2:
            positive = slice(-1, None) if self._positive is None else slice(self._positive, self._positive + 1)
            counts = Counts(*(count[..., positive] for count in counts))
        whole = self._square * counts.actual + counts.predicted
        found = np.divide((1 + self._square) * counts.right, whole, out=np.zeros_like(whole), where=whole > 0)
        return np.asarray(1 - found.mean(axis=-1))


class F1(FBeta):
    """1 − F₁, the harmonic mean of precision and recall: of the positive class of two, or the mean over all."""

    takes: ClassVar[tuple[str, ...]] = ("positive",)

    @classmethod
    def of(cls, terms: Terms) -> Self:
        """With the positive class."""
        return cls(1.0, terms.positive)


class F1Macro(F1):
    """1 − the mean over the classes of F₁."""

    takes: ClassVar[tuple[str, ...]] = ()
    average = "macro"


class F1Micro(F1):
    """1 − F₁ of all classes' counts together."""

    takes: ClassVar[tuple[str, ...]] = ()
    average = "micro"


class BalancedError(CountLoss):
    """1 − the mean over the classes of the share of their examples that are recognised."""

    def of_counts(self, counts: Counts) -> Exact:
        """1 − the mean recall of the classes that there are examples of."""
        there = counts.actual > 0.5
        found = np.divide(counts.right, counts.actual, out=np.zeros_like(counts.right), where=there)
        return np.asarray(1 - found.sum(axis=-1) / np.maximum(there.sum(axis=-1), 1))


def _counts(sums: Exact) -> Counts:
    """The counts in sums, (…, 3 × classes)."""
    return Counts(*np.split(sums, 3, axis=-1))
