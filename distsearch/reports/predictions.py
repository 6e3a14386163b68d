"""Predictions as the columns of a table."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.objectives.model import Model

Column = Sequence[Any] | NDArray[Any]


def columns_of(
    model: Model, features: NDArray[np.float32], beside: Mapping[str, Column], every_class: bool = False
) -> dict[str, Column]:
    """What is predicted for scaled features, (examples, features), behind the columns of the input that stand beside.

    For classes that is the label and, with cross-entropy, its probability, or with `every_class` that of each class, in
    float32; for regression the numbers, in float64. Every column has a name of its own: those of the input keep theirs,
    and so does the target if it is called probability.
    """
    table, outputs = dict(beside), model.outputs(features)
    for name, column in _predicted(model, outputs, every_class):
        table[_unused(name, table)] = column
    return table


def _predicted(model: Model, outputs: NDArray[np.float32], every_class: bool) -> Iterator[tuple[str, Column]]:
    classes = model.schema.classes
    if classes is None:
        numbers = model.numbers(outputs).astype(np.float64)
        yield from zip(model.schema.outputs_named, numbers.T, strict=True)
        return
    yield model.schema.target or "label", [classes[number] for number in outputs.argmax(axis=1)]
    yield from _probabilities(model.probabilities(outputs), classes, every_class)


def _probabilities(
    probabilities: NDArray[np.float32] | None, classes: Sequence[str], every_class: bool
) -> Iterator[tuple[str, Column]]:
    if probabilities is None:
        return
    if not every_class:
        yield "probability", probabilities.max(axis=1)
        return
    for index, name in enumerate(classes):
        yield f"probability of {name}", probabilities[:, index]


def _unused(name: str, taken: Mapping[str, Column]) -> str:
    while name in taken:
        name = f"predicted {name}"
    return name
