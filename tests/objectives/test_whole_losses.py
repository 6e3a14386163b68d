"""Losses of counts, ranks, costs and quantiles: by hand, against scikit-learn, and under node perturbation."""

import json

import numpy as np
import pytest
import sklearn.metrics
from msgspec import structs

from distsearch.config.sections import NetworkConfig
from distsearch.errors import SettingError
from distsearch.objectives import losses
from distsearch.objectives.losses import Terms
from distsearch.randomness import Stream, noise

EXAMPLES = 200
COUNTED = ["f1", "f1-macro", "f1-micro", "fbeta", "balanced-error"]
RANKED = ["auc", "average-precision"]


def data(classes=2, sharp=1.0):
    """A candidate's outputs, (1, classes, examples), one-hot targets, and labels; the last class is rare."""
    labels = np.minimum(np.arange(EXAMPLES) % 10, classes - 1)[::-1]
    targets = (np.arange(classes)[:, np.newaxis] == labels).astype(np.float32)
    outputs = noise(3, Stream.DATA, classes, 0, classes, EXAMPLES) + targets
    return np.float32(sharp) * outputs[np.newaxis], targets, labels


def value(loss, outputs, targets):
    return float(loss.joined([loss.part(outputs.copy(), targets)], targets)[0])


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", COUNTED)
def test_counts_of_a_confident_network_match_scikit_learn(name, classes):
    outputs, targets, labels = data(classes, sharp=1e4)
    predicted = outputs[0].argmax(axis=0)
    average = "binary" if classes == 2 else "macro"
    theirs = {
        "f1": lambda: sklearn.metrics.f1_score(labels, predicted, average=average),
        "f1-macro": lambda: sklearn.metrics.f1_score(labels, predicted, average="macro"),
        "f1-micro": lambda: sklearn.metrics.f1_score(labels, predicted, average="micro"),
        "fbeta": lambda: sklearn.metrics.fbeta_score(labels, predicted, beta=2, average=average),
        "balanced-error": lambda: sklearn.metrics.balanced_accuracy_score(labels, predicted),
    }
    loss = losses.LOSSES.find(name).of(Terms(classes))
    assert value(loss, outputs, targets) == pytest.approx(1 - theirs[name](), abs=1e-6)


@pytest.mark.parametrize("name", COUNTED)
def test_a_rare_example_that_is_far_off_still_costs_more_the_farther_it_is(name):
    outputs, targets, _ = data()
    each = losses.LOSSES.find(name).of(Terms(2)).surrogate(outputs.copy(), targets)
    rare = int(targets[1].argmax())
    costs = []
    for gap in (0, 10, 20):
        moved = outputs.copy()
        moved[0, :, rare] = [gap, 0]
        costs.append(float(each(moved, targets, None)[0, rare]))
    right = outputs.copy()
    right[0, :, rare] = [0, 20]
    assert float(each(right, targets, None)[0, rare]) < costs[0] < costs[1] < costs[2] - 1


def test_soft_counts_match_a_calculation_by_hand():
    """Two examples of the positive class with probabilities 0.8 and 0.4, one of the other class with 0.5."""
    chances = np.array([0.8, 0.4, 0.5])
    outputs = np.log(np.array([1 - chances, chances], np.float32))[np.newaxis]
    targets = np.array([[0, 0, 1], [1, 1, 0]], np.float32)
    assert value(losses.create("f1"), outputs, targets) == pytest.approx(1 - 2 * 1.2 / (2 + 1.7))
    assert value(losses.create("balanced-error"), outputs, targets) == pytest.approx(1 - (1.2 / 2 + 0.5) / 2)
    costs = np.array([[0, 10], [3, -1]], np.float32)
    paid = value(losses.LOSSES.find("expected-cost").of(Terms(2, costs=costs)), outputs, targets)
    assert paid == pytest.approx(((0.2 * 3 - 0.8) + (0.6 * 3 - 0.4) + 0.5 * 10) / 3, rel=1e-6)


