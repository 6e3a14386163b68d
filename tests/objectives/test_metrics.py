"""Metrics agree with scikit-learn's and with values worked out by hand."""

import numpy as np
import pytest
import sklearn.metrics

from distsearch.config.sections import NetworkConfig
from distsearch.data import datasets
from distsearch.data.datasets import Examples
from distsearch.errors import ObjectiveError, SettingError
from distsearch.objectives import metrics
from distsearch.objectives.metrics import Outcome
from distsearch.objectives.model import Model
from distsearch.randomness import Stream, noise

TRUTH = np.array(["a", "a", "a", "a", "b", "b", "c", "c"])
PREDICTED = np.array(["a", "a", "a", "b", "b", "c", "a", "b"])


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("accuracy", sklearn.metrics.accuracy_score),
        ("balanced-accuracy", sklearn.metrics.balanced_accuracy_score),
        ("f1-macro", lambda truth, predicted: sklearn.metrics.f1_score(truth, predicted, average="macro")),
    ],
)
def test_classification_metrics_match_scikit_learn(name, theirs):
    assert metrics.measure(name, TRUTH, PREDICTED) == pytest.approx(theirs(TRUTH, PREDICTED))


def test_classification_metrics_match_values_by_hand():
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
def test_regression_metrics_match_scikit_learn(name, theirs, shape):
    random = np.random.default_rng(0)
    truth, predicted = random.normal(size=shape), random.normal(size=shape)
    assert metrics.measure(name, truth, predicted) == pytest.approx(theirs(truth, predicted))


def test_r2_is_no_number_where_all_true_values_are_the_same():
    for truth, predicted in ((1, 1.5), (1, 1), (0.1, 0.5)):
        assert np.isnan(metrics.measure("r2", np.full(3, truth), np.full(3, predicted)))


def test_a_metric_that_does_not_fit_is_refused():
    with pytest.raises(SettingError, match="the metric r2 is for numbers, but this network predicts classes"):
        metrics.check(["r2"], classes=True)
    with pytest.raises(SettingError, match="the metric f1 is for classes, but this network predicts numbers"):
        metrics.check(["f1"], classes=False)
    with pytest.raises(SettingError, match="unknown metric 'balance': did you mean 'balanced-accuracy'"):
        metrics.check(["balance"], classes=True)


def test_a_metric_of_another_package_gets_true_and_predicted_values():
    value = metrics.measure("sklearn.metrics:matthews_corrcoef", TRUTH, PREDICTED)
    assert value == pytest.approx(sklearn.metrics.matthews_corrcoef(TRUTH, PREDICTED))
    with pytest.raises(ObjectiveError, match="the metric .* raised ValueError: "):
        metrics.measure("sklearn.metrics:mean_poisson_deviance", TRUTH, PREDICTED)


@pytest.mark.parametrize(("given", "came"), [("high", "'high'"), (None, "None: .*"), (np.ones(2), "an array of .*")])
def test_a_metric_that_gives_no_number_is_refused(given, came):
    with pytest.raises(ObjectiveError, match=f"^expected a number from the metric mine, got {came}$"):
        metrics.measure("mine", TRUTH, PREDICTED, lambda truth, predicted: given)


@pytest.mark.parametrize(("numbers", "names"), [(False, ["accuracy", "f1"]), (True, ["r2", "mean-absolute-error"])])
def test_a_model_computes_metrics_on_its_own_labels(numbers, names):
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


def outcome(classes, positive=1):
    truth = np.minimum(np.arange(90) % 7, classes - 1)
    outputs = noise(0, Stream.DATA, classes, 0, 90, classes)
    outputs[np.arange(90), truth] += 1
    return Outcome.of_classes(truth, outputs, np.arange(classes), positive)


