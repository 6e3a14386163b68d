"""Estimators that are trained on a metric, on costs, on a quantile, or under constraints."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import f1_score
from sklearn.model_selection import cross_val_score

import distsearch
from distsearch import SearchClassifier, SearchRegressor
from distsearch.randomness import Stream, noise

ROWS = 300
X, HIDDEN = np.split(noise(2, Stream.DATA, 0, 0, ROWS, 4).astype(np.float64), [3], axis=1)
FRAUD = np.where(X[:, 0] + X[:, 1] + 0.5 * HIDDEN[:, 0] > 1.3, "fraud", "honest")
PRICES = 1000 + 300 * X[:, 0] + 100 * HIDDEN[:, 0]
QUICK = {"layers": [8], "random_state": 0, "rate": 0.1}


def costs(missed: float, alarm: float) -> dict:
    return {"fraud": {"fraud": 0, "honest": missed}, "honest": {"fraud": alarm, "honest": 0}}


def test_the_rarer_class_is_the_one_that_counts_whatever_the_labels_are():
    fitted = SearchClassifier(loss="f1", metrics=["f1", "recall"], rounds=100, **QUICK).fit(X, FRAUD)
    predicted = fitted.predict(X)
    f1 = f1_score(FRAUD, predicted, pos_label="fraud")
    assert f1 > 0.7
    assert fitted.result_.summary.metrics["f1"] == pytest.approx(f1)
    assert fitted.result_.evaluate(X, FRAUD, ["f1"]).metrics["f1"] == pytest.approx(f1)
    assert fitted.result_.model.config.positive == "fraud"


def test_rows_that_come_several_times_count_as_often_for_which_class_is_the_rarer_one():
    features = np.concatenate([np.repeat(X[:10], 90, axis=0), X[10:110]])
    labels = np.repeat(["many", "rare"], [900, 100])
    fitted = SearchClassifier(loss="f1", rounds=3, **QUICK).fit(features, labels)
    assert fitted.result_.model.config.positive == "rare"
    weights = np.where(labels == "rare", 10.0, 1.0)
    weighted = SearchClassifier(loss="f1", rounds=3, **QUICK).fit(features, labels, sample_weight=weights)
    assert weighted.result_.model.config.positive == "many"
    settings = {"loss": "f1", "layers": [3], "rounds": 1, "workers": 0, "class_weight": "balanced"}
    for given, rarer in ((None, "rare"), (weights, "many")):
        result = distsearch.search(features, labels, sample_weight=given, **settings)
        assert result.model.config.positive == rarer


def test_the_class_that_counts_is_that_of_the_first_fit_whatever_comes_later():
    later = np.where(FRAUD == "fraud", "honest", "fraud")
    pieces = SearchClassifier(loss="f1", **QUICK).partial_fit(X, FRAUD, classes=["fraud", "honest"])
    assert pieces.partial_fit(X, later).result_.model.config.positive == "fraud"
    warm = SearchClassifier(loss="f1", rounds=3, warm_start=True, **QUICK).fit(X, FRAUD)
    assert warm.fit(X, later).result_.model.config.positive == "fraud"
    assert warm.set_params(loss="cross-entropy").fit(X, later).result_.loss < 1
    asked = warm.set_params(loss="f1").set_params(settings={"positive": "honest"}).fit(X, later)
    assert asked.result_.model.config.positive == "honest"


def test_costs_are_of_the_labels_and_given_by_names_or_in_their_order():
    settings = {"loss": "expected-cost", "rounds": 60, **QUICK}
    careful = SearchClassifier(costs=costs(50, 1), **settings).fit(X, FRAUD)
    in_rows = SearchClassifier(costs=[[0, 50], [1, 0]], **settings).fit(X, FRAUD)
    bold = SearchClassifier(costs=costs(1, 50), **settings).fit(X, FRAUD)
    recall = [np.mean(each.predict(X)[FRAUD == "fraud"] == "fraud") for each in (careful, bold)]
    assert recall[0] > 0.95 > 0.8 > recall[1]
    assert in_rows.result_.weights.tobytes() == careful.result_.weights.tobytes()


def test_costs_are_less_memorised_than_labels_would_be():
    """150 rows with 20 features, one of which tells something: what predictions for others cost."""
    drawn = noise(1, Stream.DATA, 0, 0, 1100, 21).astype(np.float64)
    features, ill = drawn[:, :20], (drawn[:, 0] + 2 * drawn[:, 20] > 0.8).astype(int)
    matrix = np.array([[0, 1], [5, 0]])

    def cost(**settings):
        search = SearchClassifier((32,), loss="expected-cost", costs=matrix.tolist(), random_state=0, **settings)
        return matrix[ill[150:], search.fit(features[:150], ill[:150]).predict(features[150:])].mean()

    as_costs, as_labels = cost(), cost(rate=0.01, decay=0.5)
    assert as_costs < 0.85 * as_labels


def test_functions_are_losses_and_metrics():
    def missed(outputs, targets):
        return np.maximum(0, 1 + outputs[:, 1] - outputs[:, 0]) * np.where(targets == 0, 1, -1) + 2 * (targets == 1)

    def agreement(truth, predicted):
        return float(np.mean(truth == predicted))

    fitted = SearchClassifier(loss=missed, metrics=[agreement], rounds=20, **QUICK).fit(X, FRAUD)
    (value,) = fitted.result_.summary.metrics.values()
    assert value == pytest.approx(fitted.score(X, FRAUD))
    assert clone(fitted).get_params()["loss"] is missed


def test_constraints_hold_and_are_told():
    settings = {"rounds": 150, **QUICK}
    free = SearchClassifier(metrics="recall", **settings).fit(X, FRAUD)
    held = SearchClassifier(subject_to="recall>=0.95", **settings).fit(X, FRAUD)
    assert free.result_.summary.metrics["recall"] < 0.95
    assert np.mean(held.predict(X)[FRAUD == "fraud"] == "fraud") >= 0.95
    assert [each.holds for each in held.result_.summary.constraints] == [True]
    assert "recall>=0.95" in repr(held.result_)
    assert cross_val_score(SearchClassifier(subject_to="recall>=0.9", rounds=5, **QUICK), X, FRAUD, cv=2).min() > 0


def test_a_quantile_is_predicted_in_the_units_of_y():
    fitted = SearchRegressor(loss="pinball", quantile=0.8, metrics=["share-below"], rounds=150, **QUICK).fit(X, PRICES)
    assert np.mean(fitted.predict(X) >= PRICES) == pytest.approx(0.8, abs=0.08)
    held = SearchRegressor(subject_to=["share-below>=0.9"], rounds=150, **QUICK).fit(X, PRICES)
    assert np.mean(held.predict(X) >= PRICES) >= 0.9


@pytest.mark.parametrize(
    ("estimator", "sentence"),
    [
        (SearchClassifier(subject_to=["recal>=0.9"]), "^subject_to: unknown metric 'recal': did you mean 'recall'"),
        (SearchClassifier(subject_to=["gap(a)<=0.1"]), "needs a column that is not learnt from"),
        (SearchClassifier(subject_to=["recall>=0.9"], early_stopping=True), "^early_stopping: expected False"),
        (SearchClassifier(loss="expected-cost", costs="a,b"), "^costs: expected costs by true and predicted class"),
        (
            SearchClassifier(loss="expected-cost", costs={"fraud": 1}),
            "^costs: expected a row for each of the classes fraud",
        ),
        (SearchClassifier(costs=[[0, 1], [1, 0]]), "^costs: has no effect with the loss cross-entropy"),
        (SearchClassifier(settings={"metrics": "f1"}), "metrics is a parameter of its own"),
        (SearchClassifier(metrics=["r2"]), "the metric r2 is for numbers"),
    ],
)
def test_what_cannot_be_is_a_value_error(estimator, sentence):
    with pytest.raises(ValueError, match=sentence):
        estimator.fit(X, FRAUD)


def test_what_cannot_be_of_numbers_is_a_value_error():
    with pytest.raises(ValueError, match="needs to know the quantile"):
        SearchRegressor(loss="pinball").fit(X, PRICES)
    with pytest.raises(ValueError, match="subject_to: the metric recall is for classes"):
        SearchRegressor(subject_to="recall>=0.9").fit(X, PRICES)
