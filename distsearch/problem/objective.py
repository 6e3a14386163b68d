"""What a candidate is scored on: network + loss + data, or a function of the user's own.

The data is worked through in chunks of examples, and candidates are tried in tiles, so that the activations of a
tile on a chunk stay in the processor's cache. Both sizes follow from the network and the data alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates import Dense
from distsearch.errors import ObjectiveError
from distsearch.problem import losses
from distsearch.problem.datasets import Dataset, Examples, Schema
from distsearch.problem.losses import Loss
from distsearch.problem.network import Network

CACHE_BYTES = 1024 * 1024
SMALLEST_CHUNK = 512  # examples; with fewer, a matrix product does not reach its speed
LARGEST_TILE = 64  # candidates
LARGEST_TILE_WEIGHTS = 1 << 22  # of all candidates of a tile that a function scores

Array = NDArray[np.float32]
Accuracies = tuple[float | None, float | None]


class Objective(ABC):
    """Maps candidates to losses."""

    tile: int
    """Candidates that are computed together."""
    weights_count: int
    """The number of weights, n."""
    nbytes: int
    """The size of its data, in bytes."""

    @abstractmethod
    def losses(self, candidates: Dense, round_number: int) -> NDArray[np.float64]:
        """The loss of each candidate, (candidates,)."""

    def accuracies(self, weights: Array) -> Accuracies:
        """The accuracy of the weights, (n,), on the training and on the test examples, where there is such a thing."""
        return None, None

    def test_loss(self, weights: Array) -> float | None:
        """The loss of the weights, (n,), on the test examples, if there are any."""
        return None

    def named(self, weights: Array) -> dict[str, Array]:
        """The weights, (n,), as the tensors that are stored."""
        return {"weights": weights}


class FunctionObjective(Objective):
    """A function of the user's own, from weights (n,) to a loss."""

    nbytes = 0

    def __init__(self, function: Callable[[Array], float], weights_count: int) -> None:
        self.function = function
        self.weights_count = weights_count
        self.tile = max(1, min(LARGEST_TILE, LARGEST_TILE_WEIGHTS // weights_count))

    def losses(self, candidates: Dense, round_number: int) -> NDArray[np.float64]:
        """The function's value for each candidate, (candidates,). ObjectiveError if it is not a number."""
        return np.array([self._loss(weights) for weights in candidates.dense()])

    def _loss(self, weights: Array) -> float:
        value = self.function(weights)
        try:
            return float(value)
        except (TypeError, ValueError):
            raise ObjectiveError(f"expected a number from the function, got {value!r}") from None


@dataclass(frozen=True)
class Split:
    """Examples as the forward pass wants them: inputs (features + 1, examples), targets (outputs, examples)."""

    inputs: Array
    targets: Array

    @classmethod
    def of(cls, examples: Examples, schema: Schema) -> "Split":
        """The examples with a row of ones below the features, and classes as a one among zeros."""
        inputs = with_ones(examples.features)
        if schema.classes is None:
            return cls(inputs, np.ascontiguousarray(examples.targets.T))
        targets = np.zeros((schema.outputs, inputs.shape[1]), np.float32)
        targets[examples.targets, np.arange(inputs.shape[1])] = 1
        return cls(inputs, targets)

    @property
    def nbytes(self) -> int:
        """The size in bytes."""
        return self.inputs.nbytes + self.targets.nbytes

    def __len__(self) -> int:
        return self.inputs.shape[1]


class NetworkObjective(Objective):
    """The mean loss of a network over the training examples."""

    def __init__(self, network: Network, loss: Loss, train: Split, test: Split | None, classes: bool) -> None:
        self.network = network
        self.loss = loss
        self.train = train
        self.test = test
        self.classes = classes
        self.weights_count = network.weights_count
        self.nbytes = train.nbytes + (test.nbytes if test else 0)
        self.tile, self.chunk = _tile_and_chunk(network.neurons, len(train))

    @classmethod
    def of(cls, dataset: Dataset, network: Network, loss: Loss) -> "NetworkObjective":
        """The objective of a network on a data set."""
        train = Split.of(dataset.train, dataset.schema)
        test = Split.of(dataset.test, dataset.schema) if dataset.test else None
        return cls(network, loss, train, test, dataset.schema.classes is not None)

    def losses(self, candidates: Dense, round_number: int) -> NDArray[np.float64]:
        """The mean loss of each candidate over the training examples, (candidates,)."""
        return self._mean(candidates, self.train, self.loss.total)

    def loss_on(self, weights: Array, split: Split) -> float:
        """The mean loss of the weights, (n,), over a split."""
        return float(self._mean(Dense(weights[np.newaxis]), split, self.loss.total)[0])

    def accuracy_on(self, weights: Array, split: Split) -> float | None:
        """The share of a split that the weights, (n,), classify rightly; None in regression."""
        return float(self._mean(Dense(weights[np.newaxis]), split, losses.hits)[0]) if self.classes else None

    def accuracies(self, weights: Array) -> Accuracies:
        """The accuracy of the weights, (n,), on the training and on the test examples."""
        return self.accuracy_on(weights, self.train), self.accuracy_on(weights, self.test) if self.test else None

    def test_loss(self, weights: Array) -> float | None:
        """The loss of the weights, (n,), on the test examples."""
        return self.loss_on(weights, self.test) if self.test else None

    def named(self, weights: Array) -> dict[str, Array]:
        """The weights, (n,), as each layer's tensors."""
        return self.network.named(weights)

    def _mean(
        self, candidates: Dense, split: Split, total: Callable[[Array, Array], NDArray[Any]]
    ) -> NDArray[np.float64]:
        sums = np.zeros(len(candidates))
        with np.errstate(all="ignore"):  # weights that overflow get a loss that is not finite, and never win
            for start in range(0, len(split), self.chunk):
                chunk = slice(start, start + self.chunk)
                outputs = self.network.forward(candidates, split.inputs[:, chunk])
                sums += total(outputs, split.targets[:, chunk])
        return sums / len(split)


def with_ones(features: Array) -> Array:
    """Features, (examples, features), as the forward pass wants them: (features + 1, examples), the last row ones."""
    inputs = np.ones((features.shape[1] + 1, len(features)), np.float32)
    inputs[:-1] = features.T
    return inputs


def _tile_and_chunk(neurons: int, examples: int) -> tuple[int, int]:
    """Candidates to a tile and examples to a chunk, such that a tile's activations on a chunk fit the cache."""
    bytes_per_example = 4 * neurons
    chunk = min(examples, max(SMALLEST_CHUNK, CACHE_BYTES // bytes_per_example))
    fitting = max(1, CACHE_BYTES // (bytes_per_example * chunk))
    return min(LARGEST_TILE, 1 << (fitting.bit_length() - 1)), chunk
