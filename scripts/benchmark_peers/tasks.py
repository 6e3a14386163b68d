"""The tasks: one problem each, with the same arrays and initial weights for every entry, and the clock."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.config import RunConfig, from_flags
from distsearch.networks.network import Network
from distsearch.objectives.model import network_for, start_for
from distsearch.search.data import read_data

Array = NDArray[np.float32]

CORES = 2  # for every entry
WORTH_THREADS = 200_000  # activations of a population; below this, distributing them takes longer than it saves
TOLERANCE = 1.001  # for a loss that is recomputed, with additions in a different order


@dataclass(frozen=True)
class Task:
    """A network, its data, and how far to train it."""

    name: str
    title: str
    flags: dict[str, Any]  # of distsearch: data and network
    limit: float  # seconds
    loss: float | None = None  # on the training examples
    accuracy: float | None = None  # on the test examples
    batch: int | None = None  # examples per generation; None: all
    share: float | None = None  # of the best peer's time that ours may take
    seconds: float | None = None  # that ours may take
    mnist: bool = False

    @property
    def target(self) -> str:
        """The target in words."""
        if self.loss is not None:
            return f"training loss ≤ {self.loss:g}"
        return f"test accuracy ≥ {self.accuracy:g}" if self.accuracy is not None else "candidates a second"

    def config(self, folder: str, **flags: Any) -> RunConfig:
        """distsearch's configuration; the data of MNIST is in a folder."""
        given = {"data": folder, "validation_share": 0, "layers": [128], "start": "he"} if self.mnist else {}
        return from_flags({**given, **self.flags, **flags})


TASKS = {
    task.name: task
    for task in (
        Task("chapter", "vertical, 2-3-3", {"data": "vertical", "layers": [3]}, 20, loss=0.205, share=1),
        Task("spiral", "spiral, 2-64-3", {"data": "spiral", "layers": [64], "start": "he"}, 60, loss=0.20, share=1 / 2),
        Task(
            "digits",
            "digits, 64-32-10",
            {"data": "digits", "test_share": 0.2, "layers": [32], "start": "he"},
            60,
            loss=0.05,
            share=1 / 5,
        ),
        Task("mnist", "MNIST, 784-128-10", {}, 600, accuracy=0.95, batch=1024, share=1 / 100, mnist=True),
        Task("mnist-97", "MNIST, 784-128-10", {}, 60, accuracy=0.97, batch=1024, seconds=30, mnist=True),
        Task("mnist-98", "MNIST, 784-128-10", {}, 240, accuracy=0.98, batch=1024, seconds=180, mnist=True),
        Task(
            "mnist-step",
            "MNIST, 784-128-10, step activations",
            {"activation": "step"},
            60,
            accuracy=0.95,
            batch=1024,
            seconds=30,
            mnist=True,
        ),
        Task("mnist-rate", "MNIST, 784-128-10, weight noise, batch 1024", {}, 20, batch=1024, share=1 / 10, mnist=True),
    )
}


