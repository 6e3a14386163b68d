import sys

import numpy as np
import pytest

from distsearch.data.datasets import load
from distsearch.errors import DataError
from distsearch.randomness import Stream, noise


def test_vertical_matches_a_calculation_by_hand():
    train = load("vertical", numbers=False, points=2, classes=3, seed=5).train
    z = noise(5, Stream.DATA, 0, 0, 3, 4)  # x, y, x, y of each class
    expected = [
        [0 + 0.1 * z[0, 0], 0.5 + 0.1 * z[0, 1]],
        [0 + 0.1 * z[0, 2], 0.5 + 0.1 * z[0, 3]],
        [1 / 3 + 0.1 * z[1, 0], 0.5 + 0.1 * z[1, 1]],
        [1 / 3 + 0.1 * z[1, 2], 0.5 + 0.1 * z[1, 3]],
        [2 / 3 + 0.1 * z[2, 0], 0.5 + 0.1 * z[2, 1]],
        [2 / 3 + 0.1 * z[2, 2], 0.5 + 0.1 * z[2, 3]],
    ]
    assert train.features == pytest.approx(np.array(expected), rel=1e-5, abs=1e-7)
    assert train.targets.tolist() == [0, 0, 1, 1, 2, 2]


def test_vertical_has_the_stated_means_and_deviation():
    train = load("vertical", numbers=False, points=4000, classes=4).train
    for number in range(4):
        cloud = train.features[train.targets == number]
        assert cloud.mean(axis=0) == pytest.approx([number / 3, 0.5], abs=0.01)
        assert cloud.std(axis=0) == pytest.approx([0.1, 0.1], rel=0.05)


def test_spiral_matches_a_calculation_by_hand():
    train = load("spiral", numbers=False, points=3, classes=2, seed=9).train
    z = noise(9, Stream.DATA, 0, 0, 2, 3)
    expected = []
    for number in range(2):
        for point, (radius, angle) in enumerate([(0, 0), (0.5, 2), (1, 4)]):
            t = 4 * number + angle + 0.2 * float(z[number, point])
            expected.append([radius * np.sin(2.5 * t), radius * np.cos(2.5 * t)])
    assert train.features == pytest.approx(np.array(expected), abs=1e-6)
    assert train.targets.tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("name", ["vertical", "spiral"])
def test_generated_data_follows_its_settings(name):
    data = load(name, numbers=True, points=7, classes=5)
    assert data.train.features.shape == (35, 2)
    assert data.schema.features == ("x0", "x1")
    assert data.schema.classes == ("0", "1", "2", "3", "4")
    assert data.fingerprint == load(name, numbers=False, points=7, classes=5).fingerprint
    assert data.fingerprint != load(name, numbers=False, points=7, classes=5, seed=1).fingerprint


@pytest.mark.parametrize(
    ("name", "examples", "features", "classes", "first_feature"),
    [
        ("iris", 150, 4, ("setosa", "versicolor", "virginica"), "sepal length (cm)"),
        ("wine", 178, 13, ("class_0", "class_1", "class_2"), "alcohol"),
        ("breast-cancer", 569, 30, ("benign", "malignant"), "mean radius"),
        ("digits", 1797, 64, tuple("0123456789"), "pixel_0_0"),
    ],
)
def test_bundled_data_sets_keep_their_names(name, examples, features, classes, first_feature):
    data = load(name, numbers=False)
    assert data.train.features.shape == (examples, features)
    assert data.schema.classes == classes
    assert data.schema.features[0] == first_feature
    assert data.schema.outputs == len(classes)


def test_bundled_data_sets_match_scikit_learn():
    train = load("iris", numbers=False).train
    assert train.features[0] == pytest.approx([5.1, 3.5, 1.4, 0.2])
    assert [int(train.targets[index]) for index in (0, 50, 100)] == [0, 1, 2]
    # 357 benign and 212 malignant; scikit-learn numbers them the other way round.
    assert np.bincount(load("breast-cancer", numbers=False).train.targets).tolist() == [357, 212]


def test_digits_are_divided_by_sixteen():
    features = load("digits", numbers=False).train.features
    assert features.max() == 1
    assert features[0, :6].tolist() == [0, 0, 5 / 16, 13 / 16, 9 / 16, 1 / 16]


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(
        DataError, match=r'iris needs scikit-learn, which is not installed; type pip install "distsearch\[datasets\]"'
    ):
        load("iris", numbers=False)
    assert load("spiral", numbers=False).test is None  # and the others do not need it
