"""Losses of the order in which a network puts the examples: they need the outputs on all of them at once.

An example's own loss, for node perturbation, is what the metric would be if this example alone were elsewhere in the
order: a table over all places, worked out once a round from the center's outputs.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from distsearch.objectives.losses.base import Array, Each, Loss, Terms

Exact = NDArray[np.float64]


class RankLoss(Loss):
    """1 − a metric of the order of the examples by their score for a class: the positive one of two, or each in turn.

    The score is z − z of the other class, or log softmax. Of more than two classes the metric is the mean.
    """

    whole = True
    weighs = False
    takes: ClassVar[tuple[str, ...]] = ("positive",)

    def __init__(self, positive: int | None = None) -> None:
        self._positive = positive

    @classmethod
    def of(cls, terms: Terms) -> Self:
        """With the positive class."""
        return cls(terms.positive)

    @abstractmethod
    def metric(self, scores: Exact, positive: NDArray[np.bool_]) -> float:
        """The metric of scores, (examples,), some of which are of positive examples."""

    @abstractmethod
    def places(self, positive: NDArray[np.bool_]) -> tuple[Exact, Exact]:
        """The metric with one more negative, and with one more positive example, at every place, (examples + 1,) each.

        `positive`, (examples,), is in the order of rising scores; place p has p examples below it.
        """

    def part(self, outputs: Array, targets: Array, weights: Array | None = None) -> Array:
        """The scores of a chunk, (candidates, scored classes × examples)."""
        scores = self._scores(outputs)
        return np.ascontiguousarray(scores).reshape(len(scores), -1)

    def joined(self, parts: Sequence[NDArray[Any]], targets: Array) -> Exact:
        """The loss from the scores of all examples."""
        positive = self._positives(targets)
        scores = np.concatenate([part.reshape(len(part), len(positive), -1) for part in parts], axis=2)
        found = np.array([1 - np.mean(list(map(self.metric, each, positive))) for each in scores.astype(np.float64)])
        found[np.isnan(scores).any(axis=(1, 2))] = np.nan  # which has no place in the order
        return found

    def each(self, outputs: Array, targets: Array) -> Array:
        """What the loss would be, times their number, if one example alone were where it is: see `surrogate`."""
        return np.concatenate(
            [self.surrogate(one[np.newaxis].copy(), targets)(one[np.newaxis], targets, None) for one in outputs]
        )

    def total(self, outputs: Array, targets: Array) -> Array:
        """The loss of these examples, times their number, (candidates,)."""
        return (self.joined([self.part(outputs, targets)], targets) * targets.shape[1]).astype(np.float32)

    def surrogate(self, outputs: Array, targets: Array, weights: Array | None = None) -> Each:
        """The examples × the change of the loss with each example's place, and the loss itself added to all."""
        positive, scores, count = self._positives(targets), self._scores(outputs)[0], targets.shape[1]
        loss = float(self.joined([self.part(outputs, targets)], targets)[0])
        order = np.argsort(scores, axis=1, kind="stable")
        ranked = np.take_along_axis(scores, order, axis=1)
        tables: list[Exact] = []
        for row, places, own in zip(ranked, order, positive, strict=True):
            found = np.stack(self.places(own[places])) * (-count / len(positive))  # (2, examples + 1)
            at = np.searchsorted(row, scores[len(tables)])
            tables.append(found - found[own.astype(int), at].mean() + loss / len(positive))
        kept = [table.astype(np.float32) for table in tables]

        def each(outputs: Array, targets: Array, weights: Array | None) -> Array:
            moved, owns = self._scores(outputs), self._positives(targets)
            losses = np.zeros((len(moved), targets.shape[1]), np.float32)
            for number, (row, table, own) in enumerate(zip(ranked, kept, owns, strict=True)):
                losses += table[own.astype(np.intp), np.searchsorted(row, moved[:, number])]
            return losses

        return each

    def _scores(self, outputs: Array) -> Array:
        """The scores of the scored classes, (candidates, scored classes, examples)."""
        if outputs.shape[1] == 2:
            own = 1 if self._positive is None else self._positive
            return outputs[:, own : own + 1] - outputs[:, 1 - own : 2 - own]
        np.subtract(outputs, np.maximum.reduce(outputs, axis=1, keepdims=True), out=outputs)
        return outputs - np.log(np.add.reduce(np.exp(outputs), axis=1, keepdims=True))

    def _positives(self, targets: Array) -> NDArray[np.bool_]:
        """Which examples are positive, for each scored class, (scored classes, examples)."""
        if len(targets) == 2:
            own = 1 if self._positive is None else self._positive
            return targets[own : own + 1] > 0
        return targets > 0


class Auc(RankLoss):
    """1 − the area under the receiver's curve: the share of pairs of unlike examples in the right order (ties half)."""

    takes: ClassVar[tuple[str, ...]] = ()  # of two classes it is the same for either

    def metric(self, scores: Exact, positive: NDArray[np.bool_]) -> float:
        """(Σ of the positives' ranks − their lowest sum) / pairs (Mann and Whitney 1947)."""
        own = int(np.count_nonzero(positive))
        others = len(scores) - own
        if not own or not others:
            return 0.5
        negative = np.sort(scores[~positive])
        below = np.searchsorted(negative, scores[positive]) + np.searchsorted(negative, scores[positive], side="right")
        return float(below.sum(dtype=np.float64) / (2 * own * others))

    def places(self, positive: NDArray[np.bool_]) -> tuple[Exact, Exact]:
        """A negative at place p is right with the positives above it, a positive with the negatives below it."""
        own = int(np.count_nonzero(positive))
        others = len(positive) - own
        if not own or not others:
            return np.zeros(len(positive) + 1), np.zeros(len(positive) + 1)
        below = np.concatenate([[0], np.cumsum(~positive)])
        above = own - np.concatenate([[0], np.cumsum(positive)])
        return above / (own * others), below / (own * others)


class AveragePrecision(RankLoss):
    """1 − the mean over the positive examples of the precision among those that score at least as much."""

    def metric(self, scores: Exact, positive: NDArray[np.bool_]) -> float:
        """Σ precision · what recall grows by, at every distinct score, from the highest down, as in scikit-learn."""
        own = int(np.count_nonzero(positive))
        if not own:
            return 0.0
        order = np.argsort(-scores, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # the last of equal scores
        right = np.cumsum(positive[order])[ends]
        return float(np.sum(np.diff(right, prepend=0) * (right / (ends + 1))) / own)

    def places(self, positive: NDArray[np.bool_]) -> tuple[Exact, Exact]:
        """The positives below the new example get one more above them: a wrong one, or a right one; and it its own."""
        falling = positive[::-1]
        own = max(1, int(np.count_nonzero(positive)))
        place, right = np.arange(1, len(positive) + 1), np.cumsum(falling)
        stays, lower, higher = (
            np.concatenate([[0.0], np.cumsum(np.where(falling, each, 0.0))])
            for each in (right / place, right / (place + 1), (right + 1) / (place + 1))
        )
        itself = np.concatenate([[1.0], (right + 1) / (place + 1)])  # a positive with p examples above it
        negative = (stays + lower[-1] - lower) / own
        extra = (stays + higher[-1] - higher + itself) / own
        return negative[::-1], extra[::-1]
