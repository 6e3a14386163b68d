"""From the examples of a source to a data set; all that is learnt is learnt on the training examples alone."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distsearch.data import preparation, remarks, row_numbers, scaling, splits
from distsearch.data.asked import Reading
from distsearch.data.beside import beside_of, columns_by_class
from distsearch.data.checks import Features, feature_matrix, feature_names, finite, image_shape
from distsearch.data.examples import Dataset, Examples, arrays_of
from distsearch.data.fingerprints import fingerprint
from distsearch.data.further import examples_of
from distsearch.data.labels import TEXT
from distsearch.data.numbers_or_classes import are_numbers
from distsearch.data.preparation import Encoding, Wishes
from distsearch.data.raw import Raw, Table, quoted
from distsearch.data.readers.columns import target_names
from distsearch.data.schema import Schema
from distsearch.data.splits import Parts, Splitting
from distsearch.data.tabular import tabular
from distsearch.data.targets import MOST_VALUES, Labels, drop_missing, target_numbers
from distsearch.data.weights import Weights, class_weights, kept_of
from distsearch.errors import DataError

MANY_CLASSES = 1000  # more than this need more than an example or two each


class _Targets(NamedTuple):
    """Targets: class numbers, (examples,), or numbers, (examples, outputs)."""

    values: NDArray[Any]
    classes: tuple[str, ...] | None
    label_type: str = TEXT
    notes: tuple[str, ...] = ()


def dataset_of(raw: Raw, reading: Reading) -> Dataset:
    """The data set that a source makes. Raises DataError."""
    raw, reading, numbered = row_numbers.without(tabular(raw, reading.missing), reading)
    raw, dropped = _complete(raw, reading.missing)
    if len(raw.features) == 1:
        raise DataError(f"{raw.source}: expected at least 2 examples to learn from, got 1; add some")
    matrix = None if isinstance(raw.features, Table) and len(raw.features) else feature_matrix(raw)
    targets = _targets(raw, reading.numbers)
    parts = _split(raw, reading, targets)
    rows, weights = kept_of(raw, parts.train if len(parts.train) < len(raw.features) else None)
    if targets.classes is not None:
        _check_every_class(raw, targets.values[rows], targets.classes)
    by_class = class_weights(reading.class_weight, targets.classes, targets.values[rows], weights)
    features, encodings, learnt = _features(raw, matrix, rows, reading)
    if isinstance(raw.features, Table):
        raw = replace(raw, features=features)  # the columns are needed no more, and take memory
    schema = replace(_schema(raw, reading, targets, features.shape[1], encodings), class_weights=by_class)
    schema = _scaled_schema(schema, features[rows], targets.values[rows], weights, reading)
    scaled = scaling.scaled(raw, features, schema)
    if reading.input_bits is not None:
        schema = scaling.rounding(scaled[rows], reading.input_bits, schema)
        scaled = scaling.scaled(raw, features, schema)
    values = targets.values if schema.classes is not None else scaling.scaled_targets(targets.values, schema)
    beside = beside_of(raw, schema)

    def part(places: NDArray[np.intp]) -> Examples | None:
        if not len(places):
            return None
        kept, of_kept = kept_of(raw, places)
        return Examples.of(scaled[kept], values[kept], of_kept, schema, beside.at(kept))

    train, test = Examples.of(scaled[rows], values[rows], weights, schema, beside.at(rows)), part(parts.test)
    said = (*raw.notes, *numbered, *dropped, *learnt, *targets.notes)
    if raw.test is not None and reading.fold is None:
        test = examples_of(raw.test, schema)
    elif raw.test is not None:
        said = (*said, f"{raw.source}: the folds are of its training examples; its own test examples are not looked at")
    validation = part(parts.validation)
    said = (*said, *remarks.on_columns(raw, features, targets.values, rows, train.features, schema))
    said = (*said, *remarks.on_groups(raw, dict.fromkeys(filter(None, (reading.group, *reading.groups)))))
    if validation is not None and reading.validation_share is None:
        said = (*said, remarks.on_validation(raw, len(validation.features)))
    mark = fingerprint(arrays_of(train, test, validation), schema)
    return Dataset(train, test, schema, mark, said, validation)


def _complete(raw: Raw, missing: str) -> tuple[Raw, tuple[str, ...]]:
    """The examples without those that lack something, if that is wanted, and a sentence on them."""
    each = [np.shape(part)[:1] for part in (raw.targets, raw.weights) if part is not None]
    if missing != preparation.DROP or set(each) - {(len(raw.features),)}:  # another number is refused later
        return raw, ()
    kept = drop_missing(raw)
    if isinstance(raw.features, Table):
        kept &= preparation.complete_rows(raw.features)
    test = None if raw.test is None else _complete(raw.test, missing)[0]
    left = int(len(kept) - kept.sum())
    if left == len(kept):
        raise DataError(f"{raw.source}: expected examples without missing values, got none; choose --missing impute")
    note = f"{raw.source}: {left:,} of {len(kept):,} examples have missing values and are left out"
    return replace(raw.at(np.flatnonzero(kept)), test=test), (note,) if left else ()


def _targets(raw: Raw, numbers: bool | None) -> _Targets:
    notes: tuple[str, ...] = ()
    if numbers is None:
        numbers, notes = are_numbers(raw)
    if numbers and not raw.labels:
        return _Targets(target_numbers(raw), None, notes=(*notes, *remarks.on_spelling(raw)))
    labels = Labels.of(raw)
    classes = labels.classes()
    unique = len(classes) == len(raw.features) > MOST_VALUES
    if unique or len(classes) > max(MANY_CLASSES, len(raw.features) / 2):
        raise DataError(
            f"{raw.source}: expected repeated labels, but {len(raw.features):,} examples have {len(classes):,} "
            "distinct ones; choose another --target, or to learn numbers add --loss mean-squared-error"
        )
    return _Targets(labels.class_numbers(classes), classes, labels.type, labels.notes())


def _split(raw: Raw, reading: Reading, targets: _Targets) -> Parts:
    classes = None if targets.classes is None else targets.values
    share = reading.validation_share
    if share is None:
        share = splits.validation_share(raw, classes if reading.counted else None)
    wishes = Splitting(reading.test_share, share, reading.seed, reading.group, reading.time)
    if reading.fold is not None:
        return splits.folds(raw, wishes, *reading.fold, classes)
    return splits.split(raw, wishes, classes)


def _features(
    raw: Raw, matrix: Features | None, train: NDArray[np.intp] | slice, reading: Reading
) -> tuple[Features, tuple[Encoding, ...] | None, tuple[str, ...]]:
    """The network's inputs before they are scaled, (examples, inputs), how columns became them, and sentences on it."""
    if matrix is not None or not isinstance(raw.features, Table):
        return feature_matrix(raw) if matrix is None else matrix, None, ()
    names = feature_names(raw, len(raw.features.columns))
    learnt = preparation.learn(raw, raw.features, names, train, Wishes(reading.missing, reading.dates))
    if learnt.plain:
        return feature_matrix(raw), None, learnt.notes
    inputs = preparation.encode(raw, raw.features, names, learnt.encodings)
    named = zip(names, learnt.encodings, strict=True)
    finite(raw, inputs, [each for name, encoding in named for each in encoding.inputs(name)])
    return inputs, learnt.encodings, learnt.notes


