"""Losses of the user's own that are given the torch module itself: it may generate, or act in a simulator.

They say so by `function.takes_module = True`, and are called as function(module, batch), where batch has `inputs`, as
the module takes them, and `targets`: numbers, (examples,), or (examples, outputs) if there are several; with
`function.numbers = False` class numbers, (examples,). They return one number, or one for each example: then the mean.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data.arrays import of_tensor, unmasked
from distsearch.errors import ObjectiveError, brief
from distsearch.objectives import foreign
from distsearch.objectives.losses.base import Array, Loss

ModuleFunction = Callable[[Any, Any], Any]


def takes_module(function: object) -> bool:
    """Whether a function says that it is to be given the module."""
    return bool(getattr(function, "takes_module", False))


class ModuleLoss(Loss):
    """A function of a module and a batch as a loss; `named` is how it was chosen. It has nothing to do with outputs."""

    of_module = True
    by_example = False
    weighs = False

    def __init__(self, function: ModuleFunction, named: str) -> None:
        self.function = function
        self.named = named
        self.numbers = bool(getattr(function, "numbers", True))

    def targets(self, targets: Array) -> NDArray[Any]:
        """Targets, (outputs, examples), as the function takes them: (examples,) or (examples, outputs)."""
        if not self.numbers:
            return targets.argmax(axis=0)
        return np.array(targets[0] if len(targets) == 1 else targets.T, np.float32, order="C")

    def value(self, module: Any, batch: Any, examples: int) -> float:
        """The function's number for a module and a batch. ObjectiveError if it fails, or gives anything else."""
        what = f"the loss {self.named}"
        found = foreign.call(what, self.function, module, batch)
        try:
            values: NDArray[Any] = np.asarray(unmasked(of_tensor(found)))
        except Exception:  # noqa: BLE001  (conversion runs code of anybody's)
            values = np.empty(0, object)
        if values.dtype.kind not in "biuf" or values.shape not in ((), (examples,)):
            came = f"the shape {values.shape}" if values.dtype.kind in "biuf" else brief(found)
            raise ObjectiveError(f"{what}: expected one number, or one for each of {examples} examples, got {came}")
        return float(values.mean(dtype=np.float64))

    def each(self, outputs: Array, targets: Array) -> Array:
        """There is no such thing: AssertionError."""
        raise AssertionError(f"{self.named} takes a module, not outputs")

    total = each
