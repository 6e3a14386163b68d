"""What a candidate is scored on: network + loss + data, or a function of the user's own.

The round's examples are worked through in chunks, and candidates are tried in tiles, so that the activations of a
tile on a chunk stay in the processor's cache. Both sizes follow from the network and the batch alone.
"""

import contextvars
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Dense, Space
from distsearch.candidates.pairs import LowRank
from distsearch.data.datasets import Dataset
from distsearch.errors import ObjectiveError
from distsearch.networks.network import CACHE_BYTES, Network
from distsearch.objectives import losses
from distsearch.objectives.batches import Batches, Split
from distsearch.objectives.losses import Loss
from distsearch.objectives.nodes import Nodes

SMALLEST_CHUNK = 512  # examples; with fewer, a matrix product does not reach its speed
LARGEST_TILE = 64  # candidates
LOW_RANK_TILE, LOW_RANK_CHUNK = 32, 256  # their first layer is one product for all: it wants many pairs, few examples
LARGEST_TILE_WEIGHTS = 1 << 22  # of all candidates of a tile that a function scores

Array = NDArray[np.float32]
Sums = NDArray[np.float64]
P = ParamSpec("P")
T = TypeVar("T")


class _Quiet(threading.local):
    """A context of each thread's own in which NumPy warns of nothing. To enter it costs a fifth of np.errstate."""

    def __init__(self) -> None:
        self.context = contextvars.copy_context()
        self.context.run(np.seterr, all="ignore")


_quiet = _Quiet()


def quietly(method: Callable[P, T]) -> Callable[P, T]:
    """The method without NumPy's warnings: weights that overflow get a loss that is not finite, and never win."""

    @wraps(method)
    def inside(*arguments: P.args, **named: P.kwargs) -> T:
        return _quiet.context.run(method, *arguments, **named)

    return inside


class Measurement(NamedTuple):
    """Loss and accuracy on all training and all test examples; None where there is no such thing."""

    loss: float | None
    accuracy: float | None
    test_loss: float | None
    test_accuracy: float | None


class Objective(ABC):
    """Maps candidates to losses."""

    tile: int
    """Candidates that are computed together."""
    low_rank_tile: int
    """The same, if they are low-rank."""
    space: Space
    """What is searched."""
    nbytes: int
    """The size of its data, in bytes."""
    classes = False
    """Whether it is of classes, and so has an accuracy."""
    foreign = False
    """Whether it runs code of the user's, which may crash or hang: not in the driver, if there are workers."""

    @abstractmethod
    def losses(self, candidates: Candidates, round_number: int) -> NDArray[np.float64]:
        """The loss of each candidate, (candidates,)."""

    def node_gradients(
        self, weights: Array, round_number: int, examples: slice, signs: Array, sigma: float, groups: int
    ) -> tuple[Array, Array]:
        """The loss of each of some of the round's examples, (examples,), and the sum of their gradients, (n,).

        These are estimated by moving nodes by ±σ; signs are (nodes, examples). Only a network has nodes.
        """
        raise NotImplementedError

    parts: int = 0
    """Parts of the data that weights are measured on one by one."""

    def sums(self, weights: Array, lo: int, hi: int) -> Sums:
        """The sums of losses and right predictions of the weights, (n,), over the parts lo to hi, (hi - lo, 2)."""
        return np.zeros((hi - lo, 2))

    def measurement(self, sums: Sums) -> Measurement:
        """What the sums over all parts, (parts, 2), come to."""
        return Measurement(None, None, None, None)

    def measure(self, weights: Array) -> Measurement:
        """Loss and accuracy of the weights, (n,), on all training and test examples, where there is such a thing."""
        return self.measurement(self.sums(weights, 0, self.parts))

    def named(self, weights: Array) -> dict[str, Array]:
        """The weights, (n,), as the tensors that are stored."""
        return {"weights": weights}