@pytest.mark.parametrize("classes", [2, 4])
def test_rank_losses_match_scikit_learn(classes):
    outputs, targets, labels = data(classes)
    outputs[0] = np.round(outputs[0], 1)  # ties
    if classes == 2:
        scores = outputs[0, 1] - outputs[0, 0]
        expected = (
            sklearn.metrics.roc_auc_score(labels, scores),
            sklearn.metrics.average_precision_score(labels, scores),
        )
    else:
        log_shares = outputs[0] - np.log(np.exp(outputs[0]).sum(axis=0))
        expected = tuple(
            np.mean([metric(labels == label, log_shares[label]) for label in range(classes)])
            for metric in (sklearn.metrics.roc_auc_score, sklearn.metrics.average_precision_score)
        )
    found = [1 - value(losses.create(name), outputs, targets) for name in RANKED]
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", RANKED)
@pytest.mark.parametrize("example", [0, 1, 57, 199])
def test_an_example_s_rank_loss_is_the_metric_when_only_it_moves(name, example):
    """Up to an error of order 1/examples: the table holds the example itself as well."""
    outputs, targets, _ = data()
    loss = losses.create(name)
    each = loss.surrogate(outputs.copy(), targets)
    for shift in (-3, -0.5, 0.5, 3):
        moved = outputs.copy()
        moved[0, 1, example] += np.float32(shift)
        change = (each(moved.copy(), targets, None) - each(outputs.copy(), targets, None))[0]
        expected = EXAMPLES * (value(loss, moved, targets) - value(loss, outputs, targets))
        assert change[example] == pytest.approx(expected, rel=0.1, abs=0.1)
        assert np.count_nonzero(change) <= 1


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", COUNTED)
def test_the_examples_losses_have_the_loss_as_their_mean_and_fall_where_it_does(name, classes):
    outputs, targets, _ = data(classes)
    loss = losses.LOSSES.find(name).of(Terms(classes))
    each = loss.surrogate(outputs.copy(), targets)
    assert each(outputs.copy(), targets, None).mean() == pytest.approx(value(loss, outputs, targets), rel=1e-4)
    step = np.float32(0.01)
    agree = 0
    for example in range(40):
        above, below = outputs.copy(), outputs.copy()
        above[0, 0, example] += step
        below[0, 0, example] -= step
        slope = (value(loss, above, targets) - value(loss, below, targets)) * EXAMPLES
        seen = (each(above, targets, None) - each(below, targets, None))[0]
        assert np.count_nonzero(seen) <= 1
        agree += bool(seen[example] * slope > 0)
    assert agree >= 40 if classes == 2 else agree >= 34  # of several classes it weighs the unlikely ones less


@pytest.mark.parametrize("classes", [2, 4])
def test_what_is_paid_for_an_example_matches_a_calculation_by_hand(classes):
    """Of the balanced error an error costs examples / (classes · those of its class), whichever it is."""
    outputs, targets, labels = data(classes, sharp=3)
    weights = 1 + np.arange(EXAMPLES, dtype=np.float32) % 3
    weights[:5] = 0
    weights *= EXAMPLES / weights.sum()
    costs = EXAMPLES / (classes * (targets * weights).sum(axis=1))[labels] * weights

    def by_hand(outputs):
        shares = np.exp(outputs[0].astype(np.float64))
        shares /= shares.sum(axis=0)
        powers = ((1 - (1 - shares) ** 0.7) / 0.7 * (1 - targets)).sum(axis=0)
        return costs * (0.7 * powers - 0.3 * np.log((shares * targets).sum(axis=0)))

    each = losses.create("balanced-error").surrogate(outputs.copy(), targets, weights)
    moved = outputs.copy()
    moved[0, 0] += 2
    found = each(moved.copy(), targets, weights) - each(outputs.copy(), targets, weights)
    np.testing.assert_allclose(found[0], by_hand(moved) - by_hand(outputs), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["f1", "expected-cost"])
