"""What is said of data that a network will find hard to learn from as it is."""

import math

import numpy as np

from distsearch.data.datasets import Dataset
from distsearch.data.raw import quoted

SMALL, LARGE = 0.1, 4.0  # root mean squares of the largest feature between which a network learns well as it starts
UNCENTRED = 0.2  # share of a feature's mean square that is its mean's, where it lies beside 0 rather than around it


def on_features(dataset: Dataset, flat_loss: bool) -> str:
    """A sentence on features that should be standardised; empty if they are, or need not be.

    flat_loss says whether the loss is flat between its steps, as 0-1 error is.
    """
    if dataset.schema.mean is not None:
        return ""
    features = dataset.train.features
    squares = np.einsum("ef,ef->f", features, features, dtype=np.float64) / len(features)
    largest = squares.argmax()
    name, size = dataset.schema.features[largest], math.sqrt(squares[largest])
    if size and not SMALL < size < LARGE:
        shown = f"{size:,.0f}" if LARGE <= size < 1e6 else f"{size:.1g}"
        return (
            f"the largest feature, {quoted(name)}, is about {shown}, and a network learns best from about 1: "
            "--scale standardises all of them"
        )
    if flat_loss and (np.square(features.mean(axis=0, dtype=np.float64)) > UNCENTRED * squares).any():
        return "errors that are only counted are learnt best from features around 0: --scale standardises them"
    return ""