def _schema(
    raw: Raw, reading: Reading, targets: _Targets, width: int, encodings: tuple[Encoding, ...] | None
) -> Schema:
    """The schema before anything is scaled."""
    names = feature_names(raw, width if encodings is None else len(encodings))
    outputs = targets.values.shape[1] if targets.classes is None else len(targets.classes)
    columns = target_names(raw.target) if outputs > 1 and targets.classes is None else []
    return Schema(
        names,
        raw.target,
        targets.classes,
        outputs,
        None,
        None,
        targets.label_type,
        raw.targets is not None and raw.targets.ndim == 1,
        image_shape(raw, reading.shape),
        columns=encodings,
        targets=tuple(columns) if len(columns) == outputs > 1 else None,
        weight=raw.weight,
        decimal=raw.spelling.decimal,
        commas=tuple(sorted(raw.commas)) or None,
        ignored=tuple(dict.fromkeys((*reading.drop, *reading.beside))) or None,
        groups=reading.groups or None,
        costs=columns_by_class(reading.costs, targets.classes) if reading.costs else None,
    )


def _scaled_schema(
    schema: Schema, features: Features, targets: NDArray[Any], weights: Weights | None, reading: Reading
) -> Schema:
    """The schema with means and deviations where features and targets are to be standardised."""
    measured = [True] * features.shape[1]
    if schema.columns is not None:
        measured = [each for encoding in schema.columns for each in encoding.measured]
    scale = reading.scale
    if scale is None:
        scale = any(measured) and scaling.far_from_unit_size(features[:, measured] if schema.columns else features)
    if scale:
        mean, deviation = scaling.moments_of_measured(features, measured, weights)
        schema = replace(schema, mean=mean, deviation=deviation)
    if schema.classes is not None or reading.degree is None or reading.scale is False:
        return schema
    if reading.scale or scaling.targets_far_from_unit_size(targets):
        mean, deviation = scaling.target_moments(targets, weights)
        return replace(schema, target_mean=mean, target_deviation=deviation)
    return schema


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
