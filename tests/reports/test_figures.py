"""The numbers behind the figures, from the records of runs."""

import re
from importlib.resources import files
from types import SimpleNamespace

import numpy as np
import pytest
from searches import search

import distsearch
from distsearch.config import from_flags
from distsearch.data.datasets import Examples
from distsearch.errors import RunError, SettingError
from distsearch.objectives.metrics import Outcome
from distsearch.reports import boundary, curves, judgements
from distsearch.reports.animation import moments, picked_rounds
from distsearch.reports.catalogue import NAMES, figure
from distsearch.reports.figures import (
    COLOURS,
    NEUTRAL,
    Curves,
    line,
    log_ticks,
    number_text,
    scaled,
    thinned,
    tick_texts,
    ticks,
)
from distsearch.reports.judgement import report
from distsearch.reports.subjects import Subject, groups
from distsearch.runs.directory import StoredRun


def named(shown: Curves, name: str):
    return next(each for each in shown.lines if each.name == name)


def test_the_loss_curve_is_that_of_the_history(subjects):
    shown = curves.losses([subjects["climb0"]])
    best = shown.lines[-1]
    assert best.y.tolist() == [row.best_loss for row in subjects["climb0"].rounds]
    assert best.x.tolist() == list(range(1, 31))
    assert shown.x_label == "rounds"


def test_several_seeds_become_a_median_in_a_band(subjects):
    pair = [subjects["climb0"], subjects["climb1"]]
    (only,) = curves.losses(pair).lines
    losses = np.array([[row.best_loss for row in each.rounds] for each in pair])
    assert only.y[-1] == np.median(losses[:, -1])
    assert (only.low[0], only.high[0]) == (losses[:, 0].min(), losses[:, 0].max())
    assert (only.low <= only.y).all()
    assert (only.y <= only.high).all()
    assert "2 seeds" in curves.losses(pair).note


@pytest.mark.parametrize("what", ["accepted", "timeline"])
def test_seeds_are_one_band_in_every_curve(subjects, what):
    shown = figure(what, [subjects["climb0"], subjects["climb1"]])
    (only,) = shown.lines
    assert (only.low <= only.y).all()
    assert (only.y <= only.high).all()
    assert (only.low < only.high).any()
    assert "medians over 2 seeds" in shown.note


def test_the_speed_of_seeds_is_shown_as_long_as_all_run(subjects):
    pair = [subjects["climb0"], subjects["climb1"]]
    (only,) = curves.timeline(pair).lines
    assert only.x[-1] == pytest.approx(min(each.rounds[-1].seconds for each in pair))


def test_a_function_is_called_and_has_no_forward_passes(tmp_path):
    found = distsearch.minimize(
        lambda weights: float(np.sum(weights**2)), np.ones(3), rounds=5, runs=tmp_path, name="bowl"
    )
    subject = Subject(StoredRun(tmp_path / "bowl"))
    assert curves.losses([subject], curves.PASSES).x_label == "calls of the function"
    assert curves.timeline([subject]).y_label == "calls of the function per second"
    (dots,) = judgements.weights([subject]).lines
    assert dots.y.tolist() == found.weights.tolist()
    assert dots.x.tolist() == [1, 2, 3]


def test_each_digit_has_a_colour_of_its_own():
    style = (files("distsearch.reports") / "browser" / "page.css").read_text()
    for theme in style.split("}")[:2]:
        assert len(set(re.findall(r"--c\d: (#[0-9a-f]{6})", theme))) == len(COLOURS)
    assert len(set(COLOURS)) == 10
    assert "const COLOURS = 10;" in (files("distsearch.reports") / "browser" / "elements.js").read_text()


def test_strategies_are_compared_by_their_cost(subjects):
    shown = curves.losses([subjects["climb0"], subjects["nodes"]])
    assert shown.x_label == "forward passes over the training examples"
    assert [each.name for each in shown.lines] == ["climb0", "nodes"]
    assert shown.lines[1].x[-1] == subjects["nodes"].rounds[-1].passes
    assert [each.colour for each in shown.lines] == [0, 1]


