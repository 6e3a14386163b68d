"""What every reader must do."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from distsearch.data.raw import Raw, Selection, Table
from distsearch.data.readers import Reader
from distsearch.testing.problems import expect


def check_reader(reader: Reader, path: str) -> None:
    """The file's examples come with targets, without them where none are wanted, and by the names of the features."""
    whole = reader(path, Selection())
    features = _cells(whole)
    expect(features.ndim >= 2 and len(features) > 0, "features are (examples, features)")
    expect(whole.targets is not None and len(whole.targets) == len(features), "there is a target for each example")
    alone = reader(path, Selection(whole.names, targets=False))
    expect(np.array_equal(_cells(alone), features), "features are the same without the targets")
    expect(alone.targets is None, "there are no targets where none are wanted")
    if whole.names is not None:
        expect(len(whole.names) == features.shape[1], "there is a name for each feature")
        turned = reader(path, Selection(whole.names[::-1], targets=False))
        expect(np.array_equal(_cells(turned), features[:, ::-1]), "features come in the wanted order")


def _cells(raw: Raw) -> NDArray[Any]:
    """The features, (examples, features, …); those of a table as text, in which gaps are alike."""
    if isinstance(raw.features, Table):
        return np.stack([column.astype(str) for column in raw.features.columns], axis=1)
    return np.asarray(raw.features)
