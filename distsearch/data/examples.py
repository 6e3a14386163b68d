"""Examples as a network learns from them, and the data set that they make."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data.beside import NOTHING, Beside
from distsearch.data.schema import Schema
from distsearch.data.weights import Weights, combined


@dataclass(frozen=True)
class Examples:
    """Features and targets, read-only and C-contiguous."""

    features: NDArray[np.float32]  # (examples, features)
    targets: NDArray[Any]  # (examples,) int64 class numbers, or (examples, outputs) float32
    weights: NDArray[np.float32] | None = None  # (examples,), with a mean of 1; None if all are alike
    beside: Beside = NOTHING

    @classmethod
    def of(
        cls,
        features: NDArray[np.float32],
        targets: NDArray[Any],
        weights: Weights | None,
        schema: Schema,
        beside: Beside,
    ) -> "Examples":
        """Examples whose weights, (examples,), are combined with those of their classes."""
        both = combined(weights, schema.class_weights, targets)
        return cls(frozen(features), frozen(targets), None if both is None else frozen(both), beside)

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """All that there is of them."""
        others = self.weights, self.beside.groups, self.beside.costs
        return (self.features, self.targets, *(each for each in others if each is not None))


@dataclass(frozen=True)
class Dataset:
    """Training examples, optional sets for validation and testing, and how all were read."""

    train: Examples
    test: Examples | None
    schema: Schema
    fingerprint: str  # sha256:… of all arrays above and of the schema
    notes: tuple[str, ...] = ()  # sentences about how the data was read
    validation: Examples | None = None  # examples that choose the best weights

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """All that there is of its examples."""
        return arrays_of(self.train, self.test, self.validation)


def arrays_of(*parts: Examples | None) -> tuple[NDArray[Any], ...]:
    """All that there is of some parts of a data set."""
    return tuple(array for part in parts if part is not None for array in part.arrays)


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """The array, contiguous and read-only."""
    found = np.ascontiguousarray(array)
    found.flags.writeable = False
    return found