def test_runs_that_differ_in_more_than_their_seed_are_not_grouped(subjects):
    found = groups([subjects["climb0"], subjects["price"], subjects["climb1"]])
    assert [[each.name for each in group.members] for group in found] == [["climb0", "climb1"], ["price"]]


def test_accepted_steps_are_green_and_reverted_ones_grey(subjects):
    rounds, entries = subjects["climb0"].rounds, subjects["climb0"].stored.entries()
    shown = curves.decisions([subjects["climb0"]])
    accepted = named(shown, "accepted")
    assert accepted.x.tolist() == [row.round + 1 for row in rounds if row.accepted]
    assert accepted.y.tolist() == [min(each.losses[1:]) for each in entries if each.record.accepted]
    reverted = [row.round + 1 for row in rounds if not row.accepted]
    assert reverted == [x for each in shown.lines if each.name == "reverted" for x in each.x]
    assert all(each.colour == NEUTRAL for each in shown.lines if each.name == "reverted")
    assert f"accepted {len(accepted.x)} of 30" in shown.title


def test_where_others_choose_the_best_a_round_is_judged_by_its_center(tmp_path):
    flags = {"data": "iris", "layers": [3], "strategy": "hill-climb", "rounds": 6}
    found = {
        name: Subject(search(tmp_path, name=name, **flags, **more)[0])
        for name, more in {"alone": {}, "beside": {"validation_share": 0.2}, "whole": {"batch": 150}}.items()
    }
    told = {name: curves.decisions([subject]).note for name, subject in found.items()}
    assert ["a round's center" in each for each in told.values()] == [False, True, False]


def test_accuracy_curves_end_at_the_result(subjects):
    shown = curves.accuracies([subjects["nodes"]])
    assert {each.name for each in shown.lines} == {"training", "test"}
    assert curves.accuracies([subjects["climb0"]]).lines[0].y[-1] == subjects["climb0"].stored.result.accuracy


def test_speed_adds_up_to_the_work_done(subjects):
    (only,) = curves.timeline([subjects["climb0"]]).lines
    spans = np.diff(np.concatenate([[0], only.x]))
    assert (only.y * spans).sum() == pytest.approx(subjects["climb0"].rounds[-1].passes)


