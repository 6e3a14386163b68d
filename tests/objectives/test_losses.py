import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distsearch.errors import SettingError
from distsearch.objectives import losses
from distsearch.randomness import Stream, noise

# Two examples of three classes, correct classes 0 and 2, for two candidates: (candidates, outputs, examples).
OUTPUTS = np.array([[[2, 0], [1, 0], [0, 1]], [[0, 3], [0, 0], [0, 3]]], np.float32)
TARGETS = np.array([[1, 0], [0, 0], [0, 1]], np.float32)


def total(name: str, outputs: np.ndarray = OUTPUTS, targets: np.ndarray = TARGETS) -> np.ndarray:
    return losses.create(name).total(outputs.copy(), targets)


def test_cross_entropy_matches_a_calculation_by_hand():
    e = math.e
    first = math.log((e**2 + e + 1) / e**2) + math.log((1 + 1 + e) / e)
    second = math.log(3) + math.log((e**3 + 1 + e**3) / e**3)
    assert total("cross-entropy") == pytest.approx([first, second], rel=1e-6)


def test_classification_error_counts_ties_as_errors():
    assert total("classification-error").tolist() == [0, 2]


def test_squared_and_absolute_error_match_a_calculation_by_hand():
    assert total("mean-squared-error") == pytest.approx([(1 + 1) / 3, (1 + 9 + 4) / 3])
    assert total("mean-absolute-error") == pytest.approx([2 / 3, (1 + 3 + 2) / 3])


@pytest.mark.parametrize("classes", [2, 3, 10, 30, 1000])
@pytest.mark.parametrize("examples", [1, 2, 3, 7, 300, 1437])
def test_cross_entropy_agrees_with_the_textbook_formula(classes, examples):
    outputs = 5 * noise(0, Stream.CANDIDATES, 0, 0, classes, examples)[np.newaxis]
    labels = np.arange(examples) % classes
    targets = (np.arange(classes)[:, np.newaxis] == labels).astype(np.float32)
    exact = outputs[0].astype(np.float64)
    expected = (np.log(np.exp(exact).sum(axis=0)) - exact[labels, np.arange(examples)]).sum()
    assert total("cross-entropy", outputs, targets)[0] == pytest.approx(expected, rel=2e-6, abs=1e-6 * examples)


@pytest.mark.parametrize("outputs", [[1e4, 0], [0, -1e4], [-1e4, -2e4]])
def test_cross_entropy_of_huge_outputs_is_finite_and_correct(outputs):
    outputs = np.array(outputs, np.float32).reshape(1, 2, 1)
    for targets, expected in (([0, 1], 1e4), ([1, 0], 0)):
        one_hot = np.array(targets, np.float32)[:, np.newaxis]
        assert total("cross-entropy", outputs, one_hot).tolist() == [expected]
        assert losses.create("cross-entropy").each(outputs.copy(), one_hot).tolist() == [[expected]]


@pytest.mark.parametrize("name", losses.LOSSES.own)
def test_the_total_is_the_sum_of_the_examples_losses(name):
    outputs = noise(4, Stream.CANDIDATES, 0, 0, 3 * 5, 20).reshape(3, 5, 20)
    targets = (np.arange(5)[:, np.newaxis] == np.arange(20) % 5).astype(np.float32)
    each = losses.create(name).each(outputs.copy(), targets)
    assert each.shape == (3, 20)
    assert total(name, outputs, targets) == pytest.approx(each.sum(axis=1), rel=1e-5)


@pytest.mark.parametrize("name", losses.LOSSES.own)
@given(st.integers(1, 9), st.integers(1, 400), st.integers(2, 40))
def test_a_candidate_s_loss_does_not_depend_on_its_neighbours_or_position(name, candidates, examples, classes):
    outputs = noise(2, Stream.CANDIDATES, 0, 0, candidates * classes, examples)
    outputs = outputs.reshape(candidates, classes, examples)
    targets = (np.arange(classes)[:, np.newaxis] == np.arange(examples) % classes).astype(np.float32)
    together = total(name, outputs, targets)
    if examples > 1:
        as_a_network_s = outputs.transpose(1, 0, 2).copy().transpose(1, 0, 2)
        assert losses.create(name).total(as_a_network_s, targets).tolist() == together.tolist()
    alone = [total(name, outputs[index : index + 1], targets)[0] for index in range(candidates)]
    assert together.tolist() == alone


def test_unknown_loss_is_refused_with_the_nearest():
    with pytest.raises(SettingError, match="did you mean 'cross-entropy'"):
        losses.create("cross-entrop")