@pytest.mark.parametrize("positive", [0, 1])
def test_metrics_of_the_positive_class_match_scikit_learn(positive):
    made = outcome(2, positive)
    names = ["f1", "precision", "recall", "auc", "average-precision", "matthews-correlation"]
    scores = made.outputs[:, positive] - made.outputs[:, 1 - positive]
    own, found = made.truth == positive, made.predicted == positive
    theirs = sklearn.metrics
    expected = [
        theirs.f1_score(own, found),
        theirs.precision_score(own, found),
        theirs.recall_score(own, found),
        theirs.roc_auc_score(own, scores),
        theirs.average_precision_score(own, scores),
        theirs.matthews_corrcoef(own, found),
    ]
    assert list(metrics.measured(names, made).values()) == pytest.approx(expected)


def test_metrics_of_several_classes_are_averaged_as_in_scikit_learn():
    made = outcome(4)
    shares = np.exp(made.outputs) / np.exp(made.outputs).sum(axis=1, keepdims=True)
    theirs = sklearn.metrics
    expected = {
        "f1": theirs.f1_score(made.truth, made.predicted, average="macro"),
        "precision": theirs.precision_score(made.truth, made.predicted, average="macro"),
        "recall": theirs.recall_score(made.truth, made.predicted, average="macro"),
        "auc": theirs.roc_auc_score(made.truth, shares / shares.sum(axis=1, keepdims=True), multi_class="ovr"),
        "matthews-correlation": theirs.matthews_corrcoef(made.truth, made.predicted),
    }
    assert metrics.measured(expected, made) == pytest.approx(expected)


def test_classes_that_are_not_there_count_in_no_mean():
    made = outcome(4)
    kept = np.flatnonzero(made.truth < 2)
    some = made._replace(truth=made.truth[kept], outputs=made.outputs[kept], predicted=made.truth[kept])
    shares = np.exp(some.outputs) / np.exp(some.outputs).sum(axis=1, keepdims=True)
    areas = [sklearn.metrics.roc_auc_score(some.truth == label, shares[:, label]) for label in (0, 1)]
    expected = {"f1-macro": 1, "precision": 1, "recall": 1, "auc": np.mean(areas)}
    assert metrics.measured(expected, some) == pytest.approx(expected)
    assert metrics.meaningless(expected, some) == []
    assert metrics.meaningless(expected, some._replace(truth=np.ones_like(some.truth))) == ["auc"]


def test_what_examples_without_a_positive_one_do_not_say_is_named():
    names = ["accuracy", "f1", "precision", "recall", "auc"]
    made = outcome(2)
    assert metrics.meaningless(names, made) == []
    none = made._replace(truth=np.zeros_like(made.truth), predicted=np.zeros_like(made.truth))
    assert metrics.meaningless(names, none) == ["f1", "precision", "recall", "auc"]
    assert metrics.meaningless(names, none._replace(predicted=made.truth)) == ["recall", "auc"]
    assert metrics.meaningless(names, none._replace(truth=np.ones_like(made.truth))) == ["auc"]


def test_confidence_equal_to_accuracy_is_perfect_calibration():
    truth = np.array([0] * 8 + [1] * 2)
    sure = np.log(np.array([[0.8, 0.2]] * 10, np.float32))
    made = Outcome.of_classes(truth, sure, np.arange(2))
    assert metrics.measured(["calibration-error"], made)["calibration-error"] == pytest.approx(0, abs=1e-6)
    surer = made._replace(outputs=np.log(np.array([[0.99, 0.01]] * 10, np.float32)))
    assert metrics.measured(["calibration-error"], surer)["calibration-error"] == pytest.approx(0.19, abs=1e-6)


def test_the_share_of_targets_below_is_the_quantile():
    predicted = np.full((10, 1), 6.5, np.float32)
    made = Outcome(np.arange(10.0)[:, np.newaxis], predicted, predicted)
    found = metrics.measured(["share-below", "median-absolute-error"], made)
    assert found == {"share-below": 0.7, "median-absolute-error": 2.5}
