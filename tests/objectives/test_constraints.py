"""Constraints as they are written, what their violation costs, and what each example does to a metric."""

import numpy as np
import pytest

from distsearch.config.sections import NetworkConfig
from distsearch.data.schema import Schema
from distsearch.errors import SettingError
from distsearch.objectives import metrics
from distsearch.objectives.constraints import Constraints, penalty
from distsearch.objectives.influence import RANKS, check_influence, influence
from distsearch.objectives.judging import judgement
from distsearch.objectives.losses import create
from distsearch.randomness import Stream, noise

EXAMPLES = 400


@pytest.mark.parametrize(
    ("text", "values", "excess"),
    [
        ("recall>=0.9", {"recall": 0.7}, 0.2),
        ("0.9 <= recall", {"recall": 0.95}, -0.05),
        ("recall ≥ 90%", {"recall": 0.9}, 0),
        ("gap(group)<=0.02", {"gap(group)": 0.05}, 0.03),
        ("precision>=recall", {"recall": 0.75, "precision": 0.5}, 0.25),
        ("mean-absolute-error<=200", {"mean-absolute-error": 300}, 0.5),
        ("r2>=0.5", {"r2": float("nan")}, np.inf),
    ],
)
def test_how_far_a_constraint_is_from_holding(text, values, excess):
    constraints = Constraints([text])
    assert constraints.names == tuple(values)
    assert constraints.excesses(values) == pytest.approx([excess])
    assert constraints.violation(values) == pytest.approx(max(0, excess))
    assert constraints.checked(values)[0].holds == (excess <= 0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("recall", "expected a comparison such as recall>=0.9 or gap.COLUMN.<=0.02, got 'recall'"),
        ("recall>0.9", "expected a comparison"),
        ("recall>=", "expected a comparison"),
        ("0.5<=recall<=0.9", "expected a comparison"),
        ("recal>=0.9", "unknown metric 'recal': did you mean 'recall'"),
        ("recall>=high", "unknown metric 'high'"),
        ("0.1<=0.9", "expected a metric in '0.1<=0.9'"),
        ("recall>=nan", "expected a finite number, got nan"),
        ("recall>=90", "recall lies between 0 and 1: expected such a number in 'recall>=90', got 90"),
    ],
)
def test_what_is_no_constraint_is_told(text, sentence):
    with pytest.raises(SettingError, match=f"--subject-to: .*{sentence}"):
        Constraints([text])


def test_the_penalty_is_that_of_the_augmented_lagrangian_and_multipliers_follow_violations():
    constraints = Constraints(["recall>=0.9", "precision>=0.5"])
    multipliers = constraints.first(0.5)
    assert multipliers.tolist() == [2, 0, 0]
    excesses = np.array([0.1, -0.2])
    assert penalty(multipliers, excesses) == pytest.approx(0.2**2 / 4)  # of what holds with room, nothing
    after = constraints.updated(multipliers, {"recall": 0.85, "precision": 0.9})
    assert after.tolist() == pytest.approx([2, 0.12, 0])  # a hundredth beyond is aimed at
    assert penalty(after, np.array([0.0, -1])) == 0
    assert penalty(after, np.array([-1.0, -1])) == pytest.approx(-(0.12**2) / 4)
    validated = constraints.updated(after, {"validation-recall": 1, "validation-precision": 0}, "validation-")
    assert validated.tolist() == pytest.approx([2, 0, 0.2])  # no more at once, however far it is off


def test_a_gap_is_that_of_the_shares_of_positive_predictions():
    outputs = np.eye(2)[[1, 1, 0, 0, 0, 1, 0, 0]].astype(np.float32)
    groups = {"g": np.array([0, 0, 0, 0, 2, 2, 2, 2])}
    outcome = metrics.Outcome.of_classes(np.zeros(8, int), outputs, np.array(["no", "yes"]), groups=groups)
    assert metrics.measured(["gap(g)"], outcome) == {"gap(g)": pytest.approx(0.5 - 0.25)}


def judged(names, classes=2):
    """A judgement, and outputs, targets and groups of examples."""
    labels = tuple("abc"[:classes])
    schema = Schema(("x",), "y", labels, classes, None, None, groups=("g",))
    judge = judgement(names, NetworkConfig(), schema, create("cross-entropy"))
    truth = np.minimum(np.arange(EXAMPLES) % 5, classes - 1)
    targets = (np.arange(classes)[:, np.newaxis] == truth).astype(np.float32)
    groups = (np.arange(EXAMPLES)[np.newaxis] // 7) % 3
    outputs = noise(5, Stream.DATA, 0, 0, classes, EXAMPLES) + targets
    outputs[1] += groups[0]  # so that it stays clear which group has the largest share
    sharp = 1 if names[0] in RANKS else 50  # decisions are drawn with the softmax's probabilities
    return judge, np.float32(sharp) * outputs, targets, groups


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    "name",
    [
        *("accuracy", "recall", "precision", "f1", "balanced-accuracy", "matthews-correlation", "gap(g)"),
        *("auc", "average-precision", "sklearn.metrics:cohen_kappa_score"),
    ],
)
def test_influences_are_what_a_change_of_some_examples_does(name, classes):
    judge, outputs, targets, groups = judged([name], classes)
    named = judge.named(groups)
    each = influence(name, judge, judge.outcome(targets, outputs, named), outputs[np.newaxis], targets)
    moved = outputs.copy()
    moved[1, 14:24] -= np.float32(1.5) * np.ptp(outputs)  # other decisions on a few examples
    before, after = (judge(targets, here, groups)[name] for here in (outputs, moved))
    said = [float(each(here[np.newaxis].copy(), targets, named).mean()) for here in (outputs, moved)]
    assert after != before
    assert said[1] - said[0] == pytest.approx(after - before, rel=0.2, abs=2e-4)


@pytest.mark.parametrize("name", ["mean-absolute-error", "root-mean-squared-error", "r2", "share-below"])
def test_influences_of_errors_are_what_a_change_of_some_examples_does(name):
    schema = Schema(("x",), "y", None, 1, None, None, target_mean=(100.0,), target_deviation=(20.0,))
    judge = judgement([name], NetworkConfig(), schema, create("mean-squared-error"))
    targets = noise(1, Stream.DATA, 0, 0, 1, EXAMPLES)
    outputs = targets + noise(1, Stream.DATA, 1, 0, 1, EXAMPLES)
    each = influence(name, judge, judge.outcome(targets, outputs, {}), outputs[np.newaxis], targets)
    moved = outputs + np.float32(0.2 if name == "share-below" else 0.02)
    before, after = (judge(targets, here, None)[name] for here in (outputs, moved))
    said = [float(each(here[np.newaxis].copy(), targets, {}).mean()) for here in (outputs, moved)]
    assert said[1] - said[0] == pytest.approx(after - before, rel=0.35)


@pytest.mark.parametrize(
    ("name", "classes"), [("calibration-error", 2), ("median-absolute-error", 0), ("recall", 100), ("numpy:dot", 0)]
)
def test_what_no_example_s_influence_is_known_of_is_refused(name, classes):
    with pytest.raises(SettingError, match="node-perturbation .* choose --strategy evolution-strategy"):
        check_influence(name, classes)
