"""Metrics agree with scikit-learn's, and with what is worked out by hand."""

import numpy as np
import pytest
import sklearn.metrics

from distsearch.config import NetworkConfig
from distsearch.data import datasets
from distsearch.data.datasets import Examples
from distsearch.errors import ObjectiveError, SettingError
from distsearch.objectives import metrics
from distsearch.objectives.model import Model

TRUTH = np.array(["a", "a", "a", "a", "b", "b", "c", "c"])
PREDICTED = np.array(["a", "a", "a", "b", "b", "c", "a", "b"])


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("accuracy", sklearn.metrics.accuracy_score),
        ("balanced-accuracy", sklearn.metrics.balanced_accuracy_score),
        ("f1", lambda truth, predicted: sklearn.metrics.f1_score(truth, predicted, average="macro")),
    ],
)
def test_those_of_classes_are_scikit_learn_s(name, theirs):
    assert metrics.measure(name, TRUTH, PREDICTED, classes=True) == pytest.approx(theirs(TRUTH, PREDICTED))


def test_those_of_classes_by_hand():
    assert metrics.accuracy(TRUTH, PREDICTED) == 4 / 8
    assert metrics.balanced_accuracy(TRUTH, PREDICTED) == pytest.approx((3 / 4 + 1 / 2 + 0) / 3)
    assert metrics.f1(TRUTH, PREDICTED) == pytest.approx((6 / 8 + 2 / 5 + 0) / 3)


@pytest.mark.parametrize("shape", [(20,), (20, 3)])
@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("mean-absolute-error", sklearn.metrics.mean_absolute_error),
        ("root-mean-squared-error", lambda truth, found: np.sqrt(sklearn.metrics.mean_squared_error(truth, found))),
        ("r2", sklearn.metrics.r2_score),
    ],
)
def test_those_of_numbers_are_scikit_learn_s(name, theirs, shape):
    random = np.random.default_rng(0)
    truth, predicted = random.normal(size=shape), random.normal(size=shape)
    assert metrics.measure(name, truth, predicted, classes=False) == pytest.approx(theirs(truth, predicted))


def test_a_metric_that_does_not_fit_is_refused():
    with pytest.raises(SettingError, match="the metric r2 is of numbers, and this network predicts classes"):
        metrics.measure("r2", TRUTH, PREDICTED, classes=True)
    with pytest.raises(SettingError, match="the metric f1 is of classes, and this network predicts numbers"):
        metrics.measure("f1", np.ones(3), np.ones(3), classes=False)
    with pytest.raises(SettingError, match="unknown metric 'balance': did you mean 'balanced-accuracy'"):
        metrics.measure("balance", TRUTH, PREDICTED, classes=True)


def test_one_of_another_package_gets_true_and_predicted_values():
    value = metrics.measure("sklearn.metrics:matthews_corrcoef", TRUTH, PREDICTED, classes=True)
    assert value == pytest.approx(sklearn.metrics.matthews_corrcoef(TRUTH, PREDICTED))
    with pytest.raises(ObjectiveError, match="the objective raised ValueError: "):
        metrics.measure("sklearn.metrics:mean_poisson_deviance", TRUTH, PREDICTED, classes=True)


@pytest.mark.parametrize(("numbers", "names"), [(False, ["accuracy", "f1"]), (True, ["r2", "mean-absolute-error"])])
def test_a_model_reports_them_on_its_own_labels(numbers, names):
    y = np.arange(30) % 3 if numbers else np.array(["x", "y", "z"])[np.arange(30) % 3]
    dataset = datasets.from_arrays(np.eye(30, dtype=np.float32)[:, :5], y, numbers=numbers)
    config = NetworkConfig(layers=(2,), loss="mean-squared-error" if numbers else "cross-entropy")
    model = Model(config, dataset.schema, np.linspace(-1, 1, 5 * 2 + 2 + (2 + 1) * dataset.schema.outputs, dtype="f"))
    scores = model.scores(Examples(dataset.train.features, dataset.train.targets), names)
    assert list(scores.metrics) == names
    assert list(scores.document()) == list(dict.fromkeys(["loss", "accuracy", "examples", *names]))
    if not numbers:
        assert scores.metrics["accuracy"] == pytest.approx(scores.accuracy)
    else:
        assert scores.metrics["r2"] == pytest.approx(1 - scores.loss / np.var(y))
