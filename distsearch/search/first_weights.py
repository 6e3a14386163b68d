"""First weights that do not follow from the seed: given in Python, or the best ones of another run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.config import RunConfig
from distsearch.data.arrays import of_tensor
from distsearch.data.schema import Schema
from distsearch.errors import DataError, RunError, SettingError, brief, unknown
from distsearch.networks.initial import STARTS, is_start
from distsearch.networks.packing import LAYOUT, Layout, are_packed, unpacked
from distsearch.networks.trainable import Trainable
from distsearch.runs import checkpoints, tensors
from distsearch.runs.directory import StoredRun
from distsearch.storage import fetch, is_stored
from distsearch.text import as_path

Array = NDArray[np.float32]

GIVEN = "given"
"""Stands in a run's configuration for first weights that came from Python; they are kept in its directory."""

Given = Array | Mapping[str, Array]
"""First weights: flat ones, (n,), or the tensors of a network, by their names."""


class Learnt(NamedTuple):
    """The weights of a network that was searched, and the names of the inputs that they belong to."""

    tensors: Mapping[str, Array]
    inputs: tuple[str, ...]


def of_config(config: RunConfig) -> Given | Learnt | None:
    """The weights that a configuration names as its start: a file of tensors, or a run's best ones.

    None if it names a way to draw them. Raises SettingError if there is no such file or run.
    """
    start = config.network.start
    if start is None or is_start(start):
        return None
    if as_path(start).is_file():
        return of_file(as_path(start))
    if start == GIVEN:
        raise SettingError("start: these initial weights came from Python: pass them there again, or name a run")
    stored = run_at(start, config.output.directory) if start else None
    if stored is None:
        raise SettingError(
            f"{unknown('start', start, STARTS.names())}, module:name for one of your own, or a run or .safetensors "
            f"file to take weights from, but there is none at {start}"
        )
    data = stored.manifest.data
    return Learnt(stored.best(), Schema.from_json(data).inputs) if data else stored.best()


def for_inputs(start: Given | Learnt | None, inputs: tuple[str, ...]) -> Given | None:
    """The weights to begin with on data of such inputs.

    Raises DataError if those that they belong to are the same in another order: weights are taken by their places.
    """
    if not isinstance(start, Learnt):
        return start
    if start.inputs != inputs and sorted(start.inputs) == sorted(inputs):
        at = next(place for place, (one, other) in enumerate(zip(start.inputs, inputs, strict=True)) if one != other)
        raise DataError(
            f"start: expected the inputs in the order of the network that it comes from, in which {start.inputs[at]!r} "
            f"is number {at + 1}, got {inputs[at]!r} there: put the columns into that order"
        )
    return start.tensors


def of_file(path: Path) -> dict[str, Array]:
    """The tensors of a safetensors file, by their names; those that `distsearch export` has packed are unpacked.

    Raises SettingError or RunError if it is none, or damaged.
    """
    found = tensors.read(path)
    if not are_packed(found):
        return found
    packed, scalars = checkpoints.read(path)
    try:
        layouts = {name: Layout(each["bits"], tuple(each["shape"])) for name, each in scalars[LAYOUT].items()}
        return unpacked(packed, layouts)
    except (KeyError, ValueError, TypeError) as error:
        raise RunError(f"{path} is not an export of distsearch: {error}") from None


def run_at(place: str, runs: str) -> StoredRun | None:
    """The run of this name in the folder `runs`, at this path or this address in storage; None if there is none."""
    folder = as_path(runs)
    places = [fetch(place, folder)] if is_stored(place) else [folder / place, as_path(place)]
    return next((StoredRun(path) for path in places if path.is_dir()), None)


def of_network(network: Trainable, given: Given) -> Array:
    """The given first weights as a network's, (n,); what of it is frozen takes the values that are given with them.

    Raises DataError if they are those of another network.
    """
    if not isinstance(given, Mapping):
        return flat(given, network.weights_count)
    try:
        arrays = {str(name): _array(tensor) for name, tensor in given.items()}
        weights = flat(network.flat(arrays), network.weights_count)
        network.adopt(arrays)
    except (KeyError, TypeError, ValueError) as error:
        shapes = ", ".join(
            f"{name} {'×'.join(map(str, tensor.shape))}"
            for name, tensor in network.named(np.zeros(network.weights_count, np.float32)).items()
        )
        missing = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise DataError(
            f"start: expected the weights of a network like this one ({shapes}), but {missing}; give it the same "
            f"{network.named_by} as the network that they come from, and data with as many features and classes"
        ) from None
    return weights


def _array(tensor: Any) -> NDArray[Any]:
    """A tensor of NumPy or torch, of any precision, on any device, as float32; whole and complex numbers stay so."""
    array: NDArray[Any] = np.asarray(of_tensor(tensor))
    return array if array.dtype.kind in "biuc" else np.asarray(array, np.float32)


def flat(given: object, count: int | None = None) -> Array:
    """Weights as a float32 vector of their own, (n,). Raises DataError unless they are finite, and `count` of them."""
    expected = f"start: expected finite weights of shape ({'n' if count is None else f'{count:,}'},)"
    if np.ma.is_masked(given):  # a plain array would expose the masked values
        raise DataError(f"{expected}, got masked ones")
    try:
        weights = np.array(of_tensor(given))
        if weights.dtype.kind == "O":
            weights = weights.astype(np.float64)
    except (TypeError, ValueError, RuntimeError):  # the last of tensors in lists that need a gradient
        instead = "; join its arrays into one" if isinstance(given, Mapping) else ""
        raise DataError(f"{expected}, got {brief(given)}{instead}") from None
    if given is None or weights.dtype.kind not in "biuf":
        raise DataError(f"{expected}, got {brief(given)}")
    if weights.ndim != 1 or not weights.size or count not in (None, weights.size):
        instead = "; give it flat, as start.ravel() is" if weights.ndim > 1 and count is None else ""
        raise DataError(f"{expected}, got the shape {weights.shape}{instead}")
    with np.errstate(over="ignore"):
        floats = weights.astype(np.float32)
    if not np.isfinite(floats).all():
        place = int(np.argmin(np.isfinite(floats)))
        raise DataError(f"{expected}, got {weights[place]} at index {place}")
    return floats