def test_where_all_examples_are_given_to_one_class_there_is_a_way_out(name):
    """The soft counts themselves have next to no slope there."""
    loss = losses.LOSSES.find(name).of(Terms(2))
    targets = np.zeros((2, 100), np.float32)
    targets[0, :70] = targets[1, 70:] = 1
    outputs = np.zeros((1, 2, 100), np.float32)
    outputs[0, 1] = 8  # all are taken for positive
    each = loss.surrogate(outputs.copy(), targets)
    moved = outputs.copy()
    moved[0, 0, :70] += 1  # negatives towards their own class
    fall = (each(outputs.copy(), targets, None) - each(moved.copy(), targets, None))[0, :70].sum(dtype=np.float64)
    own = 100 * (value(loss, outputs, targets) - value(loss, moved, targets))
    assert fall > 5 * own > 0


def test_regression_losses_match_a_calculation_by_hand():
    outputs, targets = np.array([[[0.0, 3.0, -1.0]]], np.float32), np.array([[1.0, 1.0, 1.0]], np.float32)
    find = losses.LOSSES.find
    assert value(find("huber").of(Terms(delta=1.5)), outputs, targets) == pytest.approx(
        (0.5 + 1.5 * (2 - 0.75) + 1.5 * (2 - 0.75)) / 3
    )
    assert value(find("log-cosh").of(Terms()), outputs, targets) == pytest.approx(
        np.log(np.cosh([1.0, 2.0, 2.0])).mean(), rel=1e-6
    )
    assert value(find("pinball").of(Terms(quantile=0.9)), outputs, targets) == pytest.approx((0.9 + 0.2 + 1.8) / 3)
    assert value(find("poisson").of(Terms()), outputs, targets) == pytest.approx(
        np.mean(np.exp([0, 3, -1]) - [0, 3, -1]), rel=1e-6
    )
    assert find("poisson")().predictions(np.float32([[1.0]])).tolist() == [[np.exp(np.float32(1))]]


def test_top_k_error_counts_outputs_at_least_as_large():
    outputs = np.array([[[3, 0, 1], [2, 1, 1], [1, 2, 1], [0, 3, 1]]], np.float32)
    targets = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 0], [0, 0, 0]], np.float32)
    errors = [
        losses.LOSSES.find("top-k-error").of(Terms(4, top=top)).each(outputs.copy(), targets)[0] for top in (1, 2, 3)
    ]
    assert [each.tolist() for each in errors] == [[1, 1, 1], [0, 1, 1], [0, 1, 1]]


def test_outputs_that_are_no_numbers_are_never_right():
    targets = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]], np.float32)
    outputs = (10 * targets)[np.newaxis].copy()
    for name in ("top-k-error", *RANKED):
        loss = losses.LOSSES.find(name).of(Terms(3, top=1))
        assert value(loss, outputs, targets) == pytest.approx(0, abs=1e-6)
        for bad in (np.nan, np.inf):
            broken = np.concatenate([outputs, outputs])
            broken[1, :, 0] = bad
            with np.errstate(all="ignore"):
                found = loss.joined([loss.part(broken, targets)], targets)
            assert (found[0] == pytest.approx(0, abs=1e-6), bool(found[1] > 0.2 or np.isnan(found[1]))) == (True, True)


def test_a_class_of_little_weight_is_there():
    outputs, targets, _ = data()
    loss, weights = losses.create("balanced-error"), np.full(EXAMPLES, 1.05, np.float32)
    weights[targets[1] > 0] = 0.01
    whole = float(loss.joined([loss.part(outputs.copy(), targets, weights)], targets)[0])
    assert whole == pytest.approx(value(loss, outputs, targets), rel=1e-4)


def test_with_three_classes_the_default_top_becomes_two_and_a_given_top_of_three_is_refused():
    assert losses.LOSSES.find("top-k-error").of(Terms(3))._top == 2
    with pytest.raises(SettingError, match="expected fewer than the 3 classes, got 3"):
        losses.LOSSES.find("top-k-error").of(Terms(3, top=3))


