"""The clock of those who train in torch: it stands while test and validation examples are measured."""

import time
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from distsearch.data import datasets
from nondiff.folders import VALIDATION
from nondiff.marks import Mark, mark_due

FIRST_MARK = 1.0  # seconds
CHUNK = 1000  # examples
SCALES = {"mnist": (0.1307, 0.3081), "fashion-mnist": (0.2860, 0.3530)}  # mean and deviation, as PolyStep has them


@dataclass(frozen=True)
class Examples:
    """Images (examples, 1, 28, 28) and labels (examples,)."""

    images: Tensor
    labels: Tensor

    def accuracy(self, model: nn.Module) -> float:
        """The share that a model classifies correctly."""
        with torch.inference_mode():
            hits = sum(
                int((model(images).argmax(dim=1) == labels).sum())
                for images, labels in zip(self.images.split(CHUNK), self.labels.split(CHUNK), strict=True)
            )
        return hits / len(self.labels)


def examples_of(folder: str, data: str) -> tuple[Examples, Examples, Examples]:
    """Nine tenths of a folder's training examples, the last tenth for validation, and the test set."""
    dataset = datasets.load(folder, numbers=False)
    mean, deviation = SCALES.get(data, SCALES["mnist"])
    parts = []
    for part in (dataset.train, dataset.test):
        images = torch.from_numpy((part.features - mean) / deviation).float().reshape(-1, 1, 28, 28)
        parts.append(Examples(images, torch.from_numpy(part.targets.copy())))
    train, test = parts
    kept = len(train.labels) - len(train.labels) // VALIDATION
    return (
        Examples(train.images[:kept], train.labels[:kept]),
        Examples(train.images[kept:], train.labels[kept:]),
        test,
    )


@dataclass
class Stopwatch:
    """Seconds of training, and the marks; what counts in the end is the mark of the highest validation accuracy."""

    model: nn.Module
    validation: Examples
    test: Examples
    limit: float
    marks: list[Mark] = field(default_factory=list)
    _best: tuple[float, float] = (-1.0, 0.0)  # on validation examples, and then on the test set
    _stood: float = 0.0
    _due: float = 0.0
    _began: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """The seconds of training."""
        return time.perf_counter() - self._began - self._stood

    def over(self, steps: int) -> bool:
        """Measure if it is due after these steps; whether the time is up."""
        before = time.perf_counter()
        seconds = self.seconds
        over = seconds >= self.limit
        is_due, self._due = mark_due(self._due, seconds, FIRST_MARK)
        if is_due or over:
            self.model.eval()
            found = self.validation.accuracy(self.model), self.test.accuracy(self.model)
            self.model.train()
            self.marks.append(Mark(steps, seconds, found[1]))
            if found[0] > self._best[0]:
                self._best = found
        self._stood += time.perf_counter() - before
        return over

    def document(self) -> dict[str, Any]:
        """What was found."""
        last = self.marks[-1]
        return {"marks": self.marks, "end": Mark(last.rounds, last.seconds, self._best[1])}