class FunctionObjective(Objective):
    """A function of the user's own, from weights (n,) to a loss."""

    nbytes = 0
    foreign = True

    def __init__(self, function: Callable[[Array], float], weights_count: int) -> None:
        self.function = function
        self.space = Space(weights_count)
        self.tile = self.low_rank_tile = max(1, min(LARGEST_TILE, LARGEST_TILE_WEIGHTS // weights_count))

    def losses(self, candidates: Candidates, round_number: int) -> NDArray[np.float64]:
        """The function's value for each candidate, (candidates,). ObjectiveError if it is not a number."""
        return np.array([self._loss(weights) for weights in candidates.dense()])

    def _loss(self, weights: Array) -> float:
        value = self.function(weights)
        try:
            return float(value)
        except (TypeError, ValueError):
            raise ObjectiveError(f"expected a number from the function, got {value!r}") from None


class NetworkObjective(Objective):
    """The mean loss of a network over the training examples, or over the round's minibatch of them."""

    def __init__(
        self, network: Network, loss: Loss, batches: Batches, test: Split | None = None, classes: bool = False
    ) -> None:
        self.network = network
        self.loss = loss
        self.batches = batches
        self.classes = classes
        self.space = space_of(network, loss, len(batches.train), batches.size)
        self._splits = [batches.train] if test is None else [batches.train, test]
        self.nbytes = sum(split.nbytes for split in self._splits)
        self.tile, self.chunk = _tile_and_chunk(network.neurons, batches.size)
        self.low_rank_tile = LOW_RANK_TILE
        _, whole = _tile_and_chunk(network.neurons, len(batches.train))
        self._pieces = [(split, slice(at, at + whole)) for split in self._splits for at in range(0, len(split), whole)]
        self.parts = len(self._pieces)

    @classmethod
    def of(
        cls, dataset: Dataset, network: Network, loss: Loss, batch: int | None = None, seed: int = 0
    ) -> "NetworkObjective":
        """The objective of a network on a data set, `batch` examples a round (None: all), drawn by the seed."""
        train = Split.of(dataset.train, dataset.schema)
        test = Split.of(dataset.test, dataset.schema) if dataset.test else None
        return cls(network, loss, Batches(train, batch, seed), test, dataset.schema.classes is not None)

    @quietly
    def losses(self, candidates: Candidates, round_number: int) -> NDArray[np.float64]:
        """The mean loss of each candidate over the round's examples, (candidates,)."""
        examples = self.batches.of(round_number)
        count, size = len(examples), LOW_RANK_CHUNK if isinstance(candidates, LowRank) else self.chunk
        sums: NDArray[Any] = self._sums(candidates, examples, 0, size)
        for start in range(size, count, size):
            sums = np.add(sums, self._sums(candidates, examples, start, size), dtype=np.float64)
        return sums / np.float64(count)

    def _sums(self, candidates: Candidates, examples: Split, start: int, size: int) -> Array:
        """The sum of each candidate's losses over so many of the examples, (candidates,)."""
        chunk = slice(start, start + size)
        outputs = self.network.forward(candidates, examples.inputs[:, chunk])
        return self.loss.total(outputs, examples.targets[:, chunk])

    @quietly
    def node_gradients(
        self, weights: Array, round_number: int, examples: slice, signs: Array, sigma: float, groups: int
    ) -> tuple[Array, Array]:
        """The loss of each of some of the round's examples, (examples,), and the sum of their gradients, (n,)."""
        some = self.batches.some(round_number, examples)
        return Nodes(self.network, self.loss).updates(weights, some, signs, sigma, groups)

    @quietly
    def sums(self, weights: Array, lo: int, hi: int) -> Sums:
        """The sums of losses and right predictions of the weights, (n,), over the parts lo to hi, (hi - lo, 2)."""
        candidate, sums = Dense(weights[np.newaxis]), np.zeros((hi - lo, 2))
        for row, (split, chunk) in zip(sums, self._pieces[lo:hi], strict=True):
            outputs, targets = self.network.forward(candidate, split.inputs[:, chunk]), split.targets[:, chunk]
            if self.classes:
                row[1] = losses.correct(outputs, targets)[0]
            row[0] = self.loss.total(outputs, targets)[0]
        return sums

    def measurement(self, sums: Sums) -> Measurement:
        """What the sums over all parts, (parts, 2), come to. The loss is that of a candidate, to the bit."""
        found: list[float | None] = []
        for split in self._splits:
            rows = [row for row, (piece, _) in zip(sums, self._pieces, strict=True) if piece is split]
            loss, correct = sum(rows, np.zeros(2)) / len(split)
            found += [float(loss), float(correct) if self.classes else None]
        return Measurement(*found, *[None] * (4 - len(found)))

    def named(self, weights: Array) -> dict[str, Array]:
        """The weights, (n,), as each layer's tensors."""
        return self.network.named(weights)


def space_of(network: Network, loss: Loss, examples: int, batch: int, rounds: int | None = None) -> Space:
    """What is searched: the weights of a network, scored on `batch` of so many examples in each of so many rounds."""
    steps = network.activation == "step"
    return Space(network.weights_count, network.layers, examples, batch, loss.flat, rounds, loss.numbers, steps)


def _tile_and_chunk(neurons: int, examples: int) -> tuple[int, int]:
    """Candidates to a tile and examples to a chunk, such that a tile's activations on a chunk fit the cache."""
    bytes_per_example = 4 * neurons
    chunk = min(examples, max(SMALLEST_CHUNK, CACHE_BYTES // bytes_per_example))
    fitting = max(1, CACHE_BYTES // (bytes_per_example * chunk))
    return min(LARGEST_TILE, 1 << (fitting.bit_length() - 1)), chunk
