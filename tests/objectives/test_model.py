import numpy as np
import pytest

from distsearch.config.sections import NetworkConfig
from distsearch.data.schema import Schema
from distsearch.objectives.model import Model

SCHEMA = Schema(("x",), "", ("a", "b", "c"), 3, None, None)


def model(loss: str = "cross-entropy") -> Model:
    return Model(NetworkConfig(layers=(), loss=loss), SCHEMA, np.zeros(6, np.float32))


def test_probabilities_of_huge_outputs_are_correct():
    outputs = np.array([[1e4, 0, 1e4], [-1e4, -1e4, -2e4], [0, 1, 2]], np.float32)
    e = np.exp([0, 1, 2])
    found = model().probabilities(outputs)
    assert found == pytest.approx(np.array([[0.5, 0, 0.5], [0.5, 0.5, 0], e / e.sum()]))


def test_only_cross_entropy_has_probabilities():
    assert model("classification-error").probabilities(np.zeros((1, 3), np.float32)) is None


def test_the_first_of_tied_classes_is_predicted():
    assert model().predict(np.ones((4, 1), np.float32)).tolist() == ["a"] * 4