@pytest.mark.parametrize(
    ("labels", "counts", "positive"),
    [
        (("no", "yes"), [1, 9], "yes"),
        (("0", "1"), [1, 9], "1"),
        (("False", "True"), [1, 9], "True"),
        (("churn", "stay"), [1, 9], "churn"),
        (("a", "b"), [9, 1], "b"),
        (("a", "b"), [5, 5], "b"),
    ],
)
def test_the_positive_class_is_the_obvious_or_the_rarer_one(labels, counts, positive):
    chosen = losses.chosen(NetworkConfig(loss="f1"), labels, np.array(counts))
    assert chosen.positive == positive
    assert losses.chosen(structs.replace(chosen, positive="x"), labels, np.array(counts)).positive == "x"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"loss": "f1", "quantile": 0.5}, "--quantile: has no effect with the loss f1: .* choose the loss pinball"),
        ({"beta": 0.5}, "--beta: has no effect with the loss cross-entropy: .* choose the loss fbeta"),
        ({"loss": "pinball"}, "pinball needs to know the quantile: add --quantile"),
    ],
)
def test_settings_that_do_not_fit_the_loss_are_refused(settings, sentence):
    with pytest.raises(SettingError, match=sentence):
        losses.check(NetworkConfig(**settings))


COSTS = "true,good,bad\ngood,0,1\nbad,5,-0.5\n"


def test_costs_are_read_by_class_names_in_any_order(tmp_path):
    path = tmp_path / "costs.csv"
    path.write_text(COSTS)
    settings = losses.with_costs(NetworkConfig(loss="expected-cost", costs=str(path)))
    path.unlink()
    assert losses.with_costs(settings) == settings  # they are kept with the run
    found = losses.create_for(settings, ("bad", "good"))._costs
    assert found.tolist() == [[-0.5, 5], [1, 0]]
    as_list = NetworkConfig(loss="expected-cost", costs="[[-0.5, 5], [1, 0]]")
    assert losses.create_for(as_list, ("bad", "good"))._costs.tolist() == found.tolist()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (COSTS.replace("bad,5", "evil,5"), "expected a row for each of the classes bad, good, got good, evil"),
        ("true,good\ngood,0\nbad,5\n", "expected 'good' to have a cost for each of bad, good, got good"),
        (COSTS.replace("5", "nan"), "line 3: expected a finite number, got 'nan'"),
        ("\n\n" + COSTS.replace("5", "nan"), "line 5: expected a finite number, got 'nan'"),
        (COSTS.replace("5", "1e39"), "line 3: expected a finite number, got '1e39'"),
        (COSTS.replace("5,-0.5", "5"), "line 3: expected a class and 2 costs, got 1"),
        (COSTS.replace("bad,5", "good,5"), "line 3: expected a class and 2 costs, got good a second time"),
        ("", "to have a line of predicted classes"),
        (COSTS.replace("0,1", "2,2").replace("5,-0.5", "3,3"), "every prediction costs the same"),
        (json.dumps([[1, 2, 3]]), "expected a line of predicted classes|to have a line"),
    ],
)
def test_costs_that_do_not_fit_are_refused(tmp_path, content, sentence):
    path = tmp_path / "costs.csv"
    path.write_text(content)
    with pytest.raises(SettingError, match=sentence):
        losses.create_for(losses.with_costs(NetworkConfig(loss="expected-cost", costs=str(path))), ("bad", "good"))


@pytest.mark.parametrize(
    ("costs", "sentence"),
    [
        ("no/such.csv", "cannot read no/such.csv: No such file"),
        ("[[1]]", "expected 2 lists of 2 costs, for the classes bad, good, got 1 of 1"),
        ("[[1, 2], [3]]", "expected 2 lists of 2 costs"),
        ("{", "or costs by class names as JSON"),
        ('{"bad": 3, "good": {}}', "expected 'bad' to have a cost for each of bad, good, got 3"),
        ("[[0, true], [1, 0]]", "expected a finite number, got True"),
    ],
)
def test_costs_given_directly_that_do_not_fit_are_refused(costs, sentence):
    with pytest.raises(SettingError, match=sentence):
        losses.create_for(losses.with_costs(NetworkConfig(loss="expected-cost", costs=costs)), ("bad", "good"))
