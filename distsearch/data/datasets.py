"""Data sets: examples from a generator, a file or arrays; checked, split, scaled and fingerprinted.

Further data is read with the schema of the training data: the same columns, classes and scale.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distsearch.data import generators
from distsearch.data.arrays import as_array
from distsearch.data.checks import Features, feature_matrix, feature_names, finite, image_shape
from distsearch.data.fingerprints import fingerprint
from distsearch.data.frames import from_frame, further_features, is_frame
from distsearch.data.labels import TEXT
from distsearch.data.raw import Raw, Selection, quoted
from distsearch.data.readers import read
from distsearch.data.scaling import moments, step
from distsearch.data.schema import Schema
from distsearch.data.targets import Labels, target_numbers
from distsearch.data.weights import Weights, class_weights, combined, kept_of, with_column
from distsearch.errors import DataError, unknown
from distsearch.randomness import Stream, permutation

MANY_CLASSES = 1000  # more than this need more than an example or two each


@dataclass(frozen=True)
class Examples:
    """Features and targets, read-only and C-contiguous."""

    features: NDArray[np.float32]  # (examples, features)
    targets: NDArray[Any]  # (examples,) int64 class numbers, or (examples, outputs) float32
    weights: NDArray[np.float32] | None = None  # (examples,), with a mean of 1; None if all are alike

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """All that there is of them."""
        both = self.features, self.targets
        return both if self.weights is None else (*both, self.weights)


@dataclass(frozen=True)
class Dataset:
    """Training examples, an optional test set, and how both were read."""

    train: Examples
    test: Examples | None
    schema: Schema
    fingerprint: str  # sha256:… of all arrays above and of the schema
    notes: tuple[str, ...] = ()  # sentences about how the data was read


def load(
    source: str,
    *,
    numbers: bool,
    reader: str = "",
    target: str = "",
    weight: str = "",
    class_weight: Sequence[str] = (),
    scale: bool = False,
    test_share: float = 0.0,
    shape: Sequence[int] | None = None,
    input_bits: int | None = None,
    points: int = 100,
    classes: int = 3,
    seed: int = 0,
    like: Schema | None = None,
) -> Dataset:
    """Load a data set by name, or from a file or folder.

    numbers: the loss is a regression loss, so targets in files stay numbers. reader: the name of the reader to use;
    if empty, it is chosen by the file's name. target: a table's target column, its last if empty. weight: a table's
    column of weights, none if empty. class_weight: balanced, or label:weight for some of the labels. shape: height,
    width and channels of images, if the source does not say. input_bits: round features to 2^input_bits steps between
    zero and the largest of them. points (examples per class) and classes apply to vertical and spiral, seed to these
    and to the split. like: the schema whose columns to read, by their names, if it has any. Raises DataError.
    """
    if is_built_in(source):
        raw = generators.generate(source, points, classes, seed)
    else:
        columns = (*like.features, *([weight] if weight else ())) if like and like.named else None
        raw = read(source, Selection(columns, target), reader)
    if target and target != raw.target:
        raise DataError(f"{source} has no named columns, so no target {target!r}; leave the target out")
    if weight:
        raw = with_column(raw, weight)
    return _dataset(
        raw,
        numbers=numbers,
        class_weight=class_weight,
        scale=scale,
        test_share=test_share,
        seed=seed,
        shape=shape,
        bits=input_bits,
    )


def is_built_in(source: str) -> bool:
    """Whether a source is the name of a data set rather than a path. Raises DataError if it looks like neither."""
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
    weights: ArrayLike | None = None,
    class_weight: Sequence[str] = (),
    scale: bool = False,
    test_share: float = 0.0,
    seed: int = 0,
    shape: Sequence[int] | None = None,
    input_bits: int | None = None,
    like: Schema | None = None,
) -> Dataset:
    """Make a data set from arrays, which are copied: features (examples, features), targets (examples,).

    The columns of a frame become features under their own names; if `like` has names, they are those, in its order.
    Targets are labels; with numbers (for regression) they may also be (examples, outputs). weights are (examples,),
    class_weight is as in `load`. Raises DataError.
    """
    copied = as_array("targets", targets)
    if is_frame(features) and like is not None and like.named:
        raw = replace(further_features(features, like), targets=copied)
    elif is_frame(features):
        name = getattr(targets, "name", None)  # pandas and polars series have one
        raw = from_frame(features, copied, name if isinstance(name, str) else "")
    else:
        raw = Raw("the arrays", as_array("features", features), copied)
    return _dataset(
        _weighted(raw, weights),
        numbers=numbers,
        class_weight=class_weight,
        scale=scale,
        test_share=test_share,
        seed=seed,
        shape=shape,
        bits=input_bits,
    )


def features_from(features: ArrayLike, schema: Schema) -> NDArray[np.float32]:
    """The features of an array or, by column name, of a frame: copied, (examples, features). Raises DataError."""
    if is_frame(features):
        return _frozen(_features(further_features(features, schema), schema))
    return _frozen(_features(Raw("the arrays", as_array("features", features), None), schema))


def examples_from(
    features: ArrayLike, targets: ArrayLike, schema: Schema, weights: ArrayLike | None = None
) -> Examples:
    """Labelled examples from arrays, or features from a frame by column name: copied. Raises DataError."""
    copied = as_array("targets", targets)
    if is_frame(features):
        raw = replace(further_features(features, schema), targets=copied)
    else:
        raw = Raw("the arrays", as_array("features", features), copied)
    return _examples(_weighted(raw, weights), schema)


def read_features(path: str, schema: Schema, reader: str = "") -> NDArray[np.float32]:
    """The features of a file, (examples, features); of its test set if it has one.

    The file may lack the target column. Raises DataError.
    """
    raw = read(path, Selection(schema.features, targets=False), reader)
    return _frozen(_features(raw.test or raw, schema))


def read_examples(path: str, schema: Schema, target: str = "", reader: str = "") -> Examples:
    """The examples of a file, all with labels known from training; of its test set if it has one.

    target: a table's target column; if empty, the one used in training. The column of weights is that of training.
    Raises DataError.
    """
    if not schema.weight:
        raw = read(path, Selection(schema.features, target or schema.target), reader)
        return _examples(raw.test or raw, schema)
    columns = (*schema.features, schema.weight)
    raw = read(path, Selection(columns, target or schema.target), reader)
    return _examples(with_column(raw, schema.weight), schema)


def _weighted(raw: Raw, weights: ArrayLike | None) -> Raw:
    return raw if weights is None else replace(raw, weights=as_array("sample_weight", weights))


def _dataset(
    raw: Raw,
    *,
    numbers: bool,
    class_weight: Sequence[str],
    scale: bool,
    test_share: float,
    seed: int,
    shape: Sequence[int] | None,
    bits: int | None,
) -> Dataset:
    features = feature_matrix(raw)
    if len(features) < 2:
        raise DataError(f"{raw.source}: expected at least 2 examples to learn from, got {len(features)}; add some")
    labels = None if numbers and not raw.labels else Labels.of(raw)
    classes = None if labels is None else labels.classes()
    if classes is not None and len(classes) > max(MANY_CLASSES, len(features) / 2):
        raise DataError(
            f"{raw.source}: expected repeated labels, but {len(features):,} examples have {len(classes):,} "
            "distinct ones; choose another --target, or to learn numbers add --loss mean-squared-error"
        )
    targets = target_numbers(raw) if labels is None or classes is None else labels.class_numbers(classes)
    split = _split(raw, test_share, seed)
    kept, weights = kept_of(raw, None if split is None else split[0])
    if classes is not None:
        _check_every_class(raw, targets[kept], classes)
    by_class = class_weights(class_weight, classes, targets[kept], weights)
    mean, deviation = moments(features[kept], weights) if scale else (None, None)
    outputs = targets.shape[1] if classes is None else len(classes)
    names = feature_names(raw, features.shape[1])
    flat = raw.targets is not None and raw.targets.ndim == 1
    label_type = TEXT if labels is None else labels.type
    image = image_shape(raw, shape)
    schema = Schema(
        names,
        raw.target,
        classes,
        outputs,
        mean,
        deviation,
        label_type,
        flat,
        image,
        weight=raw.weight,
        class_weights=by_class,
    )

    scaled = _scaled(raw, features, schema)
    if bits is not None:
        schema = replace(schema, step=step(scaled[kept], bits), steps=2**bits)
        scaled = _scaled(raw, features, schema)
    train = _chosen(scaled[kept], targets[kept], weights, schema)
    test = None
    if raw.test is not None:
        test = _examples(raw.test, schema)
    elif split is not None:
        tested, weights = kept_of(raw, split[1])
        test = _chosen(scaled[tested], targets[tested], weights, schema)
    notes = raw.notes + (() if labels is None else labels.notes())
    mark = fingerprint((*train.arrays, *(test.arrays if test else ())), schema)
    return Dataset(train, test, schema, mark, notes)


def _split(raw: Raw, test_share: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
    """The examples to train on and to test on, each in the source's order; None to train on all."""
    if not 0 <= test_share < 1:
        raise DataError(f"expected a test share of at least 0 and below 1, got {test_share}")
    if test_share == 0:
        return None
    if raw.test is not None:
        raise DataError(f"{raw.source} has its own test set; leave the test share at 0, got {test_share}")
    count = len(raw.features)
    tested = round(test_share * count)
    if not 0 < tested < count:
        raise DataError(
            f"{raw.source}: expected a test share that leaves examples for both training and testing, "
            f"got {test_share}, which is {tested} of {count}; use a value from {1 / count:.3g} to {1 - 1 / count:.3g}"
        )
    order = permutation(seed, Stream.SPLIT, 0, count)
    return np.sort(order[tested:]), np.sort(order[:tested])


