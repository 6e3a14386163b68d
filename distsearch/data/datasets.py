"""Data sets: examples from a generator, a file or arrays; checked, prepared, split, scaled and fingerprinted.

Further data is read with the schema of the training data: the same columns, classes and scale.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distsearch.data import generators
from distsearch.data.arrays import as_array
from distsearch.data.asked import Asked, Reading
from distsearch.data.examples import Dataset, Examples, frozen
from distsearch.data.frames import framed, from_frame, further_features, is_frame, out_of_order
from distsearch.data.further import examples_of, network_features
from distsearch.data.raw import Raw, Selection, Table
from distsearch.data.readers import chunks, read, standard_input
from distsearch.data.readers.columns import choose, join_names
from distsearch.data.schema import Schema
from distsearch.data.training import dataset_of
from distsearch.data.weights import with_column
from distsearch.errors import DataError, unknown

LOG = logging.getLogger(__name__)
CHUNK_ROWS = 8192  # of further data that is read in runs

__all__ = ["Asked", "Dataset", "Examples", "Schema"]


def load(source: str, *, reader: str = "", points: int = 100, classes: int = 3, **asked: Unpack[Asked]) -> Dataset:
    """Load a data set by name, or from a file or folder.

    reader: the name of the reader to use; if empty, it is chosen by the file's name. points (examples per class) and
    classes apply to vertical and spiral. All else is said in `Reading`. Raises DataError.
    """
    reading = Reading(**asked)
    if is_built_in(source) and reading.validation_share is None:
        reading = replace(reading, validation_share=0.0)  # lessons speak of all of their examples
    return dataset_of(_read(source, reader, points, classes, reading), reading)


def _read(source: str, reader: str, points: int, classes: int, reading: Reading) -> Raw:
    """What a source holds, with its weights. Raises DataError."""
    if is_built_in(source):
        raw = _selected(generators.generate(source, points, classes, reading.seed), reading.selection())
    else:
        raw = read(source, reading.selection(), reader)
    if reading.target and not raw.target:
        raise DataError(f"{source} has no named columns, so no target {reading.target!r}; leave the target out")
    if reading.weight:
        raw = with_column(raw, reading.weight)
    if reading.named and raw.names is None:
        raise DataError(f"{source} has no named columns, so no {reading.named[0]!r}; leave it out")
    return raw


def _selected(raw: Raw, selection: Selection) -> Raw:
    """The chosen columns of a built-in data set. Raises DataError if there is no such column."""
    if raw.names is None or isinstance(raw.features, Table):
        return raw
    choice = choose(raw.source, raw.names, replace(selection, targets=False))
    if not choice.beside and choice.features == list(range(len(raw.names))):
        return raw
    beside = {raw.names[index]: raw.features[:, index] for index in choice.beside}
    names = tuple(raw.names[index] for index in choice.features)
    return replace(raw, features=raw.features[:, choice.features], names=names, beside=beside)


def _generated(name: str, schema: Schema, selection: Selection, drawn: generators.Drawn) -> Raw:
    """Examples of a built-in data set, its columns found by their names if it and training had names."""
    raw = generators.generate(name, drawn.points, drawn.classes, drawn.seed)
    return _selected(raw, selection if schema.named else replace(selection, features=None))


def is_built_in(source: str) -> bool:
    """Whether a source is the name of a data set rather than a path. Raises DataError if it looks like neither."""
    if source in generators.NAMES:
        return True
    if source == standard_input.NAME or os.path.exists(source) or os.sep in source or Path(source).suffix:
        return False
    raise DataError(f"{unknown('data set', source, generators.NAMES)}, or the path of a file")


def from_arrays(X: ArrayLike, y: ArrayLike, *, weights: ArrayLike | None = None, **asked: Unpack[Asked]) -> Dataset:
    """Make a data set from arrays, which are copied: features X, (examples, features), and targets y, (examples,).

    The columns of a frame, see `framed`, become features under their own names. Targets are labels, or for regression
    numbers, which may also be (examples, outputs). weights are (examples,). Raises DataError.
    """
    reading = Reading(**asked)
    X = framed(X)
    if is_frame(X):
        raw = from_frame(X, as_array("targets", y), _target_name(y), reading.selection(targets=False))
        raw = replace(raw, notes=(*raw.notes, *out_of_order(X, y)))
    else:
        raw = Raw("the arrays", as_array("features", X), as_array("targets", y))
        if reading.named:
            raise DataError(f"the arrays have no named columns, so no {reading.named[0]!r}; give a data frame")
    return dataset_of(_weighted(raw, weights), reading)


def _target_name(targets: Any) -> str:
    """The name of a series, or the names of a frame's columns; empty if there are none."""
    name = getattr(targets, "name", None)  # pandas and polars series have one
    if isinstance(name, str):
        return name
    return join_names([str(column) for column in targets.columns]) if is_frame(targets) else ""


