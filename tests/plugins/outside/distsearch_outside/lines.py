"""Files with an example per line: its features and its target, with semicolons between."""

from pathlib import Path

import numpy as np

from distsearch.data.raw import Raw, Selection


def read(path: str, selection: Selection) -> Raw:
    """The examples of a file."""
    table = np.array([line.split(";") for line in Path(path).read_text().split()], float)
    names = tuple(f"f{index}" for index in range(table.shape[1] - 1))
    chosen = selection.features or names
    features = table[:, [names.index(name) for name in chosen]]
    return Raw(path, features, table[:, -1] if selection.targets else None, chosen, "t" if selection.targets else "")
