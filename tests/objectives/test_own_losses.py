"""The user's own losses: one number, or one per example, checked before the search starts."""

import numpy as np
import pytest

import distsearch
from distsearch.errors import ObjectiveError, SettingError
from distsearch.objectives.losses.own import OwnLoss
from distsearch.randomness import Stream, noise
from distsearch.runs.directory import StoredRun

X = noise(1, Stream.DATA, 0, 0, 80, 2)
Y = np.where(X[:, 0] > 0.3, "hot", "cold")
SETTINGS = {"layers": [4], "rounds": 25, "workers": 0}


def logistic(outputs, targets):
    """The cross-entropy of each example."""
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return -np.log(powers[np.arange(len(targets)), targets] / powers.sum(axis=1))


def logistic_of_many(outputs, targets):
    shifted = outputs - outputs.max(axis=2, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=2)) - shifted[:, np.arange(len(targets)), targets]


logistic_of_many.vectorized = True


def wrong(outputs, targets):
    """One number: the share of errors."""
    return np.mean(outputs.argmax(axis=1) != targets)


def absolute(outputs, targets):
    return np.abs(outputs[:, 0] - targets)


absolute.numbers = True


@pytest.mark.parametrize("loss", [logistic, logistic_of_many])
@pytest.mark.parametrize("strategy", ["node-perturbation", "evolution-strategy"])
def test_a_loss_per_example_works_like_a_built_in_one(loss, strategy):
    mine = distsearch.search(X, Y, loss=loss, strategy=strategy, **SETTINGS)
    ours = distsearch.search(X, Y, strategy=strategy, **SETTINGS)
    assert mine.loss == pytest.approx(ours.loss, rel=0.02)
    assert mine.loss < 0.6
    assert set(mine.predict(X)) <= {"hot", "cold"}


def test_a_single_number_works_with_weight_strategies_and_auto_chooses_one():
    result = distsearch.search(X, Y, loss=wrong, strategy="auto", **SETTINGS)
    assert result.loss == pytest.approx(1 - result.accuracy)
    assert result.accuracy > 0.9
    with pytest.raises(SettingError, match='one number for all: give one .* strategy="evolution-strategy"'):
        distsearch.search(X, Y, loss=wrong, strategy="node-perturbation", **SETTINGS)


def test_what_is_masked_is_no_loss():
    with pytest.raises(ObjectiveError, match="has a finite loss"):
        distsearch.search(X, Y, loss=lambda outputs, targets: np.ma.masked, **SETTINGS)
    half = distsearch.search(X, Y, loss=masked_half, strategy="hill-climb", **SETTINGS)
    assert 0 < half.summary.non_finite < half.summary.candidates
    assert half.loss == 1.0


def masked_half(outputs, targets):
    """One for each example; but where its first output is above the first example's second, zero behind a mask."""
    masked = outputs[:, 0] > outputs[0, 1]
    return np.ma.array(np.where(masked, 0.0, 1.0), mask=masked)


def test_a_function_that_asks_for_numbers_gets_numbers():
    result = distsearch.search(X, X[:, 1], loss=absolute, strategy="node-perturbation", **{**SETTINGS, "rounds": 200})
    assert result.loss == pytest.approx(np.abs(result.predict(X) - X[:, 1]).mean(), rel=1e-4)
    assert result.loss < 0.2
    with pytest.raises(SettingError, match="set numbers = True on your function"):
        distsearch.search(X, X[:, 1], loss=logistic, **SETTINGS)


def test_a_closure_is_saved_with_its_variables_and_a_loaded_result_predicts(tmp_path):
    times = 3.0
    result = distsearch.search(X, Y, loss=lambda outputs, targets: times * logistic(outputs, targets), **SETTINGS)
    plain = distsearch.search(X, Y, **SETTINGS)
    assert result.loss == pytest.approx(3 * plain.loss, rel=0.05)
    result.save(tmp_path / "model")
    from distsearch.objectives.losses import LOSSES

    LOSSES._given.clear()  # as in another process
    again = distsearch.load(tmp_path / "model")
    assert again.predict(X).tolist() == result.predict(X).tolist()
    with pytest.raises(
        SettingError, match="cannot load .*: only the program that made it has it; next time, give it a"
    ):
        again.evaluate(X, Y)


