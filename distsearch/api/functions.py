"""What `distsearch.search` and `distsearch.minimize` do."""

import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distsearch.config import RunConfig, Value, from_flags, options
from distsearch.data import datasets
from distsearch.data.datasets import Dataset
from distsearch.errors import DataError, SettingError
from distsearch.objectives import losses
from distsearch.objectives.model import Model
from distsearch.runs.directory import Result, StoredRun
from distsearch.runs.history import RoundRecord
from distsearch.search import session
from distsearch.search.interrupts import passed_on
from distsearch.search.resumption import stored_model
from distsearch.strategies.base import State

LOG = logging.getLogger("distsearch")
GIVEN_AS_ARRAYS = {"source", "target", "points", "classes"}  # settings of the data that X and y stand for
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
        return self.summary.loss


@dataclass(frozen=True)
class SearchResult(FunctionResult):
    """What the search of a network's weights has found."""

    model: Model

    @property
    def accuracy(self) -> float | None:
        """The share of the training examples whose label is predicted; None in regression."""
        return self.summary.accuracy

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """For X, (examples, features): labels of the type and spelling of y, or numbers; of the shape of y.

        Columns of a data frame are found by their names. Raises DataError if features are missing or unknown.
        """
        return self.model.predict(datasets.features_from(X, self.model.schema))


def search(X: ArrayLike, y: ArrayLike, settings: Mapping[str, Value]) -> SearchResult:
    """See `distsearch.search`."""
    idle = {setting.flag for section, setting in options() if section == "data" and setting.name in GIVEN_AS_ARRAYS}
    _refuse(settings, idle, "distsearch.search learns from X and y")
    with passed_on() as interrupts, _run_folder(settings) as config:
        dataset = interrupts.begin(_dataset, X, y, config)
        for sentence in session.advice_on(config, dataset):
            LOG.warning(sentence)
        run, result = session.on_dataset(config, dataset).run(_unwatched, LOG.info, interrupts)
        stored = StoredRun(run.path)
        model = stored_model(stored)
        return SearchResult(model.weights, list(stored.history()), result, model)


def minimize(
    function: Callable[[NDArray[np.float32]], float], start: ArrayLike, settings: Mapping[str, Value]
) -> FunctionResult:
    """See `distsearch.minimize`."""
    idle = {setting.flag for section, setting in options() if section in ("data", "network")}
    _refuse(settings, idle, "a function has neither data nor a network (distsearch.search has)")
    weights = np.array(start, np.float32)
    if weights.ndim != 1 or not weights.size or not np.isfinite(weights).all():
        raise DataError(f"expected start to be finite weights of shape (n,), got the shape {weights.shape}")
    with passed_on() as interrupts, _run_folder(settings) as config:
        run, result = session.on_function(config, function, weights).run(_unwatched, LOG.info, interrupts)
        stored = StoredRun(run.path)
        return FunctionResult(stored.best()["weights"], list(stored.history()), result)


def _refuse(settings: Mapping[str, Value], idle: set[str], why: str) -> None:
    """SettingError for the first of the settings that would do nothing."""
    for name in settings:
        if name.replace("_", "-") in idle:
            raise SettingError(f"{name}: would do nothing here, for {why}: leave it out")


def _dataset(X: ArrayLike, y: ArrayLike, config: RunConfig) -> Dataset:
    return datasets.from_arrays(
        X,
        y,
        numbers=losses.create(config.network.loss).numbers,
        scale=config.data.scale,
        test_share=config.data.test_share,
        seed=config.data.seed,
    )


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