def _chosen(features: NDArray[np.float32], targets: NDArray[Any], weights: Weights | None, schema: Schema) -> Examples:
    """Examples whose weights, (examples,), are combined with those of their classes."""
    both = combined(weights, schema.class_weights, targets)
    return Examples(_frozen(features), _frozen(targets), None if both is None else _frozen(both))


def _check_every_class(raw: Raw, targets: NDArray[Any], classes: tuple[str, ...]) -> None:
    missing = np.flatnonzero(np.bincount(targets, minlength=len(classes)) == 0)
    if len(missing):
        without = "fell into the test split; choose a smaller --test-share or another --data-seed"
        if raw.weights is not None:
            without = "fell into the test split or have weight 0; give them weight, or leave these rows out"
        raise DataError(
            f"{raw.source}: expected training examples of every class, but all of "
            f"{quoted(classes[missing[0]])} {without}"
        )


def _scaled(raw: Raw, features: Features, schema: Schema) -> NDArray[np.float32]:
    """The features standardised and rounded by the schema, (examples, features)."""
    if schema.mean is None:
        scaled = features.astype(np.float32, copy=False)
    else:
        with np.errstate(over="ignore"):
            scaled = np.subtract(features, schema.mean, dtype=np.float64).astype(np.float32)
            scaled /= np.array(schema.deviation, np.float32)
        scaled = finite(raw, scaled, schema.features)
    if schema.step is None:
        return scaled
    step = np.float32(schema.step)
    with np.errstate(over="ignore"):
        steps = np.rint(scaled / step)
    return finite(raw, steps * step, schema.features)


def _features(raw: Raw, schema: Schema) -> NDArray[np.float32]:
    """Further features, (examples, features), read as the training features were."""
    features = feature_matrix(raw)
    if features.shape[1] != len(schema.features):
        raise DataError(f"{raw.source}: expected the {len(schema.features)} training features, got {features.shape[1]}")
    return _scaled(raw, features, schema)


def _examples(raw: Raw, schema: Schema) -> Examples:
    """Further examples, read as the training examples were."""
    features = _features(raw, schema)
    targets = target_numbers(raw) if schema.classes is None else Labels.of(raw).class_numbers(schema.classes)
    if schema.classes is None and targets.shape[1] != schema.outputs:
        raise DataError(f"{raw.source}: expected {schema.outputs} targets per example, got {targets.shape[1]}")
    kept, weights = kept_of(raw, None)
    return _chosen(features[kept], targets[kept], weights, schema)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    frozen = np.ascontiguousarray(array)
    frozen.flags.writeable = False
    return frozen
