"""The plane of two features: what a network makes of each of its places."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from distsearch.data.datasets import Examples
from distsearch.errors import RunError, unknown
from distsearch.objectives.model import Model
from distsearch.reports.figures import Boundary, Curves, thinned
from distsearch.reports.judgements import (
    importances,
    note_on_first,
    response,
    single,
    targets_of,
    unscaled,
)
from distsearch.reports.subjects import Subject

COLUMNS, ROWS = 160, 120
MOST_POINTS = 1000
ROOM = 0.06  # around the examples, as a share of their range


def boundary(subjects: Sequence[Subject], features: Sequence[str] = ()) -> Boundary | Curves:
    """The regions of a run's network in the plane of two features, those that matter most if none are named.

    With more features it is a slice: the others are at their mean. With a single one, what is made of it.
    """
    subject = single(subjects, "boundary")
    if len(subject.model.schema.inputs) == 1:
        return response(subject)
    dataset = subject.dataset
    plane = Plane(subject.model, dataset.train, chosen(subject, features), matter_most=not features)
    return plane.seen(subject.model, f"Boundary of {subject.name}")


def chosen(subject: Subject, features: Sequence[str]) -> tuple[int, int]:
    """The numbers of two features, those that matter most if none are named. RunError if these are not two."""
    names = subject.model.schema.inputs
    if not features:
        first, second = np.argsort(-importances(subject), kind="stable")[:2] if len(names) > 2 else (0, 1)
        return int(first), int(second)
    if len(features) != 2 or features[0] == features[1]:
        raise RunError(f"--features: expected two columns such as {names[0]},{names[1]}, got {','.join(features)!r}")
    for name in features:
        if name not in names:
            raise RunError(f"--features: {unknown('column', name, names)}")
    return names.index(features[0]), names.index(features[1])


class Plane:
    """The plane of two features, as wide as the examples lie in it; all other features are at their mean."""

    def __init__(
        self,
        model: Model,
        examples: Examples,
        pair: tuple[int, int],
        size: tuple[int, int] = (COLUMNS, ROWS),
        matter_most: bool = False,
    ):
        self._pair = pair
        self._examples = examples
        features, schema = examples.features, model.schema
        ends = [_ends(features[:, number]) for number in pair]
        across, up = (np.linspace(*end, count, dtype=np.float32) for end, count in zip(ends, size, strict=True))
        self._grid = np.tile(features.mean(axis=0, dtype=np.float64).astype(np.float32), (size[0] * size[1], 1))
        self._grid[:, pair[0]] = np.tile(across, size[1])
        self._grid[:, pair[1]] = np.repeat(up, size[0])
        self._shape = size[1], size[0]
        self._x, self._y = unscaled(model, pair[0], across), unscaled(model, pair[1], up)
        self._labels = schema.inputs[pair[0]], schema.inputs[pair[1]]
        others = len(schema.inputs) - 2
        at = "the other feature is" if others == 1 else f"the other {others:,} features are"
        these = "These two matter most; --features" if matter_most else "--features"
        self._note = f"A slice: {at} at the mean. {these} A,B takes two others." if others else ""
        self._picked = thinned(len(features), MOST_POINTS)
        columns = [unscaled(model, number, features[self._picked, number]) for number in pair]
        self._points = np.stack(columns, axis=1)

    def seen(self, model: Model, title: str) -> Boundary:
        """What a model makes of the plane."""
        outputs = model.outputs(self._grid)
        targets, note, number = self._examples.targets[self._picked], self._note, ""
        if model.labels is None:
            found = model.numbers(outputs), model.targets(self._examples)[self._picked]
            values, targets = (each[:, 0].astype(np.float64) for each in found)
            certainty = np.ones(len(outputs))
            names = targets_of(model)
            note, number = f"{note_on_first(names)} {note}".strip(), names[0]
        else:
            certainty = _certainty(model, outputs.astype(np.float64))
            values = outputs.argmax(axis=1).astype(np.float64)
        return Boundary(
            title,
            *self._labels,
            self._x,
            self._y,
            values.reshape(self._shape),
            certainty.reshape(self._shape),
            self._points,
            targets.astype(np.float64),
            model.schema.classes,
            number,
            note,
        )


def _ends(values: NDArray[np.float32]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = (high - low) * ROOM or 1.0
    return low - room, high + room


def _certainty(model: Model, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the likeliest class is above the next, from 0 to 1, (places,); ones where there are no probabilities."""
    shares = model.probabilities(outputs.astype(np.float32))
    if shares is None or shares.shape[1] < 2:
        return np.ones(len(outputs))
    highest = np.sort(shares, axis=1)
    return (highest[:, -1] - highest[:, -2]).astype(np.float64)
