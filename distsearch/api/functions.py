"""What `distsearch.search` and `distsearch.minimize` do."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import structs
from numpy.typing import ArrayLike, NDArray

from distsearch.api.callbacks import never_run, observers_of, with_progress
from distsearch.api.outcome import Begin, of_network, searched
from distsearch.api.results import FunctionResult, SearchResult
from distsearch.api.torch_datasets import arrays_of
from distsearch.api.wording import check_names, in_python, speaking_python
from distsearch.config import RunConfig, Value, from_flags, options
from distsearch.config.sections import StrategyConfig
from distsearch.config.usual import USUAL
from distsearch.data.arrays import as_array
from distsearch.data.labels import word_of
from distsearch.data.readers.columns import join_names
from distsearch.data.weights import class_weight_words
from distsearch.errors import DataError, SettingError, brief
from distsearch.networks.modules import sources
from distsearch.networks.modules.sources import IN_MEMORY
from distsearch.objectives import losses
from distsearch.objectives.metrics import names_of
from distsearch.runs.layout import CHECKPOINT
from distsearch.search import beforehand, session
from distsearch.search.assembly import Assembly, assemble, assemble_function
from distsearch.search.data import data_of
from distsearch.search.endings import Found
from distsearch.search.first_weights import GIVEN, Given, Learnt, flat, run_at
from distsearch.search.interrupts import Interrupts, passed_on
from distsearch.search.observers import Observer
from distsearch.strategies import name_of
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
    y: ArrayLike | None,
    settings: Mapping[str, Any],
    callbacks: Any = (),
    sample_weight: ArrayLike | None = None,
    class_weight: Any = None,
    model: Any = None,
    nodes: Any = None,
) -> SearchResult:
    """See `distsearch.search`."""
    observers = with_progress(observers_of(callbacks))
    idle = {setting.keyword for section, setting in options() if section == "data" and setting.name in GIVEN_AS_ARRAYS}
    refuse(settings, idle, "distsearch.search learns from X and y")
    keep_ray()
    arrays = arrays_of(X, y)
    settings, start = _with_start(_with_names(settings, arrays[1]))
    with passed_on() as interrupts, speaking_python():
        model = sources.with_nodes(model, nodes)
        named = {} if model is None else {"model": sources.name_of(model)}
        config = _config(
            {"strategy": USUAL["strategy"], **settings, **named, "class_weight": class_weight_words(class_weight)}
        )
        ready = beforehand.check(config, kept=_kept(settings))
        dataset = interrupts.begin(data_of, config, *arrays, sample_weight)
        assembly = assemble(config, dataset, start, None if isinstance(model, str) else model)
        assembly = replace(assembly, notes=tuple(map(in_python, assembly.notes)))
        result = searched(assembly, _begun(assembly, settings, ready), interrupts, observers)
    return of_network(result)


def minimize(
    function: Callable[[NDArray[np.float32]], Any],
    start: Any,
    settings: Mapping[str, Value],
    vectorized: bool = False,
    callbacks: Any = (),
) -> FunctionResult:
    """See `distsearch.minimize`."""
    observers = with_progress(observers_of(callbacks))
    check_function(function)
    if not isinstance(vectorized, bool):
        raise SettingError(f"vectorized: expected True or False, got {brief(vectorized)}")
    refuse_of_networks(settings)
    keep_ray()
    with passed_on() as interrupts, speaking_python():
        config = _config({"strategy": StrategyConfig().name, **settings})
        weights = first_weights(start, config.output.directory)
        assembly = assemble_function(config, function, weights, vectorized)
        return searched(assembly, _begun(assembly, settings), interrupts, observers)


def check_function(function: object) -> None:
    """Raise SettingError if the function is not callable, or if calling it does not run it."""
    why = never_run(function)
    if why or not callable(function):
        which = f", which {why}" if why else ""
        raise SettingError(f"function: expected one that maps weights (n,) to a number, got {brief(function)}{which}")


def first_weights(start: Any, runs: str = "runs") -> NDArray[np.float32]:
    """The first weights of a function, (n,), copied: given as an array, a result, or a run in the folder `runs`.

    Raises DataError if they are not a finite vector.
    """
    if isinstance(start, FunctionResult):
        start = start.weights
    elif isinstance(start, str | os.PathLike):
        stored = run_at(os.fspath(start), runs)
        tensors = stored.best() if stored else {}
        if set(tensors) != {"weights"}:
            raise DataError(f"start: expected weights (n,), a result, or the run of a function, got {brief(start)}")
        start = tensors["weights"]
    return flat(start)


def _with_start(settings: Mapping[str, Any]) -> tuple[Mapping[str, Any], Given | Learnt | None]:
    """The settings without the first weights, and these if they are given as arrays or a result."""
    start = settings.get("start")
    if start is None or isinstance(start, str | os.PathLike):
        return settings, None
    if isinstance(start, SearchResult):
        return {**settings, "start": GIVEN}, Learnt(start.model.tensors, start.model.schema.inputs)
    if isinstance(start, FunctionResult):
        start = start.weights
    if hasattr(start, "state_dict"):  # a torch module
        start = start.state_dict()
    given = start if isinstance(start, Mapping) else flat(start)
    return {**settings, "start": GIVEN}, given


def _config(settings: Mapping[str, Any]) -> RunConfig:
    strategy = name_of(settings["strategy"])
    check_names(settings, strategy)
    return from_flags({"data": IN_MEMORY, **settings, "strategy": strategy})


def _begun(assembly: Assembly, settings: Mapping[str, Any], ready: beforehand.Ready | None = None) -> Begin:
    """The session of the search, which is kept on disk only if its settings say where."""
    if _kept(settings):
        return partial(session.run, assembly, ready=ready)
    if not assembly.config.output.storage:
        return partial(session.run_unrecorded, assembly, ready=ready)
    return partial(_run_elsewhere, assembly, ready)


def _kept(settings: Mapping[str, Any]) -> bool:
    """Whether a search is kept on disk: if its settings say where."""
    return "name" in settings or "runs" in settings


def _run_elsewhere(
    assembly: Assembly, ready: beforehand.Ready | None, observers: Iterable[Observer], interrupts: Interrupts
) -> Found:
    """Search in a temporary folder, which is removed at the end unless an error breaks off the run."""
    folder = Path(tempfile.mkdtemp(prefix="distsearch-"))
    try:
        output = structs.replace(assembly.config.output, directory=str(folder))
        here = structs.replace(assembly.config, output=output)
        if ready is not None:
            ready = ready._replace(storage=beforehand.usable_storage(here))
        found = session.run(assembly.configured(here), observers, interrupts, ready)
    except BaseException as error:
        begun = [each.parent for each in folder.glob(f"*/{CHECKPOINT}")]
        if not begun:
            shutil.rmtree(folder)
        elif not any(str(folder) in text for text in (str(error), *getattr(error, "__notes__", ()))):
            error.add_note(session.KEPT.format(begun[0]))
        raise
    shutil.rmtree(folder)
    return found


def _with_names(settings: Mapping[str, Any], y: ArrayLike) -> dict[str, Any]:
    """The settings with a function given as the loss by its name, and costs given as numbers as text."""
    loss = settings.get("loss")
    if callable(loss):
        targets = np.asarray(y) if isinstance(y, str | None) else as_array("targets", y)
        declared = hasattr(loss, "numbers") or losses.takes_module(loss)
        if not declared and targets.dtype.kind == "f" and (targets != np.floor(targets)).any():
            raise SettingError(
                "loss: y holds numbers that are not classes: set numbers = True on your function to receive them"
            )
    return in_words(settings)


def in_words(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with functions, given as the loss or as metrics, by their names, and labels and costs as text."""
    found, loss, costs, measured = dict(settings), *map(settings.get, ("loss", "costs", "metrics"))
    if callable(loss):
        found["loss"] = losses.LOSSES.name_of(loss)
    if costs is not None and not isinstance(costs, str | os.PathLike):
        found["costs"] = _costs_text(costs)
    if (positive := found.get("positive")) is not None:
        found["positive"] = word_of(positive)
    if callable(measured) or (isinstance(measured, list | tuple) and any(map(callable, measured))):
        found["metrics"] = names_of(measured)
    return found


def _costs_text(costs: Any) -> str:
    """Costs by classes as JSON, or the names of their columns with commas between."""
    costs = costs.tolist() if isinstance(costs, np.ndarray) else costs
    if isinstance(costs, list | tuple) and costs and all(isinstance(each, str) for each in costs):
        return join_names(costs)
    if isinstance(costs, Mapping):
        costs = {word_of(true): _by_words(row) for true, row in costs.items()}
    return json.dumps(costs, default=str)


def _by_words(row: Any) -> Any:
    """The costs of predictions by their labels' texts, if they are given by labels."""
    return {word_of(label): cost for label, cost in row.items()} if isinstance(row, Mapping) else row


def refuse_of_networks(settings: Mapping[str, Value]) -> None:
    """Raise SettingError for the first of the settings that has no effect on a function."""
    idle = {setting.keyword for section, setting in options() if section in ("data", "network")}
    refuse(settings, idle, "a function has neither data nor a network (distsearch.search has)")


def refuse(settings: Mapping[str, Value], idle: Collection[str], why: str) -> None:
    """Raise SettingError for the first of the settings that has no effect."""
    for name in settings:
        if name.replace("-", "_") in idle:
            raise SettingError(f"{name}: has no effect here, because {why}: leave it out")
