"""What every loss must do."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from distsearch.objectives.losses import Loss
from distsearch.randomness import Stream, noise
from distsearch.testing.problems import expect

Array = NDArray[np.float32]

CANDIDATES, OUTPUTS, EXAMPLES = 7, 3, 50


def outputs_and_targets(loss: Loss) -> tuple[Array, Array]:
    """Outputs, (candidates, outputs, examples), as a network lays them out, and targets, (outputs, examples)."""
    drawn = noise(0, Stream.DATA, 0, 0, OUTPUTS * CANDIDATES, EXAMPLES).reshape(OUTPUTS, CANDIDATES, EXAMPLES)
    outputs = drawn.transpose(1, 0, 2)
    if loss.numbers:
        return outputs, noise(0, Stream.DATA, 1, 0, OUTPUTS, EXAMPLES)
    targets = np.zeros((OUTPUTS, EXAMPLES), np.float32)
    targets[np.arange(EXAMPLES) % OUTPUTS, np.arange(EXAMPLES)] = 1
    return outputs, targets


def check_shapes(kind: type[Loss]) -> None:
    """`each` gives (candidates, examples) and `total` (candidates,), in float32."""
    loss = kind()
    outputs, targets = outputs_and_targets(loss)
    each, total = loss.each(outputs.copy(), targets), loss.total(outputs.copy(), targets)
    expect(each.shape == (CANDIDATES, EXAMPLES), f"`each` gives (candidates, examples), got {each.shape}")
    expect(total.shape == (CANDIDATES,), f"`total` gives (candidates,), got {total.shape}")
    expect(each.dtype == np.float32, f"`each` gives float32, got {each.dtype}")


def check_total(kind: type[Loss]) -> None:
    """`total` is the sum of `each`."""
    loss = kind()
    outputs, targets = outputs_and_targets(loss)
    each, total = loss.each(outputs.copy(), targets), loss.total(outputs.copy(), targets)
    expect(np.allclose(each.sum(axis=1), total, rtol=1e-4, atol=1e-4), "`total` is the sum of `each`")


def check_neighbours(kind: type[Loss]) -> None:
    """A candidate's total does not depend on the candidates beside it, to the bit."""
    loss = kind()
    outputs, targets = outputs_and_targets(loss)
    whole = loss.total(outputs.copy(order="K"), targets)
    for lo, hi in ((0, 1), (2, 5), (6, 7)):
        part = np.ascontiguousarray(outputs[lo:hi].transpose(1, 0, 2)).transpose(1, 0, 2)
        expect(loss.total(part, targets).tobytes() == whole[lo:hi].tobytes(), "a candidate's total is its own")


def check_chunks(kind: type[Loss]) -> None:
    """Chunks of the examples come to the same as all of them, and to the mean of `each`."""
    loss = kind()
    outputs, targets = outputs_and_targets(loss)
    parts = [loss.part(outputs[:, :, part].copy(), targets[:, part]) for part in (slice(0, 20), slice(20, None))]
    whole = loss.joined([loss.part(outputs.copy(), targets)], targets)
    expect(np.allclose(loss.joined(parts, targets), whole, rtol=1e-4, atol=1e-4), "chunks add up to the whole")
    mean = loss.each(outputs.copy(), targets).mean(axis=1)
    expect(np.allclose(mean, whole, rtol=1e-4, atol=1e-4), "the mean of `each` is the loss")


LOSS_CHECKS: tuple[Callable[[type[Loss]], None], ...] = (check_shapes, check_total, check_neighbours, check_chunks)