@dataclass(frozen=True)
class Problem:
    """A task's arrays. Weights are flat: (outputs, inputs + 1) per layer, with the biases as the last column."""

    task: Task
    network: Network
    activation: str  # of the hidden layers
    x: Array  # (examples, features)
    y: NDArray[np.int64]  # (examples,)
    x_test: Array
    y_test: NDArray[np.int64]
    start: Array  # (n,)
    seed: int

    @classmethod
    def of(cls, task: Task, folder: str, seed: int) -> "Problem":
        """The problem of a task, with the initial weights for a seed."""
        config = task.config(folder, seed=seed)
        dataset = read_data(config)
        network = network_for(config.network, dataset.schema)
        test = dataset.test or dataset.train
        start = network.start(start_for(config.network), seed)
        arrays = *_arrays(dataset.train), *_arrays(test)
        return cls(task, network, config.network.activation[0], *arrays, start, seed)

    @cached_property
    def x_columns(self) -> Array:
        """The examples as columns, (features, examples)."""
        return np.ascontiguousarray(self.x.T)

    @property
    def weights_count(self) -> int:
        """The number of weights, n."""
        return self.network.weights_count

    def flops(self, seen: int) -> int:
        """The multiplications and additions in a candidate's forward pass over this many examples."""
        return seen * sum(2 * block.size for block in self.network.blocks)

    def exponentials(self, seen: int) -> int:
        """The exponentials in the same."""
        return seen * self.network.layers[-1].outputs

    @property
    def seen(self) -> int:
        """The number of examples per generation."""
        return self.task.batch or len(self.x)

    def losses_on_all_cores(self, weights: Array) -> NDArray[np.float64]:
        """The loss of each candidate, (candidates,), with a share of them on each core, which beats BLAS's threads."""
        if len(weights) * self.network.neurons * len(self.x) < WORTH_THREADS:
            return self.losses(weights)
        return np.concatenate(list(self._threads.map(self.losses, np.array_split(weights, CORES))))

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(CORES)

    def losses(self, weights: Array) -> NDArray[np.float64]:
        """The loss of each candidate, (candidates,), on all training examples at once."""
        outputs = self._outputs(weights, self.x_columns)  # (candidates, outputs, examples)
        outputs -= outputs.max(axis=1, keepdims=True)
        right = outputs[:, self.y, np.arange(len(self.y))]
        return (np.log(np.exp(outputs).sum(axis=1)) - right).mean(axis=1, dtype=np.float64)

    def test_accuracy(self, weights: Array) -> float:
        """The share of test examples classified correctly by weights, (n,)."""
        outputs = self._outputs(weights[np.newaxis], self.x_test.T)[0]
        return float(np.mean(outputs.argmax(axis=0) == self.y_test))

    def _outputs(self, weights: Array, columns: Array) -> Array:
        below = columns
        for layer in self.network.layers:
            matrix = layer.matrix.block.matrices(weights)
            below = matrix[:, :, :-1] @ below
            below += matrix[:, :, -1:]
            if layer is not self.network.layers[-1]:
                below = np.maximum(below, 0) if self.activation == "relu" else (below > 0).astype(np.float32)
        return below


def _arrays(examples: Any) -> tuple[Array, NDArray[np.int64]]:
    return examples.features, examples.targets


@dataclass
class Race:
    """One search against the clock, which runs while the search works and stops during measurements."""

    problem: Problem
    limit: float
    points: list[tuple[float, float, float]] = field(default_factory=list)  # seconds, candidates, loss or accuracy
    reached: float | None = None  # seconds
    seen: int | None = None  # examples per candidate, if different from the task's
    final: float | None = None  # the loss at the end, or the accuracy, recomputed while the clock is stopped
    pace: list[tuple[float, float]] = field(default_factory=list)  # seconds, candidates: once warm, and at the end
    _began: float = 0.0
    _stood: float = 0.0
    _due: float = 0.0

    def begin(self) -> None:
        """Start the clock, now that the problem is ready."""
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """The seconds that the search has worked."""
        return time.perf_counter() - self._began - self._stood

    @contextmanager
    def standing(self) -> Iterator[None]:
        """Stop the clock while entered."""
        before = time.perf_counter()
        yield
        self._stood += time.perf_counter() - before

    @property
    def is_due(self) -> bool:
        """Whether it is time to measure again; the longer measuring takes, the less often."""
        return self.seconds >= self._due

    def record(self, candidates: float, loss: float, weights: Callable[[], Array]) -> bool:
        """Record the search's own loss; whether it is over. A loss that reaches the target is recomputed."""
        seconds = self.seconds
        with self.standing():
            task = self.problem.task
            if task.accuracy is not None:
                return self._measured(seconds, candidates, weights)
            self.points.append((seconds, candidates, float(loss)))
            if task.loss is not None and loss <= task.loss:
                again = float(self.problem.losses(np.array(weights(), np.float32)[np.newaxis])[0])
                if again > task.loss * TOLERANCE:
                    raise AssertionError(f"a loss of {loss:g} was reported, but it is {again:g}")
                self.reached, self.final = seconds, again
                return True
            return seconds >= self.limit

    def _measured(self, seconds: float, candidates: float, weights: Callable[[], Array]) -> bool:
        if seconds >= self._due:
            accuracy = self.problem.test_accuracy(np.array(weights(), np.float32))
            self.points.append((seconds, candidates, accuracy))
            self._due = max(seconds + 0.1, seconds * 1.03)
            if accuracy >= (self.problem.task.accuracy or 2):
                self.reached, self.final = seconds, accuracy
                return True
        return seconds >= self.limit
