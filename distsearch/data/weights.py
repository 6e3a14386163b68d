"""Weights of examples: how much each counts in the loss.

An example's weight is its own times that of its class, divided by the mean over the training part, or the test part: so
only ratios matter. A weight of 2 has the effect of the same row twice, and a row of weight 0 is left out.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data.checks import finite
from distsearch.data.labels import word_of
from distsearch.data.preparation import numbers_of
from distsearch.data.raw import Raw, Table, listed, quoted
from distsearch.data.readers.columns import lacks
from distsearch.data.spelling import number_in
from distsearch.data.targets import class_finder
from distsearch.errors import DataError, SettingError

BALANCED = "balanced"
_KINDS = f"{BALANCED}, or label:weight for some of the labels"

LARGEST = float(np.finfo(np.float32).max)

Weights = NDArray[np.float64]
Places = NDArray[np.intp]


def with_column(raw: Raw, column: str) -> Raw:
    """The examples whose weights are a column of their table, which is then no feature. Raises DataError."""
    if raw.names is None:
        raise DataError(f"{raw.source} has no named columns, so no weights in {column!r}; leave out --weight-column")
    if column == raw.target:
        raise DataError(
            f"{raw.source}: expected --weight-column and --target to differ, but both are {quoted(column)}; name the "
            "other one as well"
        )
    if column not in raw.names:
        raise DataError(f"{raw.source}: expected a column of weights, but {lacks(column, raw.names)}")
    at = raw.names.index(column)
    names = (*raw.names[:at], *raw.names[at + 1 :])
    if not isinstance(raw.features, Table):
        features = np.delete(raw.features, at, axis=1)
        return replace(raw, features=features, names=names, weights=raw.features[:, at], weight=column)
    columns = list(raw.features.columns)
    weights = numbers_of(raw, columns.pop(at), column)
    return replace(raw, features=Table(tuple(columns), len(raw.features)), names=names, weights=weights, weight=column)


def _own(raw: Raw) -> Weights | None:
    """Each example's own weight, (examples,); None if they have none. Raises DataError."""
    if raw.weights is None:
        return None
    weights, what = raw.weights, f"in column {quoted(raw.weight)}" if raw.weight else "in sample_weight"
    if weights.dtype.kind == "O":
        try:
            weights = weights.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"{raw.source}: expected numbers {what}, got something else: {error}") from None
    if weights.dtype.kind not in "biuf":
        raise DataError(f"{raw.source}: expected numbers {what}, got {weights.dtype}")
    if weights.shape != (len(raw.features),):
        raise DataError(
            f"{raw.source}: expected one weight per example {what}, so {len(raw.features)}, got the shape "
            f"{weights.shape}"
        )
    if raw.weight and (missing := np.isnan(weights)).any():
        raise DataError(
            f"{raw.source}, {raw.place(int(np.argmax(missing)))}: expected a weight {what}, got nothing; fill it in, "
            "or write 0 to leave the row out"
        )
    finite(raw, weights[:, np.newaxis], [raw.weight or "sample_weight"])
    if weights.min() < 0:
        index = int(np.argmin(weights))
        raise DataError(
            f"{raw.source}, {raw.place(index)}: expected a weight of at least 0 {what}, got {float(weights[index])}; "
            "0 leaves the row out"
        )
    return weights.astype(np.float64)


def kept_of(raw: Raw, places: Places | None) -> tuple[Places | slice, Weights | None]:
    """Those of the places (None: all) whose examples have a weight above 0, and these weights, (kept,), if any.

    Raises DataError for weights that cannot be, or if all are 0.
    """
    weights = _own(raw)
    if weights is None:
        return slice(None) if places is None else places, None
    among = np.arange(len(weights)) if places is None else places
    kept = among[weights[among] > 0]
    if not len(kept):
        raise DataError(f"{raw.source}: expected examples with a weight above zero, but all {len(among)} have 0")
    return kept, weights[kept]


def class_weight_words(given: Any) -> list[str]:
    """The words of the setting class_weight for what Python users give: "balanced", {label: weight} or None."""
    if given is None:
        return []
    if isinstance(given, str) and given == BALANCED:
        return [BALANCED]
    if not isinstance(given, Mapping):
        raise SettingError(
            f'class_weight: expected "{BALANCED}" or a dictionary {{label: weight}}, got {quoted(given)}'
        )
    return [f"{word_of(label)}:{weight}" for label, weight in given.items()]


def class_weights(
    words: Sequence[str], classes: Sequence[str] | None, targets: NDArray[Any], weights: Weights | None
) -> tuple[float, ...] | None:
    """The weight of each class, in their order; None if none are asked for.

    Balanced ones are inversely proportional to the number of examples of the class, or to the sum of their weights.
    A label that is not among the words has the weight 1. targets are class numbers, (examples,). Raises SettingError.
    """
    if not words:
        return None
    if classes is None:
        raise SettingError("--class-weight: expected a loss for classes, but this one compares numbers; leave it out")
    if list(words) == [BALANCED]:
        sums = np.bincount(targets, weights, len(classes))
        even = sums.sum() / len(classes)
        return tuple(np.divide(even, sums, out=np.ones(len(classes)), where=sums > 0).tolist())
    return _listed_weights(words, classes)


def _listed_weights(words: Iterable[str], classes: Sequence[str]) -> tuple[float, ...]:
    find, found = class_finder(classes), {}
    for word in words:
        label, colon, text = word.rpartition(":")
        if not colon:
            raise SettingError(f"--class-weight: expected {_KINDS}, got {quoted(word)}")
        number = find(label)
        if number is None:
            raise SettingError(f"--class-weight: expected labels of the data ({listed(classes)}), got {quoted(label)}")
        if number in found:
            raise SettingError(f"--class-weight: expected one weight per label, got several for {quoted(label)}")
        found[number] = _weight(label, text)
    return tuple(found.get(number, 1.0) for number in range(len(classes)))


def _weight(label: str, text: str) -> float:
    weight = number_in(text.strip())
    if weight is None or not 0 < weight <= LARGEST:
        raise SettingError(
            f"--class-weight: expected a weight above 0 for the label {quoted(label)}, got {quoted(text)}; to leave a "
            "class out, remove its rows"
        )
    return float(weight)


def combined(
    own: Weights | None, by_class: Sequence[float] | None, targets: NDArray[Any]
) -> NDArray[np.float32] | None:
    """The weights of examples, (examples,), with a mean of 1; None if all are alike.

    own is (examples,); by_class the classes' weights, where targets are class numbers, (examples,).
    """
    weights = np.ones(len(targets)) if own is None else own / own.max()
    if by_class is not None:
        weights = weights * np.array(by_class)[targets]
    if weights.min() == weights.max():
        return None
    mean = math.fsum(weights) / len(weights)
    return (weights / mean).astype(np.float32)
