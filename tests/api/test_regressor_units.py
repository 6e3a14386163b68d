"""What SearchRegressor learns of standardised targets is told, kept and exported in the units of y."""

import runpy
from functools import partial

import numpy as np
import pytest

import distsearch
from distsearch import SearchRegressor
from distsearch.errors import SettingError
from distsearch.randomness import Stream, noise

X = noise(7, Stream.DATA, 0, 0, 200, 3)
Y = 5000 + 1000 * X[:, 0] - 500 * np.abs(X[:, 1])
QUICK = {"layers": (16,), "rate": 0.03, "rounds": 150, "random_state": 0}


@pytest.fixture(scope="module")
def fitted():
    return SearchRegressor(metrics=["mean-absolute-error"], **QUICK).fit(X, Y)


def test_losses_and_metrics_are_those_of_the_predictions(fitted):
    errors = fitted.predict(X) - Y
    assert fitted.best_loss_ == pytest.approx(np.square(errors).mean(), rel=1e-3)
    assert fitted.result_.summary.metrics["mean-absolute-error"] == pytest.approx(np.abs(errors).mean(), rel=1e-3)
    assert fitted.result_.evaluate(X, Y, "r2").metrics["r2"] == pytest.approx(fitted.score(X, Y), rel=1e-3)


def test_the_result_predicts_what_the_estimator_does_also_when_it_is_saved_or_exported(fitted, tmp_path):
    predicted = fitted.predict(X)
    assert fitted.result_.predict(X) == pytest.approx(predicted, rel=1e-5)
    fitted.result_.save(tmp_path / "model")
    assert distsearch.load(tmp_path / "model").predict(X) == pytest.approx(predicted, rel=1e-5)
    fitted.result_.export(tmp_path / "model.py")
    exported = runpy.run_path(str(tmp_path / "model.py"))["predict"](X)
    assert np.ravel(exported) == pytest.approx(predicted, rel=1e-5)


def test_a_constraint_is_on_errors_in_the_units_of_y():
    held = SearchRegressor(subject_to="mean-absolute-error<=300", **QUICK).fit(X, Y)
    (constraint,) = held.result_.summary.constraints
    error = np.abs(held.predict(X) - Y).mean()
    assert constraint.values["mean-absolute-error"] == pytest.approx(error, rel=1e-3)
    assert constraint.holds is bool(error <= 300)


@pytest.mark.parametrize("scale", [True, False])
def test_counts_are_predicted_by_the_poisson_loss(scale):
    counts = np.rint(np.exp(1 + X[:, 0]))
    fitted = SearchRegressor(loss="poisson", scale=scale, early_stopping=True, **QUICK).fit(X, counts)
    assert (fitted.predict(X) > 0).all()
    assert fitted.score(X, counts) > 0.8
    assert fitted.best_validation_score_ > 0.6


def test_a_function_without_numbers_is_told_how_to_get_them():
    with pytest.raises(ValueError, match="^loss: expected a loss of numbers.*; set numbers = True on your function$"):
        SearchRegressor(loss=lambda outputs, targets: np.abs(outputs - targets)[:, 0]).fit(X, Y)


def test_what_is_no_count_is_refused_by_the_poisson_loss_at_every_door():
    sentence = (
        '^loss: poisson is for numbers from 0 on, such as counts, but there is a target of -1: choose loss="mean-'
    )
    counts = np.where(np.arange(200) == 7, -1.0, 2.5)
    for search in (SearchRegressor(loss="poisson").fit, partial(distsearch.search, loss="poisson", workers=0)):
        with pytest.raises(SettingError, match=sentence):
            search(X, counts)
