"""Advice on data that a network would find hard to learn from as it is."""

import numpy as np

from distsearch.data.datasets import Dataset

UNCENTRED = 0.2  # a feature is off-centre if its squared mean exceeds this share of its mean square


def on_features(dataset: Dataset, flat_loss: bool) -> str:
    """A sentence advising to standardise features of unit size; empty if they are standardised or need not be.

    flat_loss: whether the loss is piecewise constant, as 0-1 error is.
    """
    if dataset.schema.mean is not None:
        return ""
    features = dataset.train.features
    squares = np.einsum("ef,ef->f", features, features, dtype=np.float64) / len(features)
    if flat_loss and (np.square(features.mean(axis=0, dtype=np.float64)) > UNCENTRED * squares).any():
        return "0-1 error trains best on centred features: --scale yes standardises them"
    return ""
