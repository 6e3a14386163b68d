"""Sentences on what is learnt from, for the user to judge."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data import preparation, scaling
from distsearch.data.beside import column_named, is_profit
from distsearch.data.checks import Features
from distsearch.data.raw import Raw, flag, quoted
from distsearch.data.schema import Schema
from distsearch.data.spelling import is_missing
from distsearch.data.targets import column_of_target

INEXACT = 2.0**53  # from here on, not every whole number is a float64
SPACINGS = 1000  # between neighbouring floats: a column that varies by less loses what tells its examples apart


def on_columns(
    raw: Raw, features: Features, targets: NDArray[Any], rows: Any, found: NDArray[np.float32], schema: Schema
) -> Iterator[str]:
    """Sentences on columns that the user may not mean to be learnt from as they are.

    features are (examples, inputs) before they are scaled, targets (examples, outputs) or class numbers; found,
    (rows, inputs), is what the network gets of the rows to train on.
    """
    yield from _named_like_ids(raw, features, schema)
    yield from _too_large(raw, features, targets, schema)
    yield from _lost(raw, features, rows, found, schema)
    if schema.costs is not None and all(map(is_profit, schema.costs)):
        yield f"{', '.join(schema.costs)} are taken for profits: the loss is minus the mean profit"


def on_spelling(raw: Raw) -> Iterator[str]:
    """A sentence on target numbers that are written with more than digits, as predictions are not."""
    targets = np.asarray(raw.targets)
    if targets.dtype.kind != "O" or targets.ndim > 1:
        return
    spelling = raw.spelling_of(raw.target)
    cells = sorted({cell for cell in targets.tolist() if isinstance(cell, str)})
    if marked := spelling.marks(cells):
        each = " and ".join(f"{quoted(cell)} is {spelling.number(cell)}" for cell in marked.values())
        yield f"{raw.source}: in the target {quoted(column_of_target(raw))}, {each}, and predictions are such numbers"


def on_groups(raw: Raw, names: Iterable[str]) -> Iterator[str]:
    """A sentence on each column of groups that does not say of every example which one it is in."""
    for name in names:
        written = Counter(map(str, column_named(raw, name).tolist()))
        if without := sum(count for text, count in written.items() if is_missing(text)):
            each = "1 example has none, and is" if without == 1 else f"{without:,} examples have none, and are"
            yield f"{raw.source}, groups in column {quoted(name)}: {each} taken for one group"


def on_validation(raw: Raw, count: int) -> str:
    """A sentence on examples that were set aside though nobody asked for it."""
    return (
        f"{raw.source}: {count:,} of {len(raw.features):,} examples are set aside, and the best weights are those of "
        "the lowest loss on them: with --validation-share 0 none are"
    )


def _named_like_ids(raw: Raw, features: Features, schema: Schema) -> tuple[str, ...]:
    """Sentences on columns that are learnt from though they seem only to number or name the examples."""
    if schema.columns is not None and len(schema.columns) != features.shape[1]:
        columns = dict(zip(schema.inputs, features.T, strict=True))
    else:
        columns = dict(zip(schema.features, features.T, strict=True))
    return tuple(
        f"{raw.source}: the column {quoted(name)} has a different value in every example, like an identifier, but is "
        f"learnt from: leave it out with {flag('drop', name)}, or with {flag('id', name)} to see it beside predictions"
        for name, values in columns.items()
        if preparation.is_named_like_id(name) and len(np.unique(values)) == len(values)
    )


def _lost(raw: Raw, features: Features, rows: Any, found: NDArray[np.float32], schema: Schema) -> Iterator[str]:
    """Sentences on inputs, (examples, inputs), whose differences the network does not see in what it gets of rows."""
    for column in scaling.lost(features, rows, found):
        values = features[rows, column]
        yield (
            f"{raw.source}: the values of {quoted(schema.inputs[column])} differ, from {values.min():.9g} to "
            f"{values.max():.9g}, but by less than float32 can hold, so nothing is learnt from them: multiply them, or "
            "subtract what they have in common"
        )


def _too_large(raw: Raw, features: Features, targets: NDArray[Any], schema: Schema) -> tuple[str, ...]:
    """Sentences on columns whose numbers are so large that those close together are the same in float64."""
    values = {name: features[:, index] for index, name in _large(features, schema.inputs)}
    if schema.classes is None:
        values |= {name: targets[:, index] for index, name in _large(targets, schema.outputs_named)}
    return tuple(
        f"{raw.source}: the numbers in column {quoted(name)} are so large that those close together are read as the "
        "same: subtract a constant from them, or write them as text if they only name something"
        for name, numbers in values.items()
        if numbers.std() < SPACINGS * np.spacing(np.abs(numbers).max())
    )


def _large(columns: NDArray[Any], names: Sequence[str]) -> list[tuple[int, str]]:
    """The columns in which not every whole number is a float64."""
    largest = np.maximum(columns.max(axis=0), -columns.min(axis=0))
    return [(index, names[index]) for index in np.flatnonzero(largest >= INEXACT).tolist()]
