"""Data sets: examples from a generator, a file or arrays; checked, split, scaled and fingerprinted.

Further data is read by the schema of the training data: the same columns, classes and scale.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distsearch.data import generators
from distsearch.data.checks import Features, feature_matrix, feature_names, finite
from distsearch.data.frames import from_frame, further_features, is_frame
from distsearch.data.labels import TEXT
from distsearch.data.raw import Raw, Selection, quoted
from distsearch.data.readers import read
from distsearch.data.schema import Schema
from distsearch.data.targets import Labels, target_numbers
from distsearch.errors import DataError, unknown
from distsearch.randomness import Stream, permutation

MANY_CLASSES = 1000  # so many of them take more than an example or two each


@dataclass(frozen=True)
class Examples:
    """Features and targets, read-only and C-contiguous."""

    features: NDArray[np.float32]  # (examples, features)
    targets: NDArray[Any]  # (examples,) int64 class numbers, or (examples, outputs) float32


@dataclass(frozen=True)
class Dataset:
    """What is learnt from."""

    train: Examples
    test: Examples | None
    schema: Schema
    fingerprint: str  # sha256:… of all arrays as they are here, and of the schema
    notes: tuple[str, ...] = ()  # sentences on how the data was read


def load(
    source: str,
    *,
    numbers: bool,
    reader: str = "",
    target: str = "",
    scale: bool = False,
    test_share: float = 0.0,
    points: int = 100,
    classes: int = 3,
    seed: int = 0,
) -> Dataset:
    """The data set of this name, file or folder.

    numbers says that the loss is of a regression, so that the targets of files stay numbers. reader names that of the
    file, if it is not to be chosen by the file's name. target is a
    table's target column (its last if empty); points (examples a class) and classes are for vertical and
    spiral, seed is for them and for the split. Raises DataError.
    """
    if is_built_in(source):
        raw = generators.generate(source, points, classes, seed)
    else:
        raw = read(source, Selection(target=target), reader)
    if target and target != raw.target:
        raise DataError(f"{source} has no columns to choose the target {target!r} from; leave the target out")
    return _dataset(raw, numbers=numbers, scale=scale, test_share=test_share, seed=seed)


def is_built_in(source: str) -> bool:
    """Whether a source is the name of a data set, or else a path. DataError if it looks like neither."""
    if source in generators.NAMES:
        return True
    if os.path.exists(source) or os.sep in source or Path(source).suffix:
        return False
    raise DataError(f"{unknown('data set', source, generators.NAMES)}, or the path of a file")


def from_arrays(
    features: ArrayLike,
    targets: ArrayLike,
    *,
    numbers: bool,
    scale: bool = False,
    test_share: float = 0.0,
    seed: int = 0,
) -> Dataset:
    """The data set of these arrays, which are copied: features (examples, features), targets (examples,).

    The columns of a frame are features by their names. Targets are labels; or with numbers, for a regression, also
    (examples, outputs). Raises DataError.
    """
    copied = _copied("targets", targets)
    if is_frame(features):
        name = getattr(targets, "name", None)  # of pandas' and polars' series
        raw = from_frame(features, copied, name if isinstance(name, str) else "")
    else:
        raw = Raw("the arrays", _copied("features", features), copied)
    return _dataset(raw, numbers=numbers, scale=scale, test_share=test_share, seed=seed)


def features_from(features: ArrayLike, schema: Schema) -> NDArray[np.float32]:
    """The features of an array, (examples, features), which is copied; of a frame, by their names. Raises DataError."""
    if is_frame(features):
        return _frozen(_features(further_features(features, schema), schema))
    return _frozen(_features(Raw("the arrays", _copied("features", features), None), schema))


def read_features(path: str, schema: Schema, reader: str = "") -> NDArray[np.float32]:
    """The features of a file, (examples, features); of its test set if it has one.

    A target column may be there or not. Raises DataError.
    """
    raw = read(path, Selection(schema.features, targets=False), reader)
    return _frozen(_features(raw.test or raw, schema))


def read_examples(path: str, schema: Schema, target: str = "", reader: str = "") -> Examples:
    """The examples of a file whose labels were all trained on; of its test set if it has one.

    target is a table's target column, that of the training if empty. Raises DataError.
    """
    raw = read(path, Selection(schema.features, target or schema.target), reader)
    return _examples(raw.test or raw, schema)


def _copied(what: str, values: ArrayLike) -> NDArray[Any]:
    if np.ma.is_masked(values):  # an array has no masks: it would have the values below them
        raise DataError(f"expected {what} without masked values; fill them in or remove their rows")
    try:
        return np.array(values)
    except (TypeError, ValueError) as error:
        raise DataError(f"expected {what} that make an array, got others: {error}") from None


def _dataset(raw: Raw, *, numbers: bool, scale: bool, test_share: float, seed: int) -> Dataset:
    features = feature_matrix(raw)
    if len(features) < 2:
        raise DataError(f"{raw.source}: expected at least 2 examples to learn from, got {len(features)}; add some")
    labels = None if numbers and not raw.labels else Labels.of(raw)
    classes = None if labels is None else labels.classes()
    if classes is not None and len(classes) > max(MANY_CLASSES, len(features) / 2):
        raise DataError(
            f"{raw.source}: expected labels that repeat, but {len(features):,} examples have {len(classes):,} "
            "different ones; choose another --target, or to learn numbers add --loss mean-squared-error"
        )
    targets = target_numbers(raw) if labels is None or classes is None else labels.class_numbers(classes)
    split = _split(raw, test_share, seed)
    kept = slice(None) if split is None else split[0]
    if classes is not None:
        _check_every_class(raw, targets[kept], classes)
    mean, deviation = _moments(features[kept]) if scale else (None, None)
    outputs = targets.shape[1] if classes is None else len(classes)
    names = feature_names(raw, features.shape[1])
    flat = raw.targets is not None and raw.targets.ndim == 1
    label_type = TEXT if labels is None else labels.type
    schema = Schema(names, raw.target, classes, outputs, mean, deviation, label_type, flat)

    scaled = _scaled(raw, features, schema)
    train = Examples(_frozen(scaled[kept]), _frozen(targets[kept]))
    test = None
    if raw.test is not None:
        test = _examples(raw.test, schema)
    elif split is not None:
        test = Examples(_frozen(scaled[split[1]]), _frozen(targets[split[1]]))
    notes = raw.notes + (() if labels is None else labels.notes())
    return Dataset(train, test, schema, _fingerprint(train, test, schema), notes)


def _split(raw: Raw, test_share: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """The examples to train on and to test on, each in the source's order; None if all are to train on."""
    if not 0 <= test_share < 1:
        raise DataError(f"expected a test share from 0 to below 1, got {test_share}")
    if test_share == 0:
        return None
    if raw.test is not None:
        raise DataError(f"{raw.source} brings its own test set; leave the test share at 0, got {test_share}")
    count = len(raw.features)
    tested = round(test_share * count)
    if not 0 < tested < count:
        raise DataError(
            f"{raw.source}: expected a test share that leaves examples on both sides, got {test_share}, "
            f"which is {tested} of {count}; type one from {1 / count:.3g} to {1 - 1 / count:.3g}"
        )
    order = permutation(seed, Stream.SPLIT, 0, count)
    return np.sort(order[tested:]), np.sort(order[:tested])


