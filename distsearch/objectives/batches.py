"""Examples as the forward pass wants them, and which of them each round sees."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Shared
from distsearch.data.datasets import Dataset, Examples
from distsearch.data.schema import Schema
from distsearch.errors import DataError
from distsearch.randomness import Stream, permutation

Array = NDArray[np.float32]


class Chunk(NamedTuple):
    """A run of examples: inputs (features + 1, examples), the same for all candidates; targets (outputs, examples).

    Their weights are (examples,); None if all are 1. What each prediction costs stands below the targets, if that is
    known: (2 × outputs, examples) then.
    """

    inputs: Shared
    targets: Array
    weights: Array | None = None


class Columns:
    """Examples as the forward pass takes them: inputs (features + 1, examples), targets (outputs, examples).

    Their weights are (examples,), with a mean of 1 over the whole data; None if all are 1. The numbers of the groups
    that they are in are (columns, examples), if any matter.
    """

    def __init__(
        self, inputs: Array, targets: Array, weights: Array | None = None, groups: NDArray[np.int64] | None = None
    ) -> None:
        self.inputs = inputs
        self.targets = targets
        self.weights = weights
        self.groups = groups
        self._chunks: dict[int, list[Chunk]] = {}  # by their size

    def __reduce__(self) -> tuple[type["Columns"], tuple[Array, Array, Array | None, NDArray[np.int64] | None]]:
        return Columns, (self.inputs, self.targets, self.weights, self.groups)

    @classmethod
    def of(cls, examples: Examples, schema: Schema) -> "Columns":
        """The examples with a row of ones below the features, and classes as a one among zeros."""
        inputs, (groups, costs) = with_ones(examples.features), examples.beside
        if schema.classes is None:
            return cls(inputs, np.ascontiguousarray(examples.targets.T), examples.weights, groups)
        targets = np.zeros((schema.outputs, inputs.shape[1]), np.float32)
        targets[examples.targets, np.arange(inputs.shape[1])] = 1
        if costs is not None:
            targets = np.concatenate([targets, costs.T])
        return cls(inputs, targets, examples.weights, groups)

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        return self.inputs.nbytes + self.targets.nbytes + (0 if self.weights is None else self.weights.nbytes)

    def __len__(self) -> int:
        return self.inputs.shape[1]

    def chunks(self, size: int) -> list[Chunk]:
        """All examples, that many at a time, or fewer at the end; the same objects each time."""
        chunks = self._chunks.get(size)
        if chunks is None:
            chunks = [self._chunk(slice(start, start + size)) for start in range(0, len(self), size)]
            chunks = self._chunks.setdefault(size, chunks)
        return chunks

    def _chunk(self, some: slice) -> Chunk:
        weights = None if self.weights is None else self.weights[some]
        return Chunk(Shared(self.inputs[:, some]), self.targets[:, some], weights)

    def by_examples(self) -> "Columns":
        """The same, but each example's inputs side by side in memory: picking some out is then 14 times as fast."""
        return Columns(np.asfortranarray(self.inputs), np.asfortranarray(self.targets), self.weights, self.groups)

    def at(self, places: NDArray[np.intp]) -> "Columns":
        """The examples at these places, in their order; this must be `by_examples`."""
        inputs, targets = self.inputs.T.take(places, axis=0).T, self.targets.T.take(places, axis=0).T
        return Columns(inputs, np.ascontiguousarray(targets), *self._beside(places))

    def judged(self, places: NDArray[np.intp]) -> "Columns":
        """What losses see of the examples at these places, in their order: all but the inputs."""
        return Columns(self.inputs[:0, places], self.targets[:, places], *self._beside(places))

    def within(self, some: slice) -> "Columns":
        """Examples that follow each other, as views."""
        return Columns(self.inputs[:, some], self.targets[:, some], *self._beside(some))

    def _beside(self, places: NDArray[np.intp] | slice) -> tuple[Array | None, NDArray[np.int64] | None]:
        """The weights and the groups of the examples at these places."""
        weights = None if self.weights is None else self.weights[places]
        return weights, None if self.groups is None else self.groups[:, places]


def columns_of(dataset: Dataset) -> tuple[Columns, Columns | None, Columns | None]:
    """The training, test and validation examples of a data set."""
    schema, test, validation = dataset.schema, dataset.test, dataset.validation
    return (
        Columns.of(dataset.train, schema),
        Columns.of(test, schema) if test else None,
        Columns.of(validation, schema) if validation else None,
    )


class Batches:
    """The examples of each round: all of them, or a minibatch from a permutation that is drawn anew in every epoch.

    Which ones a round sees is a pure function of (seed, round). What does not fill a last minibatch waits for another
    epoch's permutation.
    """

    def __init__(self, train: Columns, size: int | None = None, seed: int = 0) -> None:
        if size is not None and size > len(train):
            raise DataError(f"data.batch: expected at most {len(train)}, the training examples there are, got {size}")
        self.size = size or len(train)
        self.train = train.by_examples() if self.size < len(train) else train
        self._seed = seed
        self._order: tuple[int, NDArray[np.intp]] | None = None  # of the latest epoch
        self._latest: tuple[int, Columns] | None = None  # the latest round's

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_order": None, "_latest": None}

    @property
    def minibatch(self) -> bool:
        """Whether a round sees only some of the examples."""
        return self.size < len(self.train)

    def of(self, round_number: int) -> Columns:
        """The examples of a round."""
        if not self.minibatch:
            return self.train
        if self._latest is None or self._latest[0] != round_number:
            self._latest = round_number, self.train.at(self.places(round_number))
        return self._latest[1]

    def some(self, round_number: int, examples: slice) -> Columns:
        """Some of the examples of a round, for those who want no more."""
        if self.minibatch:
            return self.train.at(self.places(round_number)[examples])
        return self.train.within(examples)

    def places(self, round_number: int) -> NDArray[np.intp]:
        """Where a round's examples stand among all, (size,)."""
        epoch, number = divmod(round_number, len(self.train) // self.size)
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, permutation(self._seed, Stream.BATCHES, epoch, len(self.train))
        return self._order[1][number * self.size : (number + 1) * self.size]


def with_ones(features: Array) -> Array:
    """Features, (examples, features), as the forward pass wants them: (features + 1, examples), the last row ones."""
    inputs = np.ones((features.shape[1] + 1, len(features)), np.float32)
    inputs[:-1] = features.T
    return inputs
