"""The estimators by themselves: scikit-learn's own checks, and what a fitted one has and does."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks
from waiting import PATIENCE

import distsearch
from distsearch import SearchClassifier, SearchRegressor
from distsearch.errors import SettingError
from distsearch.randomness import Stream, noise

SHORT = {"layers": (8,), "rounds": 20, "rate": 0.03, "random_state": 0}


@parametrize_with_checks([SearchClassifier(rounds=30), SearchRegressor(rounds=60)])
def test_they_pass_scikit_learn_s_own_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def wine():
    return load_wine(return_X_y=True)


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return X[:150], y[:150]


def test_a_raw_table_of_features_of_any_size_is_learnt(wine):
    X, y = wine
    for scale in (1, 1e6):
        fitted = SearchClassifier(random_state=0).fit(scale * X[::2], y[::2])
        assert fitted.score(scale * X[1::2], y[1::2]) > 0.94
    assert SearchClassifier(random_state=0, scale=False, rounds=50).fit(X[::2], y[::2]).score(X[1::2], y[1::2]) < 0.9


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["no", "yes", "x"]),
        np.array([False, True, True]),
        np.array([3, -1, 7], np.int8),
        np.array(["01", "1", "1.0"], object),
        np.array([10**15, 1, 2]),
        np.array([0.0, 1.0, 5.0]),
    ],
)
def test_labels_come_back_unchanged(wine, labels):
    X, y = wine
    fitted = SearchClassifier(**SHORT).fit(X, labels[y])
    predicted = fitted.predict(X)
    assert predicted.dtype == labels.dtype
    assert (predicted == labels[y]).mean() > 0.9
    assert fitted.classes_.tolist() == np.unique(labels).tolist()
    assert fitted.result_.predict(X).tolist() == predicted.tolist()


@pytest.mark.parametrize(("kind", "plain"), [("Int64", np.int64), ("UInt8", np.uint8), ("boolean", np.bool_)])
def test_labels_of_pandas_own_types_stay_integers_and_booleans(wine, kind, plain):
    X, y = wine
    fitted = SearchClassifier(rounds=2, random_state=0).fit(X, pd.Series((y > 0).astype(int), dtype=kind))
    assert fitted.classes_.dtype == fitted.predict(X).dtype == plain
    with pytest.raises(ValueError, match="NaN"):
        SearchClassifier().fit(X, pd.Series([None, *(y[1:] > 0)], dtype="boolean"))


def test_probabilities_follow_the_order_of_the_classes(wine):
    X, y = wine
    fitted = SearchClassifier(**SHORT).fit(X, 2 - y)
    probabilities = fitted.predict_proba(X)
    assert probabilities.dtype == np.float64
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(len(X)), abs=1e-12)
    assert (fitted.classes_[probabilities.argmax(axis=1)] == fitted.predict(X)).all()
    assert np.log(probabilities) == pytest.approx(fitted.predict_log_proba(X))
    assert probabilities == pytest.approx(fitted.result_.predict_proba(X), abs=1e-5)


def test_there_are_no_probabilities_without_cross_entropy(wine):
    fitted = SearchClassifier(loss="classification-error", **SHORT).fit(*wine)
    assert not hasattr(fitted, "predict_proba")
    assert fitted.score(*wine) > 0.6


def test_a_prediction_does_not_depend_on_the_other_rows(wine):
    X, y = wine
    fitted = SearchClassifier(**SHORT).fit(X, y)
    whole = fitted.predict_proba(np.concatenate([X, X]))
    alone = np.concatenate([fitted.predict_proba(row[np.newaxis]) for row in X[:20]])
    assert alone.tobytes() == whole[:20].tobytes() == whole[len(X) : len(X) + 20].tobytes()


def test_a_fitted_estimator_reports_its_search(wine):
    X, y = wine
    heard = []
    fitted = SearchClassifier(callbacks=[heard.append], **SHORT).fit(pd.DataFrame(X).add_prefix("c"), y)
    assert fitted.n_iter_ == len(fitted.loss_curve_) == len(heard) == 20
    assert fitted.loss_curve_[-1] < fitted.loss_curve_[0] / 2
    assert fitted.best_loss_ == fitted.result_.loss == fitted.result_.evaluate(pd.DataFrame(X).add_prefix("c"), y).loss
    assert fitted.feature_names_in_.tolist() == [f"c{number}" for number in range(13)]
    assert fitted.n_features_in_ == 13
    assert fitted.validation_scores_ is None
    assert "SearchClassifier" in fitted._repr_html_()


def test_the_saved_result_keeps_the_user_s_labels_and_names(wine, tmp_path):
    X, y = wine
    frame = pd.DataFrame(X).add_prefix("c")
    fitted = SearchClassifier(**SHORT).fit(frame, np.array(["a", "b", "c"])[y])
    fitted.result_.save(tmp_path / "saved")
    loaded = distsearch.load(tmp_path / "saved")
    assert loaded.predict(frame[frame.columns[::-1]]).tolist() == fitted.predict(frame).tolist()


def test_the_same_random_state_gives_the_same_bits(wine):
    def bits(random_state):
        return SearchClassifier(**{**SHORT, "random_state": random_state}).fit(*wine).predict_proba(wine[0]).tobytes()

    assert bits(3) == bits(3) == bits(np.random.RandomState(3))
    assert len({bits(3), bits(4), bits(None), bits(None)}) == 4


def test_a_repeated_row_equals_a_weighted_one_in_any_order(wine):
    X, y = wine
    weights = np.arange(len(X)) % 3
    order = np.argsort(noise(3, Stream.DATA, 0, 0, len(X), 1)[:, 0])
    repeated = SearchClassifier(**SHORT).fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    weighted = SearchClassifier(**SHORT).fit(X[order], y[order], sample_weight=5.0 * weights[order])
    assert weighted.result_.weights.tobytes() == repeated.result_.weights.tobytes()
    targets = np.stack([y + 0.5, X[:, 0]], axis=1)
    repeated = SearchRegressor(**SHORT).fit(np.repeat(X, weights, axis=0), np.repeat(targets, weights, axis=0))
    weighted = SearchRegressor(**SHORT).fit(X[order], targets[order], sample_weight=weights[order])
    assert weighted.predict(X).tobytes() == repeated.predict(X).tobytes()


def test_rare_classes_are_found_when_balanced():
    y = np.where(np.arange(200) < 180, "often", "seldom")
    X = noise(5, Stream.DATA, 0, 0, 200, 2) + 1.2 * (y == "seldom")[:, np.newaxis]

    def recall(**given):
        return (SearchClassifier(**SHORT, **given).fit(X, y).predict(X)[y == "seldom"] == "seldom").mean()

    assert recall() < 0.6 < 0.75 < recall(class_weight="balanced")
    assert SearchClassifier(class_weight="balanced", **SHORT).fit(X, y, sample_weight=y == "often").score(X, y) == 0.9
    assert recall(class_weight={"seldom": 9}) == recall(class_weight="balanced")


def test_one_or_several_targets_are_predicted_in_their_own_units(diabetes):
    X, y = diabetes
    one = SearchRegressor(random_state=0, rounds=60).fit(X, y)
    assert one.predict(X).shape == (150,)
    assert one.score(X, y) > 0.5
    for factor, offset in ((1e5, 0), (1e-5, 0), (1, 1e6), (1e30, 0)):
        other = SearchRegressor(random_state=0, rounds=60).fit(X, factor * y + offset)
        assert other.score(X, factor * y + offset) == pytest.approx(one.score(X, y), abs=0.02)
    both = SearchRegressor(random_state=0, rounds=60).fit(X, np.stack([y, -1000 * y], axis=1))
    assert both.predict(X).shape == (150, 2)
    assert both.score(X, np.stack([y, -1000 * y], axis=1)) > 0.5
    assert SearchRegressor(random_state=0).fit(X, np.full(150, 7.0)).predict(X) == pytest.approx(
        np.full(150, 7), abs=0.3
    )


def test_sample_weights_affect_a_regression():
    X = np.array([[0.0], [0.0], [1.0], [1.0]])
    y = np.array([0.0, 1.0, 5.0, 7.0])
    fitted = SearchRegressor(random_state=0, rounds=300, decay=0.0).fit(X, y, sample_weight=[1, 3, 3, 1])
    assert fitted.predict([[0], [1]]) == pytest.approx([0.75, 5.5], abs=0.1)


def test_partial_fits_continue_with_classes_seen_later(wine):
    X, y = wine
    fitted = SearchClassifier(layers=(16,), rate=0.05, random_state=0)
    for _ in range(20):
        for label in range(3):
            fitted.partial_fit(X[y == label][::2], y[y == label][::2], classes=[0, 1, 2])
    assert fitted.n_iter_ == 60
    assert fitted.score(X[1::2], y[1::2]) > 0.8
    assert fitted.partial_fit(X[:1], y[:1]).n_iter_ == 61
    with pytest.raises(ValueError, match="classes: expected all labels that will occur, at least 2"):
        SearchClassifier().partial_fit(X[y == 0], y[y == 0])
    with pytest.raises(ValueError, match="y: expected labels among classes, got 3"):
        fitted.partial_fit(X, y + 1)
    with pytest.raises(ValueError, match="classes: expected those of the first call"):
        fitted.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match='class_weight: expected {label: weight} with partial_fit, got "balanced"'):
        SearchClassifier(class_weight="balanced").partial_fit(X, y)


def test_partial_fits_of_a_regression(diabetes):
    X, y = diabetes
    fitted = SearchRegressor(layers=(16,), rate=0.05, random_state=0)
    for _ in range(20):
        fitted.partial_fit(X, y)
    assert fitted.n_iter_ == 20
    assert fitted.score(X, y) > 0.4
    with pytest.raises(
        ValueError, match=r"^y: expected one number for each example, as in the last fit, got the shape \(\d+, 2\)$"
    ):
        fitted.partial_fit(X, np.stack([y, y], axis=1))


def test_a_warm_start_begins_where_the_last_fit_ended(wine):
    X, y = wine
    fitted = SearchClassifier(warm_start=True, **SHORT).fit(X, y)
    first = fitted.best_loss_
    fitted.fit(X, y)
    assert fitted.n_iter_ == len(fitted.loss_curve_) == 40
    assert fitted.loss_curve_[20] == pytest.approx(first, rel=1e-3)
    assert fitted.best_loss_ < first
    partly = fitted.partial_fit(X, y)
    assert partly.n_iter_ == 41
    with pytest.raises(ValueError, match="layers: expected the network of the last fit, which has 139 weights"):
        fitted.set_params(layers=(9,)).fit(X, y)
    with pytest.raises(ValueError, match="y: expected the labels of the last fit"):
        fitted.set_params(layers=(8,)).fit(X, y + 1)
    anew = clone(fitted).set_params(warm_start=False).fit(X, y).fit(X, y)
    assert anew.n_iter_ == 20


def test_early_stopping_keeps_the_weights_that_were_best_on_the_validation_part(wine):
    X, y = wine
    noisy = np.where(np.arange(len(y)) % 4 == 0, (y + 1) % 3, y)
    settings = {**SHORT, "rounds": 400, "layers": (64,), "decay": 0.0, "n_iter_no_change": 15}
    fitted = SearchClassifier(early_stopping=True, validation_fraction=0.3, **settings).fit(X, noisy)
    scores = fitted.validation_scores_
    assert fitted.n_iter_ == len(scores) < 400
    assert fitted.best_validation_score_ == max(scores)
    assert max(scores[-15:]) <= max(scores[:-15]) + 1e-4
    assert fitted.best_loss_ == pytest.approx(fitted.loss_curve_[int(np.argmax(scores))], rel=0.5)
    regression = SearchRegressor(early_stopping=True, **{**settings, "n_iter_no_change": 5}).fit(X, y + X[:, 0])
    assert regression.n_iter_ < 400
    assert regression.score(X, y + X[:, 0]) > 0.8


@pytest.mark.parametrize("strategy", ["hill-climb", "evolution-strategy", "auto"])
def test_every_strategy_fits(wine, strategy):
    fitted = SearchClassifier(layers=(8,), strategy=strategy, rounds=150, random_state=0).fit(*wine)
    assert fitted.score(*wine) > 0.9


def test_networks_without_gradients_fit(wine):
    fitted = SearchClassifier(layers=(32,), activation="step", settings={"precision": "int8"}, random_state=0)
    assert fitted.fit(*wine).score(*wine) > 0.95


def test_a_time_limit_ends_a_fit(wine):
    fitted = SearchClassifier(layers=(8,), seconds=0.05, random_state=0).fit(*wine)
    assert fitted.result_.summary.reason == "seconds"
    assert fitted.best_loss_ < 1.2


def test_a_fitted_estimator_is_pickled_and_cloned(wine):
    X, y = wine
    fitted = SearchClassifier(**SHORT).fit(X, y)
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301
    assert again.predict_proba(X).tobytes() == fitted.predict_proba(X).tobytes()
    assert repr(again.result_) == repr(fitted.result_)
    with pytest.raises(NotFittedError):
        clone(fitted).predict(X)


@pytest.mark.parametrize(
    ("estimator", "given", "sentence"),
    [
        (SearchClassifier, {"layers": 0}, "layers: "),
        (SearchClassifier, {"activation": "rlu"}, "did you mean 'relu'"),
        (SearchClassifier, {"strategy": "adam"}, "unknown strategy 'adam'"),
        (SearchClassifier, {"loss": "mean-squared-error"}, "loss: expected a loss of classes.*SearchRegressor fits"),
        (SearchRegressor, {"loss": "cross-entropy"}, "loss: expected a loss of numbers.*SearchClassifier fits"),
        (SearchClassifier, {"batch": "many"}, "batch: expected a whole number, or None"),
        (SearchClassifier, {"rounds": -1}, "rounds: "),
        (SearchClassifier, {"settings": {"layers": 3}}, r"layers is a parameter of its own: give SearchClassifier\("),
        (SearchClassifier, {"settings": {"test_share": 0.1}}, "settings: test_share has no effect here"),
        (SearchClassifier, {"settings": {"validation_share": 0.1}}, "settings: validation_share has no effect here"),
        (SearchClassifier, {"settings": {"missing": "drop"}}, "settings: missing has no effect here"),
        (
            SearchClassifier,
            {"early_stopping": True, "validation_fraction": 0.001},
            "validation_fraction: expected a share of the 178 examples that leaves some on either side, with every",
        ),
        (SearchClassifier, {"settings": [1]}, "settings: expected a dictionary"),
        (SearchClassifier, {"settings": {"precison": "int8"}}, "unknown setting 'precison'"),
        (SearchClassifier, {"class_weight": {9: 1}}, r"class_weight: expected labels of y, \[0, 1, 2\], got 9"),
        (SearchClassifier, {"class_weight": {0: -1}}, "expected a weight above 0 for the label"),
        (SearchClassifier, {"class_weight": {0: None}}, "expected a weight above 0 for the label 0, got None"),
        (SearchClassifier, {"early_stopping": True, "validation_fraction": 2}, "validation_fraction: expected a share"),
        (SearchClassifier, {"early_stopping": True, "n_iter_no_change": 0}, "n_iter_no_change: expected a whole"),
        (SearchClassifier, {"early_stopping": True, "tol": "much"}, "tol: expected a number of at least 0"),
        (SearchClassifier, {"workers": -1}, "^workers: expected a whole number"),
        (SearchClassifier, {"class_weight": "even"}, 'class_weight: expected "balanced" or a dictionary'),
        (
            SearchClassifier,
            {"strategy": "hill-climb", "rate": 0.1},
            "^rate: a setting of evolution-strategy, node-perturbation, not of hill-climb",
        ),
    ],
)
def test_invalid_parameters_raise_a_value_error_in_one_sentence(wine, estimator, given, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        estimator(**given).fit(*wine)
    assert isinstance(caught.value, SettingError)
    assert "--" not in str(caught.value)


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        (np.full(178, -1), "expected a weight of at least 0 in sample_weight, got -1"),
        ([1.0, 2.0], "expected one weight per example in sample_weight, so 178"),
        (["a"] * 178, "expected numbers in sample_weight"),
    ],
)
def test_impossible_sample_weights_are_refused(wine, weights, sentence):
    for estimator in (SearchClassifier(**SHORT), SearchRegressor(**SHORT), SearchClassifier(early_stopping=True)):
        with pytest.raises(ValueError, match=sentence):
            estimator.fit(*wine, sample_weight=weights)


def test_without_scikit_learn_a_sentence_says_what_to_install():
    program = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import distsearch\n"
        "from distsearch import *\n"
        "try: distsearch.SearchClassifier\n"
        "except distsearch.errors.SettingError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE)
    expected = 'SearchClassifier needs scikit-learn, which is not installed; type pip install "distsearch[sklearn]"\n'
    assert done.stdout == expected


def test_importing_the_package_does_not_import_scikit_learn():
    program = "import sys, distsearch; print('sklearn' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == "False False\n"
