"""Network + loss + data as an objective.

The round's examples are worked through in chunks, and candidates are evaluated in tiles, so that the activations of a
tile on a chunk stay in the processor's cache. Both sizes follow from the network and the batch alone.
"""

from collections.abc import Callable, Sequence
from copy import copy
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Dense, Tiling
from distsearch.data.datasets import Dataset
from distsearch.networks.layers.base import CACHE_BYTES
from distsearch.networks.quiet import quietly
from distsearch.networks.trainable import Experiments, Trainable
from distsearch.objectives import losses
from distsearch.objectives.base import FLOAT_BITS, Array, Measurement, Objective, Sums, Task, Traits
from distsearch.objectives.baseline import baseline
from distsearch.objectives.batches import Batches, Columns, columns_of
from distsearch.objectives.constraints import penalty
from distsearch.objectives.influence import pressed
from distsearch.objectives.judging import Judgement
from distsearch.objectives.losses.base import Loss

SMALLEST_CHUNK = 512  # columns of a product; with fewer, it does not reach its speed
SMALLEST_OF_IMAGES = 16  # examples, each of which has many columns in a convolution
LARGEST_TILE = 64  # candidates

OfEach = Callable[[Array, Columns], Array]
"""What every example adds to the loss, times the examples, (candidates, examples), from outputs and the examples."""


def task_of(
    network: Trainable,
    loss: Loss,
    examples: int,
    batch: int,
    rounds: int | None = None,
    constraints: int = 0,
    validated: bool = False,
) -> Task:
    """The search for a network's weights, scored per round on `batch` of the examples."""
    bits = min((matrix.precision.bits for matrix in network.matrices), default=FLOAT_BITS)
    traits = Traits(loss.flat, loss.numbers, network.jumps, bits=bits, whole=loss.whole, by_example=loss.by_example)
    return Task(
        network.weights_count,
        network.blocks,
        network.node_layers,
        examples,
        batch,
        rounds,
        traits,
        constraints=constraints,
        validated=validated,
    )


