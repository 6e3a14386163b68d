"""Network + loss + data as an objective.

The round's examples are worked through in chunks, and candidates are evaluated in tiles, so that the activations of a
tile on a chunk stay in the processor's cache. Both sizes follow from the network and the batch alone.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Dense, Tiling
from distsearch.data.datasets import Dataset
from distsearch.networks.layers.base import CACHE_BYTES
from distsearch.networks.quiet import quietly
from distsearch.networks.trainable import Experiments, Trainable
from distsearch.objectives import losses
from distsearch.objectives.base import FLOAT_BITS, Array, Measurement, Objective, Sums, Task, Traits
from distsearch.objectives.batches import Batches, Columns
from distsearch.objectives.losses import Loss

SMALLEST_CHUNK = 512  # columns of a product; with fewer, it does not reach its speed
SMALLEST_OF_IMAGES = 16  # examples, each of which has many columns in a convolution
LARGEST_TILE = 64  # candidates


def task_of(network: Trainable, loss: Loss, examples: int, batch: int, rounds: int | None = None) -> Task:
    """The search for a network's weights, scored per round on `batch` of the examples."""
    bits = min((matrix.precision.bits for matrix in network.matrices), default=FLOAT_BITS)
    traits = Traits(loss.flat, loss.numbers, network.jumps, bits=bits)
    return Task(network.weights_count, network.blocks, network.node_layers, examples, batch, rounds, traits)


class NetworkObjective(Objective):
    """The mean loss of a network over the training examples, or over the round's minibatch of them.

    Where examples are weighted, losses are means of weight × loss: as weights have a mean of 1 over the training
    examples, that is Σ weight × loss / Σ weight over all of them, which minibatches estimate without bias. The share
    of correct predictions does not know weights.
    """

    def __init__(
        self,
        network: Trainable,
        loss: Loss,
        batches: Batches,
        test: Columns | None = None,
        classes: bool = False,
        unit: float = 1.0,
        validation: Columns | None = None,
    ) -> None:
        self.network = network
        self.loss = loss
        self.batches = batches
        self.classes = classes
        self.unit = np.float64(unit)  # of the loss, where targets are standardised
        self.nodes = self
        sets = {"train": batches.train, "test": test, "validation": validation}
        self._sets = {name: columns for name, columns in sets.items() if columns is not None}
        self.nbytes = sum(columns.nbytes for columns in self._sets.values())
        self.one_by_one = network.one_by_one
        self.tiling = _tiling(network.neurons, batches.size, network.windows)
        if network.one_by_one:
            self.tiling = self.tiling._replace(candidates=1)
        size = _tiling(network.neurons, len(batches.train), network.windows).examples
        everything = self._sets.values()
        self._pieces = [(columns, start, size) for columns in everything for start in range(0, len(columns), size)]
        self.parts = len(self._pieces)

    @classmethod
    def of(
        cls, dataset: Dataset, network: Trainable, loss: Loss, batch: int | None = None, seed: int = 0
    ) -> "NetworkObjective":
        """The objective of a network on a data set, with `batch` examples per round (None: all), drawn by the seed."""
        train = Columns.of(dataset.train, dataset.schema)
        schema = dataset.schema
        test = Columns.of(dataset.test, schema) if dataset.test else None
        validation = Columns.of(dataset.validation, schema) if dataset.validation else None
        unit, classes = schema.loss_unit(loss.degree), schema.classes is not None
        return cls(network, loss, Batches(train, batch, seed), test, classes, unit, validation)

    @quietly
    def losses(self, candidates: Candidates, round_number: int) -> NDArray[np.float64]:
        """The mean loss of each candidate over the round's examples, (candidates,)."""
        examples = self.batches.of(round_number)
        count, tiling = len(examples), self.tiling if self.one_by_one else candidates.tiling(self.tiling)
        size = tiling.examples
        sums: NDArray[Any] = self._sums(candidates, examples, 0, size)
        for start in range(size, count, size):
            sums = np.add(sums, self._sums(candidates, examples, start, size), dtype=np.float64)
        return sums / np.float64(count) * self.unit

    def _sums(self, candidates: Candidates, examples: Columns, start: int, size: int) -> Array:
        """The sum of each candidate's losses over `size` of the examples from `start` on, (candidates,)."""
        inputs, targets, weights = examples.chunk(start, size)
        return self.loss.sums(self.network.forward(candidates, inputs), targets, weights)

    @quietly
    def experiments(self, weights: Array, round_number: int, examples: slice) -> Experiments:
        """The forward pass of the weights, (n,), on some of the round's examples, and what moving nodes changes."""
        some = self.batches.some(round_number, examples)

        def losses_of(outputs: Array) -> Array:
            return self.loss.weighted(outputs, some.targets, some.weights)

        return self.network.experiments(weights, some.inputs, losses_of, self.unit)

    @quietly
    def sums(self, weights: Array, lo: int, hi: int) -> Sums:
        """The sums of losses and correct predictions of the weights, (n,), over the parts lo to hi, (hi - lo, 2)."""
        candidate, sums = Dense(weights[np.newaxis]), np.zeros((hi - lo, 2))
        for row, (columns, start, size) in zip(sums, self._pieces[lo:hi], strict=True):
            inputs, targets, counts = columns.chunk(start, size)
            outputs = self.network.forward(candidate, inputs)
            if self.classes:
                row[1] = losses.correct(outputs, targets)[0]
            row[0] = self.loss.sums(outputs, targets, counts)[0]
        return sums

    def measurement(self, sums: Sums) -> Measurement:
        """The measurement that the sums over all parts, (parts, 2), add up to; its loss is a candidate's to the bit."""
        found: dict[str, tuple[float | None, float | None]] = {}
        for name, columns in self._sets.items():
            rows = [row for row, (piece, _, _) in zip(sums, self._pieces, strict=True) if piece is columns]
            loss, correct = sum(rows, np.zeros(2)) / len(columns)
            found[name] = float(loss * self.unit), float(correct) if self.classes else None
        nothing = None, None
        return Measurement(*found["train"], *found.get("test", nothing), *found.get("validation", nothing))

    def named(self, weights: Array) -> dict[str, Array]:
        """The weights, (n,), as each layer's tensors."""
        return self.network.named(weights)


def _tiling(neurons: int, examples: int, windows: int = 1) -> Tiling:
    """Candidates per tile and examples per chunk, such that a tile's activations on a chunk fit the cache."""
    bytes_per_example = 4 * neurons
    smallest = max(SMALLEST_OF_IMAGES, SMALLEST_CHUNK // windows)
    chunk = min(examples, max(smallest, CACHE_BYTES // bytes_per_example))
    fitting = max(1, CACHE_BYTES // (bytes_per_example * chunk))
    return Tiling(min(LARGEST_TILE, 1 << (fitting.bit_length() - 1)), chunk)
