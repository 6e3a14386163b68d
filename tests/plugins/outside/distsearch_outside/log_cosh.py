"""The logarithm of the hyperbolic cosine of the error: quadratic near 0, linear far from it."""

import numpy as np

from distsearch.objectives.losses import Loss


class LogCosh(Loss):
    """The mean over outputs of log cosh (z − y)."""

    numbers = True

    def each(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """The loss of every example, (candidates, examples)."""
        error = np.abs(outputs - targets)
        values = error + np.log1p(np.exp(-2 * error)) - np.float32(np.log(2))
        return np.add.reduce(values, axis=1) / np.float32(outputs.shape[1])

    def total(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """The sum over the examples, (candidates,)."""
        return np.add.reduce(np.ascontiguousarray(self.each(outputs, targets)), axis=1)
