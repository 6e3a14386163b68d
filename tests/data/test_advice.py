import numpy as np

from distsearch.data import datasets
from distsearch.data.advice import on_features
from distsearch.randomness import Stream, noise

COUNTED, SMOOTH = True, False  # whether the loss is flat between its steps


def sized(*sizes: float, mean: float = 0.0, scale: bool = False) -> datasets.Dataset:
    """Features with these root mean squares around 0; then shifted."""
    features = noise(0, Stream.DATA, 0, 0, 400, len(sizes))
    features *= np.float32(sizes) / np.sqrt(np.square(features).mean(axis=0))
    features += np.float32(mean)
    return datasets.from_arrays(features, np.arange(400) % 2, numbers=False, scale=scale)


def test_well_scaled_features_get_no_advice():
    assert on_features(sized(0.2, 0.001), SMOOTH) == ""
    assert on_features(sized(3.9, 1.0), SMOOTH) == ""
    assert on_features(sized(0.0, 0.0), SMOOTH) == ""
    assert on_features(sized(1.0, mean=1.0), SMOOTH) == ""
    for source in ("vertical", "spiral", "digits"):
        assert on_features(datasets.load(source, numbers=False), SMOOTH) == ""


def test_losses_that_count_errors_advise_centring_the_features():
    assert "centred features: --scale" in on_features(sized(1.0, mean=-1.0), COUNTED)
    assert on_features(sized(1.0, mean=0.1), COUNTED) == ""
    assert on_features(sized(1.0, mean=-1.0, scale=True), COUNTED) == ""
