"""The estimators inside scikit-learn's own tools."""

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris, load_wine
from sklearn.ensemble import VotingClassifier
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from distsearch import SearchClassifier, SearchRegressor

SHORT = {"layers": (8,), "rounds": 40, "rate": 0.03, "random_state": 0}


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


def test_in_a_pipeline_over_columns_of_text_and_numbers(iris):
    X, y = iris
    frame = pd.DataFrame(X, columns=list("abcd")).assign(kind=np.array(["low", "high"])[(X[:, 3] > 1).astype(int)])
    columns = ColumnTransformer([("kind", OneHotEncoder(), ["kind"])], remainder=StandardScaler())
    fitted = make_pipeline(columns, SearchClassifier(**SHORT)).fit(frame, y)
    assert fitted.score(frame, y) > 0.93
    assert fitted[:-1].set_output(transform="default").transform(frame[:1]).shape == (1, 6)


def test_what_is_decided_has_a_score_whatever_the_loss(iris):
    X, y = iris
    for loss in ("f1", "cross-entropy"):
        fitted = SearchClassifier(loss=loss, **SHORT).fit(X, y)
        assert fitted.decision_function(X).shape == (150, 3)
        assert (fitted.decision_function(X).argmax(axis=1) == fitted.predict(X)).all()
        two = SearchClassifier(loss=loss, **SHORT).fit(X, y < 2)
        assert ((two.decision_function(X) > 0) == two.predict(X)).all()
        assert get_scorer("roc_auc")(two, X, y < 2) > 0.95


@pytest.mark.parametrize(("loss", "has"), [("Log_Loss", True), ("auto", True), ("f1", False), ("nonsense", False)])
def test_there_are_probabilities_by_whatever_name_their_loss_is_given(iris, loss, has):
    assert hasattr(SearchClassifier(loss=loss), "predict_proba") is has
    if has:
        fitted, plain = (SearchClassifier(loss=name, **SHORT).fit(*iris) for name in (loss, "cross-entropy"))
        assert fitted.predict_proba(iris[0]).tobytes() == plain.predict_proba(iris[0]).tobytes()


def test_a_grid_search_runs_in_two_processes(iris):
    grid = GridSearchCV(SearchClassifier(**SHORT), {"layers": [(4,), (8,)], "rate": [1e-6, 0.05]}, cv=3, n_jobs=2)
    grid.fit(*iris)
    assert grid.best_params_["rate"] == 0.05
    assert grid.best_score_ > 0.9
    alone = SearchClassifier(**{**SHORT, **grid.best_params_}).fit(*iris)
    assert alone.predict_proba(iris[0]).tobytes() == grid.best_estimator_.predict_proba(iris[0]).tobytes()


def test_cross_validation_threads_calibration_and_voting_work(iris):
    X, y = iris
    search = SearchClassifier(**SHORT)
    scores = cross_val_score(search, X, y, cv=3)
    assert scores.mean() > 0.9
    calibrated = CalibratedClassifierCV(search, cv=3).fit(X, y)
    assert calibrated.score(X, y) > 0.9
    votes = VotingClassifier([("search", search), ("bayes", GaussianNB())], voting="soft").fit(X, y)
    assert votes.score(X, y) > 0.9
    with joblib.parallel_backend("threading", n_jobs=2):
        assert cross_val_score(search, X, y, cv=3).tolist() == scores.tolist()


def test_sample_weights_are_routed(iris):
    X, y = iris
    weights = np.where(y == 2, 0.0, 1.0)  # all that is left of the third class has no weight
    keep = y < 2
    with sklearn.config_context(enable_metadata_routing=True):
        search = SearchRegressor(**SHORT).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        routed = cross_validate(search, X, y * 1.0, cv=3, params={"sample_weight": weights + 1e-9})
        assert len(routed["test_score"]) == 3
        pipeline = make_pipeline(MinMaxScaler(), SearchClassifier(**SHORT).set_fit_request(sample_weight=True))
        fitted = pipeline.fit(X[keep], y[keep], sample_weight=weights[keep] * (1 + y[keep]))
    assert fitted.score(X[keep], y[keep]) > 0.95


@pytest.mark.slow
def test_workers_find_the_same_weights_and_joblib_s_ray_fits(ray_with_three_cpus):
    from ray.util.joblib import register_ray

    X, y = load_wine(return_X_y=True)
    alone = SearchClassifier(**SHORT).fit(X, y)
    shared = SearchClassifier(workers=1, **SHORT).fit(X, y)
    assert shared.result_.weights.tobytes() == alone.result_.weights.tobytes()
    register_ray()
    with joblib.parallel_backend("ray", n_jobs=2):
        scores = cross_val_score(SearchClassifier(**SHORT), X, y, cv=2)
    assert scores.tolist() == cross_val_score(SearchClassifier(**SHORT), X, y, cv=2).tolist()
