"""What `distsearch.search` and `distsearch.minimize` do."""

import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distsearch import session
from distsearch.config import RunConfig, Value, from_flags
from distsearch.errors import DataError
from distsearch.history import RoundRecord
from distsearch.model import Model
from distsearch.problem import datasets, losses
from distsearch.runs import Result, StoredRun
from distsearch.strategies.base import State

LOG = logging.getLogger("distsearch")
IN_MEMORY = "memory"  # stands in a run's configuration for the data's source


@dataclass(frozen=True)
class FunctionResult:
    """What the search of a function's weights has found."""

    weights: NDArray[np.float32]  # (n,), the lowest-loss weights
    history: list[RoundRecord]
    summary: Result

    @property
    def loss(self) -> float:
        """The lowest loss; infinite if not one round was finished."""
        return inf if self.summary.loss is None else self.summary.loss


@dataclass(frozen=True)
class SearchResult(FunctionResult):
    """What the search of a network's weights has found."""

    model: Model
    label_type: np.dtype[Any] | None  # of the user's labels, if they were numbers

    @property
    def accuracy(self) -> float | None:
        """The share of the training examples that is classified rightly; None in regression."""
        return self.summary.accuracy

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """For X, (examples, features): labels, (examples,), of the type of y; or numbers, (examples, outputs).

        Raises DataError if the features are not as many as those trained on.
        """
        predicted = self.model.predict(datasets.features_from(X, self.model.schema))
        if self.label_type is None:
            return predicted
        return predicted.astype(np.float64).astype(self.label_type)


def search(X: ArrayLike, y: ArrayLike, settings: Mapping[str, Value]) -> SearchResult:
    """See `distsearch.search`."""
    with _run_folder(settings) as config:
        dataset = datasets.from_arrays(
            X,
            y,
            numbers=losses.create(config.network.loss).numbers,
            scale=config.data.scale,
            test_share=config.data.test_share,
            seed=config.data.seed,
        )
        if advice := session.advice_on(config, dataset):
            LOG.warning(advice)
        run, result = session.on_dataset(config, dataset).run(_unwatched, LOG.info)
        stored = StoredRun(run.path)
        model = Model.stored(stored)
        kind = np.asarray(y).dtype
        numeric = model.schema.classes is not None and kind.kind in "iuf"
        return SearchResult(model.weights, list(stored.history()), result, model, kind if numeric else None)


def minimize(
    function: Callable[[NDArray[np.float32]], float], start: ArrayLike, settings: Mapping[str, Value]
) -> FunctionResult:
    """See `distsearch.minimize`."""
    weights = np.array(start, np.float32)
    if weights.ndim != 1 or not weights.size or not np.isfinite(weights).all():
        raise DataError(f"expected start to be finite weights of shape (n,), got the shape {weights.shape}")
    with _run_folder(settings) as config:
        run, result = session.on_function(config, function, weights).run(_unwatched, LOG.info)
        stored = StoredRun(run.path)
        return FunctionResult(stored.best()["weights"], list(stored.history()), result)


@contextmanager
def _run_folder(settings: Mapping[str, Value]) -> Iterator[RunConfig]:
    """The configuration; its run is kept only if the settings say where."""
    if "name" in settings or "runs" in settings:
        yield from_flags({"data": IN_MEMORY, **settings})
        return
    with tempfile.TemporaryDirectory(prefix="distsearch-") as folder:
        yield from_flags({"data": IN_MEMORY, **settings, "runs": folder})


def _unwatched(row: RoundRecord, state: State, workers: int) -> None:
    pass
