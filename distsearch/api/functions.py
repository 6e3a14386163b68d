"""What `distsearch.search` and `distsearch.minimize` do."""

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from msgspec import structs
from numpy.typing import ArrayLike, NDArray

from distsearch.api.callbacks import observers_of
from distsearch.api.results import FunctionResult, SearchResult
from distsearch.api.wording import in_python, speaking_python
from distsearch.config import RunConfig, Value, from_flags, options
from distsearch.data import datasets
from distsearch.data.datasets import Dataset
from distsearch.data.weights import class_weight_words
from distsearch.errors import DataError, SettingError, brief
from distsearch.objectives import losses
from distsearch.objectives.model import Model
from distsearch.runs.history import RoundRecord
from distsearch.search import session
from distsearch.search.assembly import Assembly, assemble, assemble_function
from distsearch.search.foreign_code import IN_MEMORY
from distsearch.search.interrupts import Interrupts, passed_on
from distsearch.search.loop import Found
from distsearch.search.observers import History, Observer
from distsearch.workers.place import keep_ray

GIVEN_AS_ARRAYS = {
    "source",
    "target",
    "weight_column",
    "points",
    "classes",
}  # settings of the data that X and y stand for


def search(
    X: ArrayLike,
    y: ArrayLike,
    settings: Mapping[str, Value],
    callbacks: Any = (),
    sample_weight: ArrayLike | None = None,
    class_weight: Any = None,
) -> SearchResult:
    """See `distsearch.search`."""
    observers = observers_of(callbacks)
    idle = {setting.flag for section, setting in options() if section == "data" and setting.name in GIVEN_AS_ARRAYS}
    _refuse(settings, idle, "distsearch.search learns from X and y")
    keep_ray()
    settings = _with_names(settings, y)
    config = _config({**settings, "class_weight": class_weight_words(class_weight)})
    with passed_on() as interrupts, speaking_python():
        dataset = interrupts.begin(_dataset, X, y, config, sample_weight)
        assembly = assemble(config, dataset)
        assembly = replace(assembly, notes=tuple(map(in_python, assembly.notes)))
        found, history = _found(assembly, settings, interrupts, observers)
    model = Model(assembly.config.network, dataset.schema, found.state.best.weights)
    return SearchResult(model.weights, history, found.result, model)


def minimize(
    function: Callable[[NDArray[np.float32]], Any],
    start: ArrayLike,
    settings: Mapping[str, Value],
    vectorized: bool = False,
    callbacks: Any = (),
) -> FunctionResult:
    """See `distsearch.minimize`."""
    observers = observers_of(callbacks)
    if not isinstance(vectorized, bool):
        raise SettingError(f"vectorized: expected True or False, got {brief(vectorized)}")
    idle = {setting.flag for section, setting in options() if section in ("data", "network")}
    _refuse(settings, idle, "a function has neither data nor a network (distsearch.search has)")
    keep_ray()
    weights = first_weights(start)
    with passed_on() as interrupts, speaking_python():
        assembly = assemble_function(_config(settings), function, weights, vectorized)
        found, history = _found(assembly, settings, interrupts, observers)
    return FunctionResult(found.state.best.weights, history, found.result)


def first_weights(start: ArrayLike) -> NDArray[np.float32]:
    """The first weights of a function, (n,), copied. Raises DataError if they are no finite vector."""
    weights = np.array(start, np.float32)
    if weights.ndim != 1 or not weights.size or not np.isfinite(weights).all():
        raise DataError(f"expected start to be finite weights of shape (n,), got the shape {weights.shape}")
    return weights


def _config(settings: Mapping[str, Value]) -> RunConfig:
    with speaking_python():
        return from_flags({"data": IN_MEMORY, **settings})


def _found(
    assembly: Assembly, settings: Mapping[str, Value], interrupts: Interrupts, others: Sequence[Observer]
) -> tuple[Found, list[RoundRecord]]:
    """The end of a search, and its rounds; it is kept on disk only if its settings say where."""
    history = History()
    observers = [history, *others]
    if "name" in settings or "runs" in settings:
        return session.run(assembly, observers, interrupts), history.records
    output = assembly.config.output
    if not output.storage:
        return session.run_unrecorded(assembly, observers, interrupts), history.records
    with tempfile.TemporaryDirectory(prefix="distsearch-") as folder:
        here = structs.replace(assembly.config, output=structs.replace(output, directory=folder))
        return session.run(assembly.configured(here), observers, interrupts), history.records


def _with_names(settings: Mapping[str, Any], y: ArrayLike) -> dict[str, Any]:
    """The settings with a function given as the loss by its name, and costs given as numbers as text."""
    found, loss, costs = dict(settings), settings.get("loss"), settings.get("costs")
    if callable(loss):
        targets = np.asarray(y)
        if not hasattr(loss, "numbers") and targets.dtype.kind == "f" and (targets != np.floor(targets)).any():
            raise SettingError(
                "loss: y holds numbers that are no classes: set numbers = True on your function, and it is given them"
            )
        found["loss"] = losses.LOSSES.name_of(loss)
    if costs is not None and not isinstance(costs, str | os.PathLike):
        found["costs"] = json.dumps(costs.tolist() if isinstance(costs, np.ndarray) else costs, default=str)
    return found


def _refuse(settings: Mapping[str, Value], idle: set[str], why: str) -> None:
    """SettingError for the first of the settings that would do nothing."""
    for name in settings:
        if name.replace("_", "-") in idle:
            raise SettingError(f"{name}: would do nothing here, for {why}: leave it out")


def _dataset(X: ArrayLike, y: ArrayLike, config: RunConfig, sample_weight: ArrayLike | None) -> Dataset:
    return datasets.from_arrays(
        X,
        y,
        numbers=losses.create(config.network.loss).numbers,
        weights=sample_weight,
        class_weight=config.data.class_weight,
        scale=config.data.scale,
        test_share=config.data.test_share,
        seed=config.data.seed,
        shape=config.data.shape,
        input_bits=config.data.input_bits,
    )
