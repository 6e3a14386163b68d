"""Data sets that need no file: two drawn from a seed, and those bundled with scikit-learn."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from distsearch.data.raw import Raw
from distsearch.errors import DataError
from distsearch.errors.importing import importing
from distsearch.machine import memory
from distsearch.randomness import Stream, noise

DRAWN_BYTES = 100  # per example, while drawing
_SPREAD = 0.1  # standard deviation of vertical's points
_TURN = 4  # angle that an arm of the spiral sweeps, before stretching
_STRETCH = 2.5
_WOBBLE = 0.2  # standard deviation of the angle
_LARGEST_INK = np.float32(16)  # the largest pixel value in digits


class Drawn(NamedTuple):
    """What a data set is drawn by: examples per class, classes and seed."""

    points: int = 100
    classes: int = 3
    seed: int = 0


USUAL = Drawn()


def vertical(points: int, classes: int, seed: int) -> Raw:
    """Clouds side by side: class c has `points` examples with x ~ N(c/3, 0.1), y ~ N(0.5, 0.1)."""
    spread = _SPREAD * noise(seed, Stream.DATA, 0, 0, classes, 2 * points).reshape(classes, points, 2)
    centers = np.stack([np.arange(classes) / 3, np.full(classes, 0.5)], axis=1)  # (classes, 2)
    features = (centers[:, np.newaxis] + spread).reshape(-1, 2)
    return Raw("vertical", features.astype(np.float32), np.repeat(np.arange(classes), points), labels=True)


def spiral(points: int, classes: int, seed: int) -> Raw:
    """One spiral arm per class: radius r runs from 0 to 1 along with the angle t, which wobbles by N(0, 0.2)."""
    radius = np.linspace(0, 1, points)  # (points,)
    starts = _TURN * np.arange(classes)[:, np.newaxis]  # (classes, 1)
    angle = starts + np.linspace(0, _TURN, points) + _WOBBLE * noise(seed, Stream.DATA, 0, 0, classes, points)
    x, y = radius * np.sin(_STRETCH * angle), radius * np.cos(_STRETCH * angle)  # (classes, points) each
    features = np.stack([x, y], axis=2).reshape(-1, 2)
    return Raw("spiral", features.astype(np.float32), np.repeat(np.arange(classes), points), labels=True)


def bundled(name: str) -> Raw:
    """A data set bundled with scikit-learn, with its names. Raises DataError if scikit-learn is not installed."""
    with importing("sklearn", f"{name} needs", package="scikit-learn", extra="datasets", error=DataError):
        from sklearn import datasets
    content = getattr(datasets, f"load_{name.replace('-', '_')}")()
    features = np.asarray(content.data, np.float32)
    if name == "digits":
        features = features / _LARGEST_INK
    labels = np.asarray(content.target_names)[content.target]
    return Raw(name, features, labels, tuple(str(column) for column in content.feature_names), labels=True)


GENERATORS: dict[str, Callable[[int, int, int], Raw]] = {"vertical": vertical, "spiral": spiral}
BUNDLED = ("digits", "iris", "wine", "breast-cancer")
NAMES = (*GENERATORS, *BUNDLED)


def generate(name: str, points: int, classes: int, seed: int) -> Raw:
    """Make a built-in data set by name; points (examples per class), classes and seed apply to drawn ones only."""
    if name not in GENERATORS:
        return bundled(name)
    what = f"{name} with {points:,} points in each of {classes:,} classes"
    memory.require(what, points * classes * DRAWN_BYTES, "choose fewer --points or --classes")
    return GENERATORS[name](points, classes, seed)
