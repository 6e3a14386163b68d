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

    For classes that is the label and, with cross-entropy, its probability, or with `every_class` that of each class;
    for regression the numbers. A column of the input that has the same name as a prediction keeps it.
    """
    outputs, classes, found = model.outputs(features), model.schema.classes, dict[str, Column]()
    if classes is None:
        numbers = model.numbers(outputs)
        found = {name: numbers[:, index] for index, name in enumerate(model.schema.outputs_named)}
    else:
        found[model.schema.target or "label"] = [classes[number] for number in outputs.argmax(axis=1)]
        found |= _probabilities(model.probabilities(outputs), classes, every_class)
    return {**beside, **{_unused(name, beside): column for name, column in found.items()}}


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