def _check_every_class(raw: Raw, targets: NDArray[Any], classes: tuple[str, ...]) -> None:
    missing = np.flatnonzero(np.bincount(targets, minlength=len(classes)) == 0)
    if len(missing):
        raise DataError(
            f"{raw.source}: expected examples of every class to train on, but all of "
            f"{quoted(classes[missing[0]])} fell into the test split; "
            "choose a smaller --test-share or another --data-seed"
        )


def _moments(features: Features) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each feature, the mean as exact as the features are; the deviation of a constant is 1."""
    mean = features.mean(axis=0, dtype=np.float64).astype(features.dtype)
    deviation = features.std(axis=0, dtype=np.float64).astype(np.float32)
    constant = features.min(axis=0) == features.max(axis=0)  # its mean may be rounded, and then it seems to deviate
    mean[constant] = features[0, constant]
    deviation[constant | (deviation == 0)] = 1
    return tuple(mean.tolist()), tuple(deviation.tolist())


def _scaled(raw: Raw, features: Features, schema: Schema) -> NDArray[np.float32]:
    """The features by the schema's scale, (examples, features)."""
    if schema.mean is None:
        return features.astype(np.float32, copy=False)
    with np.errstate(over="ignore"):
        scaled = np.subtract(features, schema.mean, dtype=np.float64).astype(np.float32)
        scaled /= np.array(schema.deviation, np.float32)
    return finite(raw, scaled, schema.features)


def _features(raw: Raw, schema: Schema) -> NDArray[np.float32]:
    """Further features, (examples, features), as the training's were read."""
    features = feature_matrix(raw)
    if features.shape[1] != len(schema.features):
        raise DataError(
            f"{raw.source}: expected the {len(schema.features)} features that were trained on, got {features.shape[1]}"
        )
    return _scaled(raw, features, schema)


def _examples(raw: Raw, schema: Schema) -> Examples:
    """Further examples, as the training's were read."""
    features = _features(raw, schema)
    targets = target_numbers(raw) if schema.classes is None else Labels.of(raw).class_numbers(schema.classes)
    if schema.classes is None and targets.shape[1] != schema.outputs:
        raise DataError(f"{raw.source}: expected {schema.outputs} targets an example, got {targets.shape[1]}")
    return Examples(_frozen(features), _frozen(targets))


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    frozen = np.ascontiguousarray(array)
    frozen.flags.writeable = False
    return frozen


def _fingerprint(train: Examples, test: Examples | None, schema: Schema) -> str:
    digest = hashlib.sha256(json.dumps(schema.learnt, sort_keys=True).encode())
    for part in (train, test):
        for array in () if part is None else (part.features, part.targets):
            digest.update(f"{array.shape}{array.dtype.str}".encode())
            digest.update(array.data)
    return f"sha256:{digest.hexdigest()}"