class NetworkObjective(Objective):
    """The loss of a network on the training examples, or on the round's minibatch of them.

    Where examples are weighted, means are of weight × loss: as weights have a mean of 1 over the training examples,
    that is Σ weight × loss / Σ weight over all of them, which minibatches estimate without bias. The share of correct
    predictions does not know weights.
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
        judge: Judgement | None = None,
    ) -> None:
        self.network = network
        self.loss = loss
        self.batches = batches
        self.classes = classes
        self.unit = np.float64(unit)  # of the loss, where targets are standardised
        self._standardised = unit != 1
        self.nodes = self
        self._judge = judge
        sets = {"train": batches.train, "test": test, "validation": validation}
        self._sets = {name: columns for name, columns in sets.items() if columns is not None}
        self.nbytes = sum(columns.nbytes for columns in self._sets.values())
        self.one_by_one = network.one_by_one
        self.tiling = self._tiling_for(batches.size)
        if network.one_by_one:
            self.tiling = self.tiling._replace(candidates=1)
        self._size = size = self._tiling_for(len(batches.train)).examples  # of measured parts
        everything = self._sets.values()
        self._pieces = [(columns, part) for columns in everything for part in range(len(columns.chunks(size)))]
        self.parts = len(self._pieces)
        self._multipliers: NDArray[np.float64] | None = None  # if constraints are paid for
        self._derived: tuple[Array, int, OfEach] | None = None
        self._latest: NetworkObjective | None = None  # under the latest multipliers

    def _tiling_for(self, examples: int) -> Tiling:
        network = self.network
        return _tiling(network.neurons, examples, network.windows, network.tile_bytes)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_derived": None, "_latest": None}

    def under(self, multipliers: NDArray[np.float64] | None) -> "NetworkObjective":
        """The same with constraints that are paid for at such rates, see `State.multipliers`."""
        if multipliers is None:
            return self
        latest = self._latest
        if latest is None or latest._multipliers is None or not np.array_equal(latest._multipliers, multipliers):
            self._latest = latest = copy(self)
            latest.nodes, latest._multipliers, latest._derived = latest, multipliers, None
        return latest

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        network: Trainable,
        loss: Loss,
        batch: int | None = None,
        seed: int = 0,
        judge: Judgement | None = None,
    ) -> "NetworkObjective":
        """The objective of a network on a data set, with `batch` examples per round (None: all), drawn by the seed."""
        train, test, validation = columns_of(dataset)
        schema = dataset.schema
        unit, classes = schema.loss_unit(loss.degree), schema.classes is not None
        return cls(network, loss, Batches(train, batch, seed), test, classes, unit, validation, judge)

    @property
    def device(self) -> str:
        """That of the network."""
        return self.network.device

    @quietly
    def losses(self, candidates: Candidates, round_number: int) -> NDArray[np.float64]:
        """The loss of each candidate on the round's examples, (candidates,)."""
        examples = self.batches.of(round_number)
        size = (self.tiling if self.one_by_one else candidates.tiling(self.tiling)).examples
        forward, loss, parts = self.network.forward, self.loss, []
        kept: list[Array] | None = None if self._multipliers is None else []
        for inputs, targets, weights in examples.chunks(size):
            outputs = forward(candidates, inputs)
            if kept is not None:
                kept.append(outputs.copy())
            parts.append(loss.part(outputs, targets, weights))
        found = loss.joined(parts, examples.targets)
        if self._standardised:
            found = found * self.unit
        return found + self._penalties(np.concatenate(kept, axis=2), examples) if kept else found

    def _penalties(self, outputs: Array, examples: Columns) -> NDArray[np.float64]:
        """What violations of the constraints cost each candidate, (candidates,), from outputs on all examples."""
        judge, multipliers = self._judge, self._multipliers
        if judge is None or multipliers is None:
            raise AssertionError("there are no constraints")
        excesses = (judge.aims(examples.targets, each, examples.groups) for each in outputs)
        return np.array([penalty(multipliers, each) for each in excesses])

    @quietly
    def experiments(self, weights: Array, round_number: int, examples: slice) -> Experiments:
        """The forward pass of the weights, (n,), on some of the round's examples, and what moving nodes changes."""
        some = self.batches.some(round_number, examples)
        if self.loss.whole or self._multipliers is not None:
            each = self._surrogate(weights, round_number)
        else:
            each = self._plain

        def losses_of(outputs: Array, numbers: NDArray[np.intp] | None = None) -> Array:
            return each(outputs, some if numbers is None else some.judged(numbers))

        return self.network.experiments(weights, some.inputs, losses_of, self.unit)

    def _plain(self, outputs: Array, some: Columns) -> Array:
        return self.loss.weighted(outputs, some.targets, some.weights)

    def _surrogate(self, weights: Array, round_number: int) -> OfEach:
        """The loss of each example by itself, given the outputs for the weights on all of the round's examples.

        It is derived once for all units of a round that are computed here.
        """
        latest = self._derived
        if latest is None or latest[0] is not weights or latest[1] != round_number:
            examples, candidate = self.batches.of(round_number), Dense(weights[np.newaxis])
            outputs = [
                self.network.forward(candidate, chunk.inputs).copy() for chunk in examples.chunks(self.tiling.examples)
            ]
            latest = self._derived = weights, round_number, self._of_each(np.concatenate(outputs, axis=2), examples)
        return latest[2]

    def _of_each(self, outputs: Array, examples: Columns) -> OfEach:
        """What each example adds to the loss, given the outputs, (1, outputs, examples), of the center."""
        judge, multipliers, unit = self._judge, self._multipliers, np.float32(self.unit)
        penalties = None
        if judge is not None and multipliers is not None:
            penalties = pressed(judge, multipliers, outputs, examples)
        surrogate = self.loss.surrogate(outputs, examples.targets, examples.weights)

        def of_each(outputs: Array, some: Columns) -> Array:
            if judge is None or penalties is None:
                return surrogate(outputs, some.targets, some.weights)
            more = penalties(outputs, some.targets, judge.named(some.groups)) / unit
            return surrogate(outputs, some.targets, some.weights) + more

        return of_each

    @quietly
    def sums(self, weights: Array, lo: int, hi: int) -> list[Sums]:
        """What the weights, (n,), come to on the parts lo to hi of the examples, for `measurement`, part by part."""
        candidate, sums = Dense(weights[np.newaxis]), []
        for columns, number in self._pieces[lo:hi]:
            inputs, targets, counts = columns.chunks(self._size)[number]
            outputs = self.network.forward(candidate, inputs)
            correct = float(losses.correct(outputs, targets)[0]) if self.classes else 0.0
            kept = outputs[0].copy() if self._judge else None
            sums.append(Sums(correct, self.loss.part(outputs, targets, counts), kept))
        return sums

    def measurement(self, sums: Sequence[Sums]) -> Measurement:
        """The measurement that all parts add up to; its loss is a candidate's to the bit."""
        found: dict[str, tuple[float | None, float | None]] = {}
        judged: dict[str, float] = {}
        for name, columns in self._sets.items():
            rows = [row for row, (piece, _) in zip(sums, self._pieces, strict=True) if piece is columns]
            correct = sum(row.correct for row in rows) / len(columns)
            loss = self.loss.joined([row.loss for row in rows], columns.targets)[0] * self.unit
            found[name] = float(loss), correct if self.classes else None
            if self._judge:
                outputs = np.concatenate([row.outputs for row in rows if row.outputs is not None], axis=1)
                prefix = "" if name == "train" else f"{name}-"
                values = self._judge(columns.targets, outputs, columns.groups)
                judged |= {f"{prefix}{each}": value for each, value in values.items()}
        nothing = None, None
        others = *found.get("test", nothing), *found.get("validation", nothing)
        return Measurement(*found["train"], *others, judged or None)

    @quietly
    def baseline(self) -> float | None:
        """The loss of the best prediction that is the same for every example, on the test examples if there are any."""
        train = self.batches.train
        outputs = self.network.outputs
        found = baseline(self.loss, train, self._sets.get("test", train), outputs) * float(self.unit)
        return found if isfinite(found) else None

    def named(self, weights: Array) -> dict[str, Array]:
        """The weights, (n,), as each layer's tensors."""
        return self.network.named(weights)


def _tiling(neurons: int, examples: int, windows: int = 1, tile_bytes: int | None = None) -> Tiling:
    """Candidates per tile and examples per chunk, such that a tile's activations on a chunk fit the cache.

    Or that many bytes of another memory.
    """
    room = CACHE_BYTES if tile_bytes is None else tile_bytes
    bytes_per_example = 4 * neurons
    smallest = max(SMALLEST_OF_IMAGES, SMALLEST_CHUNK // windows)
    chunk = min(examples, max(smallest, room // bytes_per_example))
    fitting = max(1, room // (bytes_per_example * chunk))
    return Tiling(min(LARGEST_TILE, 1 << (fitting.bit_length() - 1)), chunk, tile_bytes is None)