@pytest.mark.parametrize(
    ("loss", "error", "sentence"),
    [
        (
            lambda outputs, targets: outputs,
            SettingError,
            r"expected one number, or one for each .* got the shape \(6, 2\)",
        ),
        (lambda outputs, targets: "low", ObjectiveError, "expected numbers, got str"),
        (
            lambda outputs, targets: [[1.0], [2.0, 3.0]],
            ObjectiveError,
            r"expected numbers, got \[\[1.0\], \[2.0, 3.0\]\]",
        ),
        (lambda outputs, targets: outputs[targets], SettingError, r"got the shape \(6, 2\)"),
        (
            lambda outputs, targets: 1 / 0,
            ObjectiveError,
            "raised ZeroDivisionError: division by zero .*test_own_losses.py",
        ),
    ],
)
def test_an_invalid_loss_is_refused_before_the_start(tmp_path, loss, error, sentence):
    with pytest.raises(error, match=sentence) as caught:
        distsearch.search(X, Y, loss=loss, runs=tmp_path / "runs", **SETTINGS)
    assert not (tmp_path / "runs").exists()
    if "Zero" in sentence:
        assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_costs_are_given_as_a_matrix_or_by_class_names():
    costs = {"hot": {"hot": 0, "cold": 9}, "cold": {"hot": 1, "cold": 0}}
    found = [
        distsearch.search(X, Y, loss="expected-cost", costs=each, strategy="node-perturbation", **SETTINGS).loss
        for each in (costs, [[0, 1], [9, 0]], np.array([[0, 1], [9, 0]]))
    ]
    assert found[0] == found[1] == found[2]


def error_of_each(outputs, targets):
    return (outputs.argmax(axis=1) != targets).astype(float)


def far_off(outputs, targets):
    return np.abs(outputs[:, 0] - targets) > 0.5


far_off.numbers = True


def hinge(outputs, targets):
    """Many examples have a loss of 0, but not all."""
    return np.maximum(0.0, 1 - (outputs[:, 1] - outputs[:, 0]) * (2 * targets - 1))


@pytest.mark.parametrize(
    ("loss", "outputs", "flat"),
    [
        (error_of_each, 2, True),
        (error_of_each, 10, True),
        (far_off, 1, True),
        (hinge, 2, False),
        (logistic, 2, False),
        (absolute, 1, False),
        (wrong, 2, False),
    ],
)
def test_a_loss_of_each_example_is_found_to_be_flat_where_it_is(loss, outputs, flat):
    assert OwnLoss(loss, "mine").tried(outputs).found_flat is flat


def test_auto_moves_nodes_as_far_for_a_flat_loss_of_ones_own_as_for_ours_and_resume_keeps_it(tmp_path, caplog):
    caplog.set_level("INFO", logger="distsearch")
    settings = {**SETTINGS, "layers": [80], "strategy": "auto", "runs": tmp_path, "name": "a", "seed": 3}
    distsearch.search(X, Y, loss=error_of_each, **settings)
    assert "the loss is flat between steps: if it does not fall" in caplog.text
    stored = StoredRun(tmp_path / "a")
    assert (stored.config.strategy.name, stored.config.settings["sigma"]) == ("node-perturbation", 1.0)
    again = distsearch.search(X, Y, loss=error_of_each, **{**settings, "name": "b", "rounds": 50})
    resumed = distsearch.resume(tmp_path / "a", X, Y, rounds=25)
    assert resumed.weights.tobytes() == again.weights.tobytes()
    assert distsearch.verify(tmp_path / "b", X, Y).identical


def test_auto_takes_weight_noise_for_a_small_network_under_a_flat_loss_of_ones_own(tmp_path):
    for loss, chosen in ((error_of_each, "hill-climb"), (logistic, "node-perturbation")):
        distsearch.search(X, Y, loss=loss, **{**SETTINGS, "rounds": 2}, strategy="auto", runs=tmp_path, name=chosen)
        assert StoredRun(tmp_path / chosen).config.strategy.name == chosen


@pytest.mark.parametrize(("no", "yes"), [(0, 1), (np.int64(0), np.int8(1)), (False, True), (b"a", b"b"), (0.5, 1.0)])
def test_labels_in_settings_are_named_as_they_are(no, yes):
    labels = np.array([yes if x > 0.3 else no for x in X[:, 0]])
    costs = {no: {no: 0, yes: 1}, yes: {no: 5, yes: 0}}
    by_label = distsearch.search(X, labels, loss="expected-cost", costs=costs, **SETTINGS)
    in_order = distsearch.search(X, labels, loss="expected-cost", costs=[[0, 1], [5, 0]], **SETTINGS)
    assert by_label.weights.tobytes() == in_order.weights.tobytes()
    found = distsearch.search(X, labels, loss="f1", positive=no, **{**SETTINGS, "rounds": 1})
    recalls = [np.mean(found.predict(X)[labels == label] == label) for label in (no, yes)]
    assert found.evaluate(X, labels, "recall").metrics["recall"] == pytest.approx(recalls[0])
    assert recalls[0] != pytest.approx(recalls[1])
