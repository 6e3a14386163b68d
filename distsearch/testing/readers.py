"""What every reader must do."""

import numpy as np

from distsearch.data.raw import Selection
from distsearch.data.readers import Reader
from distsearch.testing.problems import expect


def check_reader(reader: Reader, path: str) -> None:
    """The file's examples come with targets, without them where none are wanted, and by the names of the features."""
    whole = reader(path, Selection())
    features = np.asarray(whole.features)
    expect(features.ndim >= 2 and len(features) > 0, "features are (examples, features)")
    expect(whole.targets is not None and len(whole.targets) == len(features), "there is a target for each example")
    alone = reader(path, Selection(whole.names, targets=False))
    expect(np.array_equal(np.asarray(alone.features), features), "features are the same without the targets")
    expect(alone.targets is None, "there are no targets where none are wanted")
    if whole.names is not None:
        expect(len(whole.names) == features.shape[1], "there is a name for each feature")
        turned = reader(path, Selection(whole.names[::-1], targets=False))
        expect(np.array_equal(np.asarray(turned.features), features[:, ::-1]), "features come in the wanted order")
