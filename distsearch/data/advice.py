"""Advice on data that a network would find hard to learn from unscaled."""

import math

import numpy as np

from distsearch.data.datasets import Dataset
from distsearch.data.raw import quoted

SMALL, LARGE = 0.1, 4.0  # a freshly initialised network learns well if its largest feature's RMS is between these
UNCENTRED = 0.2  # a feature is off-centre if its squared mean exceeds this share of its mean square


def on_features(dataset: Dataset, flat_loss: bool) -> str:
    """A sentence advising to standardise the features; empty if they are standardised or need not be.

    flat_loss: whether the loss is piecewise constant, as 0-1 error is.
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
            f"the largest feature, {quoted(name)}, is about {shown}, but networks train best on values around 1: "
            "--scale standardises all features"
        )
    if flat_loss and (np.square(features.mean(axis=0, dtype=np.float64)) > UNCENTRED * squares).any():
        return "0-1 error trains best on centred features: --scale standardises them"
    return ""
