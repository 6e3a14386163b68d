"""Losses of the user's own: functions of outputs and targets that give one number, or one for each example.

outputs are (examples, outputs) float32; targets are class numbers, (examples,), in the order of the labels, or with
`function.numbers = True` the numbers to be met, (examples,), or (examples, outputs) if there are several outputs. With
`function.vectorized = True` outputs are (candidates, examples, outputs), and it gives a first axis more as well.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data.arrays import of_tensor, unmasked
from distsearch.errors import ObjectiveError, SettingError, brief
from distsearch.objectives import foreign
from distsearch.objectives.losses.base import Array, Loss, sum_of_each
from distsearch.randomness import Stream, noise

Function = Callable[[Array, NDArray[Any]], Any]

PROBED = 6  # examples that a function is tried on before a search begins
STEPPED, STEP = 64, np.float32(1e-4)  # examples whose outputs are moved, to see whether losses follow, and how far


class OwnLoss(Loss):
    """A function of the user's as a loss; `named` is how it was chosen."""

    def __init__(self, function: Function, named: str) -> None:
        self.function = function
        self.named = named
        self.numbers = bool(getattr(function, "numbers", False))
        self._vectorized = bool(getattr(function, "vectorized", False))

    def tried(self, outputs: int) -> "OwnLoss":
        """The same once it is known to work, whether it gives one number or one for each example, and if it is flat.

        Raises ObjectiveError if it fails, SettingError for anything else that it gives.
        """
        found = self._values(*self._probe(outputs, PROBED))
        if found.shape not in ((1,), (1, PROBED)):
            shape = found.shape[1:] if found.shape[:1] == (1,) else found.shape
            raise SettingError(
                f"the loss {self.named}: expected one number, or one for each of {PROBED} examples, ({PROBED},), from "
                f"outputs ({PROBED}, {outputs}), got the shape {shape}"
            )
        self.whole = found.ndim == 1
        self.by_example = self.weighs = not self.whole
        if self.by_example:
            some, targets = self._probe(outputs, STEPPED)
            moved = some + STEP * noise(0, Stream.DATA, 2, 0, outputs, STEPPED)
            follow = np.count_nonzero(self.each(some, targets) != self.each(moved, targets))
            self.found_flat = bool(follow <= 1)  # one may be at the edge of a step
        return self

    def _probe(self, outputs: int, examples: int) -> tuple[Array, Array]:
        """Outputs of one candidate, (1, outputs, examples), drawn at random, and targets, (outputs, examples)."""
        targets = noise(0, Stream.DATA, 1, 0, outputs, examples)
        if not self.numbers:
            targets = (np.arange(outputs)[:, np.newaxis] == np.arange(examples) % outputs).astype(np.float32)
        return noise(0, Stream.DATA, 0, 0, outputs, examples)[np.newaxis], targets

    def each(self, outputs: Array, targets: Array) -> Array:
        """One number for each example."""
        return self._checked(outputs, targets, (len(outputs), targets.shape[1])).astype(np.float32)

    def total(self, outputs: Array, targets: Array) -> Array:
        """The sum of `each`."""
        return sum_of_each(self.each(outputs, targets))

    def part(self, outputs: Array, targets: Array, weights: Array | None = None) -> Array:
        """The outputs themselves, (candidates, outputs × examples), for a function of all examples together."""
        if not self.whole:
            return super().part(outputs, targets, weights)
        return np.array(outputs, order="C").reshape(len(outputs), -1)

    def joined(self, parts: Sequence[NDArray[Any]], targets: Array) -> NDArray[np.float64]:
        """The function's number for all examples of each candidate."""
        if not self.whole:
            return super().joined(parts, targets)
        outputs = np.concatenate([part.reshape(len(part), len(targets), -1) for part in parts], axis=2)
        return self._checked(outputs, targets, (len(outputs),)).astype(np.float64)

    def _checked(self, outputs: Array, targets: Array, shape: tuple[int, ...]) -> NDArray[Any]:
        found = self._values(outputs, targets)
        if found.shape != shape:
            raise ObjectiveError(
                f"the loss {self.named}: expected the shape {shape[1:]} as when it was tried, got {found.shape[1:]}"
            )
        return found

    def _values(self, outputs: Array, targets: Array) -> NDArray[Any]:
        """What the function gives for every candidate, (candidates, …)."""
        wanted: NDArray[Any] = np.ascontiguousarray(targets.T) if self.numbers else targets.argmax(axis=0)
        if wanted.ndim == 2 and wanted.shape[1] == 1:
            wanted = wanted[:, 0]
        given = np.array(outputs.swapaxes(1, 2), order="C")
        what = f"the loss {self.named}"
        if self._vectorized:
            return self._numbers(foreign.call(what, self.function, given, wanted))
        return np.stack([self._numbers(foreign.call(what, self.function, each, wanted)) for each in given])

    def _numbers(self, found: Any) -> NDArray[Any]:
        try:
            values = np.asarray(unmasked(of_tensor(found)))
        except Exception as error:  # of lists that form no array, or of what is anybody's
            raise ObjectiveError(f"the loss {self.named}: expected numbers, got {brief(found)}") from error
        if values.dtype.kind not in "biuf":
            raise ObjectiveError(f"the loss {self.named}: expected numbers, got {type(found).__name__}")
        return values


class ForgottenLoss(Loss):
    """In the place of a loss whose code is not here: the network predicts, but cannot be scored."""

    def __init__(self, why: SettingError) -> None:
        self._why = why

    def each(self, outputs: Array, targets: Array) -> Array:
        """SettingError."""
        raise self._why

    def total(self, outputs: Array, targets: Array) -> Array:
        """SettingError."""
        raise self._why
