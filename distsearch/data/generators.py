"""Data sets that need no file: two that are drawn from a seed, and those that come with scikit-learn."""

from collections.abc import Callable

import numpy as np

from distsearch import memory
from distsearch.data.raw import Raw
from distsearch.errors import DataError
from distsearch.randomness import Stream, noise

DRAWN_BYTES = 100  # of an example while it is drawn
_SPREAD = 0.1  # deviation of vertical's points
_TURN = 4  # angle that an arm of the spiral sweeps, before it is stretched
_STRETCH = 2.5
_WOBBLE = 0.2  # deviation of the angle
_LARGEST_INK = np.float32(16)  # of a pixel of digits


def vertical(points: int, classes: int, seed: int) -> Raw:
    """Clouds side by side: class c is `points` examples of x ~ N(c/3, 0.1), y ~ N(0.5, 0.1)."""
    spread = _SPREAD * noise(seed, Stream.DATA, 0, 0, classes, 2 * points).reshape(classes, points, 2)
    centers = np.stack([np.arange(classes) / 3, np.full(classes, 0.5)], axis=1)  # (classes, 2)
    features = (centers[:, np.newaxis] + spread).reshape(-1, 2)
    return Raw("vertical", features.astype(np.float32), np.repeat(np.arange(classes), points), labels=True)


def spiral(points: int, classes: int, seed: int) -> Raw:
    """Arms of a spiral, one a class: r from 0 to 1, and with it the angle t, which wobbles by N(0, 0.2)."""
    radius = np.linspace(0, 1, points)  # (points,)
    starts = _TURN * np.arange(classes)[:, np.newaxis]  # (classes, 1)
    angle = starts + np.linspace(0, _TURN, points) + _WOBBLE * noise(seed, Stream.DATA, 0, 0, classes, points)
    x, y = radius * np.sin(_STRETCH * angle), radius * np.cos(_STRETCH * angle)  # (classes, points) each
    features = np.stack([x, y], axis=2).reshape(-1, 2)
    return Raw("spiral", features.astype(np.float32), np.repeat(np.arange(classes), points), labels=True)


def bundled(name: str) -> Raw:
    """A data set that comes with scikit-learn, with its names. DataError if scikit-learn is not installed."""
    try:
        from sklearn import datasets
    except ImportError:
        raise DataError(
            f'{name} comes with scikit-learn, which is not installed; type pip install "distsearch[datasets]"'
        ) from None
    content = getattr(datasets, f"load_{name.replace('-', '_')}")()
    features = np.asarray(content.data, np.float32)
    if name == "digits":
        features = features / _LARGEST_INK
    labels = np.asarray(content.target_names)[content.target]
    return Raw(name, features, labels, tuple(str(column) for column in content.feature_names), labels=True)


DRAWN: dict[str, Callable[[int, int, int], Raw]] = {"vertical": vertical, "spiral": spiral}
BUNDLED = ("digits", "iris", "wine", "breast-cancer")
NAMES = (*DRAWN, *BUNDLED)


def generate(name: str, points: int, classes: int, seed: int) -> Raw:
    """The built-in data set of this name; points (examples a class), classes and seed are for drawn ones."""
    if name not in DRAWN:
        return bundled(name)
    what = f"{name} with {points:,} points in each of {classes:,} classes"
    memory.require(what, points * classes * DRAWN_BYTES, "choose fewer --points or --classes")
    return DRAWN[name](points, classes, seed)