def test_confusion_counts_every_example_once(subjects):
    subject = subjects["nodes"]
    shown = judgements.confusion([subject])
    assert shown.counts.sum() == len(subject.dataset.test.targets)
    assert np.trace(shown.counts) / shown.counts.sum() == pytest.approx(subject.stored.result.test_accuracy)
    assert judgements.counted(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist() == [[1, 0], [1, 1]]


def test_precision_recall_and_f1_match_values_by_hand():
    rows = judgements.per_class(np.array([[3, 1, 0], [0, 0, 0], [2, 0, 4]]))
    assert rows[0] == (4, 3 / 5, 3 / 4, 6 / 9)
    assert rows[1] == (0, 0.0, None, 0.0)
    assert rows[2] == (6, 1.0, 4 / 6, 8 / 10)


def test_features_the_target_does_not_depend_on_matter_less(subjects):
    shown = judgements.importance(subjects["price"])
    values = dict(zip(shown.names, shown.values, strict=True))
    assert shown.names[0] == "rooms"
    assert values["rooms"] > 5 * abs(values["noise"])


def test_perfect_predictions_lie_on_the_diagonal(subjects):
    shown = judgements.residuals([subjects["price"]])
    diagonal, dots = shown.lines
    truth = [x % 7 for x in range(60)]
    assert sorted(dots.x) == pytest.approx(sorted(truth), abs=1e-6)
    assert diagonal.x.tolist() == diagonal.y.tolist()


def test_each_of_several_targets_is_shown_in_its_own_deviations(subjects):
    shown = judgements.residuals([subjects["pair"]])
    _, *clouds = shown.lines
    assert [(each.name, each.colour) for each in clouds] == [("price", 0), ("area", 1)]
    prices, areas = np.arange(60) % 7, 1000 * (np.arange(60) * 37 % 11)
    for cloud, truth in zip(clouds, (prices, areas), strict=True):
        assert cloud.x == pytest.approx((truth - truth.mean()) / truth.std(), abs=1e-5)
        assert np.corrcoef(cloud.x, cloud.y)[0, 1] > 0.9
    errors = re.search(r"error ([\d.]+) for price, ([\d.]+) for area", shown.note)
    for cloud, truth, error in zip(clouds, (prices, areas), errors.groups(), strict=True):
        assert float(error) == pytest.approx(truth.std() * np.sqrt(np.mean((cloud.x - cloud.y) ** 2)), rel=0.01)
    assert "price" not in shown.x_label


def test_of_several_targets_a_boundary_shows_the_first_and_says_so(subjects):
    shown = boundary.boundary([subjects["pair"]])
    assert (shown.number, shown.note) == ("price", "Of 2 targets, the first.")
    assert np.unique(shown.targets).tolist() == pytest.approx(range(7), abs=1e-5)


def test_the_errors_of_each_target_are_reported_by_themselves():
    truth = np.zeros((5, 2))
    predicted = np.array([[-2, 100], [-1, 200], [0, 300], [1, 400], [2, 500]], np.float64)
    found = report(Outcome(truth, predicted, predicted), ("price", "area"))
    assert found.targets == ("price", "area")
    assert found.residuals[0] == (0.0, -2.0, 100.0)
    assert found.residuals[3] == (0.5, 0.0, 300.0)
    assert report(Outcome(truth[:, :1], predicted[:, :1], predicted[:, :1]), ("price",)).targets == ()


def test_weights_add_up_to_one_in_each_layer(subjects):
    shown = judgements.weights([subjects["nodes"]])
    assert f"The {subjects['nodes'].stored.manifest.weights:,} weights" in shown.title
    for each in shown.lines:
        assert each.y.sum() == pytest.approx(1)


def test_the_boundary_is_what_the_network_predicts(subjects):
    subject = subjects["climb0"]
    shown = boundary.boundary([subject])
    row, column = 40, 90
    place = np.array([[shown.x[column], shown.y[row]]], np.float32)
    assert shown.values[row, column] == subject.model.outputs(place).argmax()
    assert np.allclose(shown.points, subject.dataset.train.features)
    assert shown.note == ""


def test_with_more_features_a_slice_is_shown_in_the_units_of_the_data(subjects):
    subject = subjects["nodes"]
    names = subject.model.schema.features
    shown = boundary.boundary([subject], (names[2], names[3]))
    assert (shown.x_label, shown.y_label) == (names[2], names[3])
    assert "the other 2 features are at the mean" in shown.note
    scaled_mean = subject.dataset.train.features.mean(axis=0)
    schema = subject.model.schema
    at = scaled_mean.copy()
    at[2] = (shown.x[10] - schema.mean[2]) / schema.deviation[2]
    at[3] = (shown.y[20] - schema.mean[3]) / schema.deviation[3]
    assert shown.values[20, 10] == subject.model.outputs(at[np.newaxis].astype(np.float32)).argmax()


def test_the_slice_is_through_the_two_features_that_matter_most(subjects):
    subject = subjects["nodes"]
    shown = boundary.boundary([subject])
    assert (shown.x_label, shown.y_label) == judgements.importance(subject).names[:2]
    assert (shown.x_label, shown.y_label) != subject.model.schema.inputs[:2]
    assert "These two matter most; --features A,B takes two others" in shown.note


def test_the_boundary_of_a_regression_shows_predicted_values(subjects):
    shown = boundary.boundary([subjects["price"]])
    assert shown.classes is None
    assert sorted(set(shown.targets.round(6))) == list(range(7))


REFUSED = {
    "confusion": ("price", "price learns numbers, not classes: use --what residuals"),
    "accuracy": ("price", "price has no accuracy, as it learns no classes: use --what loss"),
    "calibration": ("price", "price learns numbers"),
    "residuals": ("nodes", "nodes learns classes, which have no residuals: use --what confusion"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_figures_that_do_not_suit_a_run_are_refused(subjects, what):
    name, sentence = REFUSED[what]
    with pytest.raises(RunError, match=sentence):
        figure(what, [subjects[name]])


def test_unknown_figure_names_are_refused(subjects):
    with pytest.raises(SettingError, match="unknown figure 'los': did you mean 'loss'"):
        figure("los", [subjects["nodes"]])
    with pytest.raises(SettingError, match="unknown axis 'round': did you mean 'rounds'"):
        figure("loss", [subjects["nodes"]], by="round")
    with pytest.raises(RunError, match="--features: expected two columns"):
        figure("boundary", [subjects["nodes"]], features=("a",))
    with pytest.raises(RunError, match="confusion shows a single run: expected one, got 2"):
        figure("confusion", [subjects["nodes"], subjects["climb0"]])
    assert len(NAMES) == 10


def test_moments_of_a_run_are_recomputed_to_the_bit(subjects):
    for name in ("climb0", "nodes"):
        subject = subjects[name]
        found = list(moments(subject, 6))
        assert {each.record.round for each in found} == picked_rounds(len(subject.rounds), 6)
        assert found[-1].weights.tobytes() == subject.model.weights.tobytes()


def test_rounds_are_picked_denser_at_the_beginning():
    picked = sorted(picked_rounds(1000, 20))
    assert (picked[0], picked[-1]) == (0, 999)
    assert len(picked) <= 20
    assert picked_rounds(3, 20) == {0, 1, 2}


def test_lines_are_thinned_and_leave_out_values_that_are_not_finite():
    kept = line("a", range(5000), [np.nan, np.inf, *range(4998)])
    assert len(kept.x) == 600
    assert (kept.x[0], kept.x[-1]) == (2, 4999)
    assert thinned(3).tolist() == [0, 1, 2]
    assert thinned(0).tolist() == []


def test_values_over_decades_are_drawn_on_a_logarithmic_axis():
    falling = line("a", [1, 2, 3, 4], [100.0, 1.0, 0.01, 0.0])
    shown, logarithmic = scaled([falling])
    assert logarithmic
    assert shown[0].y.tolist() == [100.0, 1.0, 0.01]
    assert not scaled([line("a", [1, 2], [1.0, 2.0])])[1]
    assert not scaled([line("a", [1, 2, 3], [100.0, 0.1, -1.0])])[1]


def test_axes_have_round_numbers():
    assert ticks(0, 10, 5) == [0, 2, 4, 6, 8, 10]
    assert ticks(3, 3, 5) == [3]
    assert log_ticks(0.09, 120, 8) == pytest.approx([0.1, 0.3, 1, 3, 10, 30, 100])
    assert len(log_ticks(1e-300, 1e300, 8)) <= 9
    assert [number_text(each) for each in (0, 0.0125, 950, 1500, 25_000, 3.5e6)] == [
        "0", "0.0125", "950", "1,500", "25k", "3.5M",
    ]  # fmt: skip


def test_importance_leaves_the_examples_unchanged(subjects):
    examples = subjects["price"].dataset.train
    before = Examples(examples.features.copy(), examples.targets.copy())
    judgements.importance(subjects["price"])
    assert examples.features.tobytes() == before.features.tobytes()


@pytest.mark.parametrize(
    ("values", "percent", "texts"),
    [
        ([0.96, 0.9605, 0.961], True, ["96.00%", "96.05%", "96.10%"]),
        ([0, 0.5, 1], True, ["0%", "50%", "100%"]),
        ([0.28, 0.29, 0.3], False, ["0.28", "0.29", "0.30"]),
        ([-2.5, 0, 2.5, 5], False, ["-2.5", "0", "2.5", "5.0"]),
        ([5000, 10_000, 15_000], False, ["5k", "10k", "15k"]),
        ([2000, 4000, 6000], False, ["2,000", "4,000", "6,000"]),
        ([0.1, 0.3, 1, 3], False, ["0.1", "0.3", "1", "3"]),
        ([1e-9, 2e-9, 3e-9], False, ["1e-09", "2e-09", "3e-09"]),
    ],
)
def test_numbers_in_equal_steps_are_written_alike(values, percent, texts):
    assert tick_texts(values, percent) == texts


def test_runs_of_one_strategy_are_named_by_how_their_names_begin():
    runs = [
        SimpleNamespace(name=name, config=from_flags({"data": "spiral", "layers": [layer], "seed": seed}))
        for name, layer, seed in (("deep-0", 8, 0), ("deep-1", 8, 1), ("a", 4, 0), ("b", 4, 1))
    ]
    assert [each.name for each in groups(runs)] == ["deep-*", "a and others"]
