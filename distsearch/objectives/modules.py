"""A loss that is given the torch module itself, as an objective: candidate by candidate, a whole batch at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from distsearch.candidates.base import Candidates, Dense, Tiling
from distsearch.data.datasets import Dataset
from distsearch.errors import SettingError
from distsearch.networks.trainable import Trainable
from distsearch.objectives.base import Array, Measurement, Objective, Sums
from distsearch.objectives.batches import Batches, Columns, columns_of
from distsearch.objectives.losses.of_modules import ModuleLoss
from distsearch.randomness import Stream, uniform

MEASURED = Stream.LOSSES, 0
"""Where the random numbers of measurements come from, with seed 0."""
TRIED = 4  # examples that the loss is tried on


class ModuleObjective(Objective):
    """The loss of a module on the training examples, or on the round's minibatch of them.

    Examples are measured in pieces as large as a batch, of whose losses the mean is taken. What the module or the loss
    draws from torch's generator is the same for all candidates of a round: with minibatches other numbers in each
    round; otherwise, and where weights are measured, always the same.
    """

    one_by_one = True
    tiling = Tiling(1, 1)

    def __init__(
        self,
        network: Trainable,
        loss: ModuleLoss,
        batches: Batches,
        seed: int = 0,
        test: Columns | None = None,
        validation: Columns | None = None,
    ) -> None:
        self.network = network
        self.loss = loss
        self.batches = batches
        self._seed = seed
        sets = {"train": batches.train, "test": test, "validation": validation}
        self._sets = {name: columns for name, columns in sets.items() if columns is not None}
        self.nbytes = sum(columns.nbytes for columns in self._sets.values())
        self._pieces = [
            (name, slice(start, min(start + batches.size, len(columns))))
            for name, columns in self._sets.items()
            for start in range(0, len(columns), batches.size)
        ]
        self.parts = len(self._pieces)

    @classmethod
    def of(
        cls, dataset: Dataset, network: Trainable, loss: ModuleLoss, batch: int | None, seed: int
    ) -> "ModuleObjective":
        """The objective on a data set, with `batch` examples per round (None: all), drawn by the seed."""
        train, test, validation = columns_of(dataset)
        return cls(network, loss, Batches(train, batch, seed), seed, test, validation)

    @property
    def device(self) -> str:
        """That of the network."""
        return self.network.device

    def try_out(self, weights: Array) -> None:
        """SettingError if the loss of the same weights, (n,), differs from call to call; ObjectiveError if it fails."""
        train, draw = self.batches.train, uniform(0, *MEASURED)
        first, again = (self._loss(weights, train.inputs[:, :TRIED], train.targets[:, :TRIED], draw) for _ in range(2))
        if first != again and first == first:
            raise SettingError(
                f"the loss {self.loss.named}: expected one that depends on weights and batch alone, got {first:g} and "
                f"{again:g} for the same: draw random numbers from torch's generator, and keep nothing between calls"
            )

    def losses(self, candidates: Candidates, round_number: int) -> NDArray[np.float64]:
        """The loss of each candidate on the round's examples, (candidates,)."""
        examples = self.batches.of(round_number)
        draw = uniform(self._seed, Stream.LOSSES, round_number) if self.batches.minibatch else uniform(0, *MEASURED)
        return np.array(self._losses(candidates, examples.inputs, examples.targets, draw))

    def sums(self, weights: Array, lo: int, hi: int) -> list[Sums]:
        """The loss of the weights, (n,), on the pieces lo to hi of the examples."""
        found = []
        for name, some in self._pieces[lo:hi]:
            columns, draw = self._sets[name], uniform(0, *MEASURED, some.start)
            loss = self._loss(weights, columns.inputs[:, some], columns.targets[:, some], draw)
            found.append(Sums(0.0, np.array([loss])))
        return found

    def measurement(self, sums: Sequence[Sums]) -> Measurement:
        """The mean over the examples of each set; of one piece, its loss as it is, and so a candidate's to the bit."""
        found: dict[str, float] = {}
        for name in self._sets:
            rows = [
                (some.stop - some.start, float(row.loss[0]))
                for row, (piece, some) in zip(sums, self._pieces, strict=True)
                if piece == name
            ]
            total = sum(count for count, _ in rows)
            found[name] = rows[0][1] if len(rows) == 1 else sum(count * loss for count, loss in rows) / total
        return Measurement(found["train"], None, found.get("test"), None, found.get("validation"))

    def named(self, weights: Array) -> dict[str, Array]:
        """The weights, (n,), as the module's tensors."""
        return self.network.named(weights)

    def _loss(self, weights: Array, inputs: Array, targets: Array, draw: float) -> float:
        return self._losses(Dense(weights[np.newaxis]), inputs, targets, draw)[0]

    def _losses(self, candidates: Candidates, inputs: Array, targets: Array, draw: float) -> list[float]:
        return self.network.scored(candidates, inputs, self.loss.targets(targets), self.loss.value, draw)
