"""What a network has to be better than: the best prediction that is the same for every example."""

from collections.abc import Iterator

import numpy as np

from distsearch.objectives.batches import Columns
from distsearch.objectives.losses.base import Array, Loss

CHUNK_NUMBERS = 4_000_000  # outputs at once
SURE = 30.0  # an output that leaves the other classes no probability
QUANTILES = np.linspace(0.01, 0.99, 25)


def baseline(loss: Loss, train: Columns, judged: Columns) -> float:
    """The lowest loss on the judged examples of constants that the training targets suggest."""
    return min(_loss_of(loss, constant, judged) for constant in _constants(loss, train.targets))


def _constants(loss: Loss, targets: Array) -> Iterator[Array]:
    """Outputs, (outputs,): each class for sure and their shares; or the mean and quantiles of the numbers."""
    if not loss.numbers:
        yield np.log(targets.mean(axis=1) + np.float32(1e-6))
        yield from np.eye(len(targets), dtype=np.float32) * np.float32(SURE)
        return
    values = [targets.mean(axis=1, dtype=np.float64), *np.quantile(targets, QUANTILES, axis=1)]
    for value in values:
        with np.errstate(invalid="ignore", divide="ignore"):
            outputs = np.log(value) if loss.logarithms else value
        if np.isfinite(outputs).all():
            yield outputs.astype(np.float32)


def _loss_of(loss: Loss, constant: Array, columns: Columns) -> float:
    size = max(1, CHUNK_NUMBERS // len(constant))
    parts = []
    for start in range(0, len(columns), size):
        targets = columns.targets[:, start : start + size]
        weights = None if columns.weights is None else columns.weights[start : start + size]
        outputs = np.repeat(constant[np.newaxis, :, np.newaxis], targets.shape[1], axis=2)
        parts.append(loss.part(outputs, targets, weights))
    return float(loss.joined(parts, columns.targets)[0])