def features_from(features: ArrayLike, schema: Schema) -> NDArray[np.float32]:
    """The features of an array or, by column name, of a frame: copied, (examples, features). Raises DataError."""
    features = framed(features)
    if is_frame(features):
        return frozen(network_features(further_features(features, schema), schema))
    return frozen(network_features(Raw("the arrays", as_array("features", features), None), schema))


def examples_from(
    features: ArrayLike, targets: ArrayLike, schema: Schema, weights: ArrayLike | None = None
) -> Examples:
    """Labelled examples from arrays, or features from a frame by column name: copied. Raises DataError."""
    features, copied = framed(features), as_array("targets", targets)
    if is_frame(features):
        raw = replace(further_features(features, schema, schema.beside), targets=copied)
    else:
        raw = Raw("the arrays", as_array("features", features), copied)
    return examples_of(_weighted(raw, weights), schema)


def read_examples(
    path: str, schema: Schema, target: str = "", reader: str = "", drawn: generators.Drawn = generators.USUAL
) -> Examples:
    """The examples of a file, all with labels known from training; of its test set if it has one.

    It may be a built-in data set instead, `drawn` as that one says. target: a table's target column; if empty, the one
    used in training. The column of weights is that of training. Raises DataError.
    """
    columns = (*schema.features, schema.weight) if schema.weight else schema.features
    selection = replace(schema.selection(columns), target=target or schema.target, beside=schema.beside)
    if not reader and is_built_in(path):
        if target:
            raise DataError(f"{path} has no named columns for targets, so no target {target!r}; leave the target out")
        raw = _generated(path, schema, selection, drawn)
    else:
        raw = read(path, selection, reader)
    raw = _said(raw.test or raw)
    return examples_of(with_column(raw, schema.weight) if schema.weight else raw, schema)


def feature_chunks(
    path: str,
    schema: Schema,
    reader: str = "",
    *,
    keep: tuple[str, ...] = (),
    ids: tuple[str, ...] = (),
    everything: bool = False,
    drawn: generators.Drawn = generators.USUAL,
) -> Iterator[tuple[NDArray[np.float32], Mapping[str, NDArray[Any]]]]:
    """The features of a file in runs of rows, (rows, features), each with the columns to keep, (rows,), as they came.

    It may be a built-in data set instead, `drawn` as that one says. ids are kept where they are there; `everything`
    keeps all columns. Raises DataError.
    """
    selected = schema.selection(schema.features)
    selection = replace(selected, targets=False, beside=keep, besides=ids, everything=everything)
    if not reader and is_built_in(path):
        parts = iter([_generated(path, schema, selection, drawn)])
    else:
        parts = chunks(path, selection, CHUNK_ROWS, reader)
    warned: set[str] = set()
    for raw in parts:
        part = _said(raw.test or raw)
        if (keep or everything) and part.names is None:
            raise DataError(f"{path} has no named columns to keep; leave out --keep, --id and --join")
        if len(part.features):
            yield frozen(network_features(part, schema, warned)), part.beside
        else:
            yield np.empty((0, len(schema.inputs)), np.float32), part.beside


def _said(raw: Raw) -> Raw:
    """Further examples, once the log has how they were read."""
    for note in raw.notes:
        LOG.info(note)
    return raw


def _weighted(raw: Raw, weights: ArrayLike | None) -> Raw:
    return raw if weights is None else replace(raw, weights=as_array("sample_weight", weights))
