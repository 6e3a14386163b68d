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

from distsearch.objectives.losses.base import POWER, Array, Each, Loss, Terms, softmax, with_mean

Exact = NDArray[np.float64]

STEP = 1e-3  # of an example: finite differences of float64 counts
LOGARITHM = np.float32(0.3)  # the share of cross-entropy in what is paid for each example, see `surrogate`
TINY = np.finfo(np.float32).tiny


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
        """Each example's cost, by the slopes of the loss along the counts of all examples; the mean is the loss.

        Slopes along the probability of class k are the loss's own times (1 − pₖ)^(POWER − 1), see `paid`; and a share
        is the cross-entropy of the best prediction, weighted by what the others cost on average, which goes on
        telling an example that is almost right from one that is right.
        """
        sums = self.part(outputs.copy(), targets, weights)[0].astype(np.float64)
        regrets = self._regrets(sums, targets.shape[1])

        def each(outputs: Array, targets: Array, weights: Array | None) -> Array:
            costs = regrets.T @ targets  # (predicted classes, examples)
            return _paid(outputs, costs if weights is None else costs * weights)

        return with_mean(each, float(self.of_counts(_counts(sums))), outputs, targets, weights)

    def _regrets(self, sums: Exact, examples: int) -> Array:
        """Examples × how much each prediction adds to the loss, above the best one, (true classes, predicted classes).

        sums, (3 × classes,), are the counts.
        """
        moves = np.eye(len(sums)) * STEP
        slopes = (self.of_counts(_counts(sums + moves)) - self.of_counts(_counts(sums - moves))) / (2 * STEP)
        right, predicted, _ = np.split(slopes * examples, 3)
        costs = np.diag(right) + predicted
        return (costs - costs.min(axis=1, keepdims=True)).astype(np.float32)


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
        there = counts.actual > 0
        found = np.divide(counts.right, counts.actual, out=np.zeros_like(counts.right), where=there)
        return np.asarray(1 - found.sum(axis=-1) / np.maximum(there.sum(axis=-1), 1))


def _paid(outputs: Array, costs: Array) -> Array:
    """(1 − LOGARITHM) · `paid` + LOGARITHM · cross-entropy, (candidates, examples), see `surrogate`.

    costs, (classes, examples), are 0 for the best prediction. With probabilities pₖ = eₖ / S, eₖ = exp(zₖ), the powers
    are (S − eₖ)^POWER / S^POWER. Outputs, (candidates, classes, examples), are written over.
    """
    if len(costs) == 2:
        return _paid_of_two(outputs, costs)
    free, together = costs == 0, np.add.reduce(costs, axis=0)
    mean = together / np.maximum(np.add.reduce(~free, axis=0), 1).astype(np.float32)  # of what is not free
    np.subtract(outputs, np.maximum.reduce(outputs, axis=1, keepdims=True), out=outputs)
    np.exp(outputs, out=outputs)
    sums = np.add.reduce(outputs, axis=1)
    right = np.einsum("coe,oe->ce", outputs, free.astype(np.float32))
    right /= sums
    logarithms = np.log(np.maximum(right, TINY, out=right), out=right)
    np.subtract(sums[:, np.newaxis], outputs, out=outputs)
    np.multiply(costs, np.power(outputs, POWER, out=outputs), out=outputs)
    saved = np.add.reduce(outputs, axis=1)
    saved /= np.power(sums, POWER, out=sums)
    return _blended(np.subtract(together, saved, out=saved), np.multiply(logarithms, mean, out=logarithms))


def _paid_of_two(outputs: Array, costs: Array) -> Array:
    """`_paid` of two classes. With d the wrong output less the right one, the right one's share is 1 / (1 + eᵈ)."""
    together = np.add.reduce(costs, axis=0)
    lead = outputs[:, 1] - outputs[:, 0]
    lead *= np.where(costs[0] == 0, np.float32(1), np.float32(-1))
    logarithms = np.exp(-np.abs(lead))
    logarithms += np.float32(1)
    np.log(logarithms, out=logarithms)
    np.negative(np.add(logarithms, np.maximum(lead, np.float32(0), out=lead), out=logarithms), out=logarithms)
    powers = np.exp(np.multiply(logarithms, POWER, out=lead), out=lead)
    np.subtract(np.float32(1), powers, out=powers)
    return _blended(np.multiply(powers, together, out=powers), np.multiply(logarithms, together, out=logarithms))


def _blended(powers: Array, logarithms: Array) -> Array:
    """From Σ cost · (1 − (1 − pₖ)^POWER) and mean cost · log of the right share, which are written over."""
    powers *= (1 - LOGARITHM) / POWER
    powers -= np.multiply(logarithms, LOGARITHM, out=logarithms)
    return powers


def _counts(sums: Exact) -> Counts:
    """The counts in sums, (…, 3 × classes)."""
    return Counts(*np.split(sums, 3, axis=-1))
