"""Searches under constraints, and on costs of each example's own: what holds, what is kept, what comes out again."""

import numpy as np
import pytest
from searches import contents, resume, search

from distsearch.cli.tables import result_table
from distsearch.data.datasets import read_examples
from distsearch.errors import DataError, SettingError
from distsearch.randomness import Stream, noise
from distsearch.search import verification
from distsearch.search.differences import differences
from distsearch.search.resumption import stored_model
from distsearch.search.retrieval import own_assembly

ROWS = 240


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> str:
    """A table with a rare class, groups that differ in it, and what saying no or yes earns."""
    path = tmp_path_factory.mktemp("tables") / "offers.csv"
    drawn = noise(1, Stream.DATA, 0, 0, ROWS, 4)
    yes = drawn[:, 0] + drawn[:, 1] + 0.7 * drawn[:, 2] > 1.2
    north = drawn[:, 0] + drawn[:, 3] > 0
    lines = [
        f"{row[0]},{row[1]},{'north' if there else 'south'},0,{30 if taken else -10},{'yes' if taken else 'no'}"
        for row, taken, there in zip(drawn.tolist(), yes, north, strict=True)
    ]
    path.write_text("a,b,region,profit_no,profit_yes,taken\n" + "\n".join(lines) + "\n")
    return str(path)


def flags(table: str, **others) -> dict:
    kept = {"data": table, "layers": [8], "strategy": "node-perturbation", "rounds": 120}
    return {**kept, "drop": ["profit_no", "profit_yes"], **others}


@pytest.mark.parametrize("strategy", ["node-perturbation", "evolution-strategy", "hill-climb"])
def test_the_best_weights_hold_to_constraints_that_others_violate(tmp_path, table, strategy):
    constraints = ["recall>=0.9", "gap(region)<=0.3"]
    names = ["recall", "gap(region)"]
    freely, free = search(tmp_path, **flags(table, strategy=strategy, metrics=names))
    holding, held = search(tmp_path, **flags(table, strategy=strategy, subject_to=constraints))
    assert free.metrics["recall"] < 0.9
    assert held.metrics["recall"] >= 0.9
    assert held.metrics["gap(region)"] <= 0.3
    assert [each.holds for each in held.constraints] == [True, True]
    assert held.constraints[0].values == {"recall": held.metrics["recall"]}
    assert free.loss < held.loss
    found = differences(freely, holding)
    assert found["settings"]["subject-to"] == ((), tuple(constraints))
    assert found["results"]["recall"] == (free.metrics["recall"], held.metrics["recall"])
    assert found["results"]["recall>=0.9 on train"] == (None, "holds")


@pytest.mark.parametrize("strategy", ["node-perturbation", "evolution-strategy"])
def test_it_resumes_to_the_same_bytes_and_verifies(tmp_path, table, strategy):
    given = flags(
        table, strategy=strategy, batch=64, rounds=45, subject_to=["recall>=0.9"], validation_share=0.2, test_share=0.2
    )
    whole, result = search(tmp_path / "whole", **given)
    part, _ = search(tmp_path / "part", **{**given, "rounds": 23})
    resume(part.path, rounds=22)
    assert contents(part.path) == contents(whole.path)
    assert {each.examples for each in result.constraints} == {"train", "validation", "test"}
    state = whole.state(own_assembly(whole, 0).strategy.state_type)
    assert state.multipliers.shape == (2,)
    assert state.multipliers[1] > 0
    found = verification.verify(verification.Replay(whole), own_assembly(whole, 0), range(45), lambda number: None)
    assert found.differences == []


def test_the_best_is_the_lowest_loss_of_what_holds_and_else_the_smallest_violation(tmp_path, table):
    stored, result = search(tmp_path, **flags(table, subject_to=["recall>=0.9"], validation_share=0.3, rounds=60))
    rows = [row for row in stored.history() if row.validation_loss is not None]
    measured = [(max(0.0, 0.9 - row.metrics["validation-recall"]), row.validation_loss) for row in rows]
    violation, loss = min(measured)
    assert (rows[-1].best_violation, result.loss) == (pytest.approx(violation), loss)
    _, never = search(tmp_path, **flags(table, subject_to=["recall>=0.9", "precision>=1"], rounds=5, target_loss=9.0))
    assert never.reason == "rounds"  # a target is reached only by what holds
    assert "does not hold" in str([str(cell) for column in result_table(never).columns for cell in column.cells])


def test_the_column_of_a_gap_may_be_dropped_as_well_or_learnt_from(tmp_path, table):
    gap = {"subject_to": ["gap(region)<=0.9"], "rounds": 2}
    dropped, _ = search(tmp_path, **flags(table, drop=["profit_no", "profit_yes", "region"], **gap))
    assert stored_model(dropped).schema.features == ("a", "b")
    learnt, _ = search(tmp_path, **flags(table, features=["a", "region"], drop=["b", "profit_no", "profit_yes"], **gap))
    assert stored_model(learnt).schema.features == ("a", "region")


def test_without_constraints_and_validation_no_state_says_anything_of_them(tmp_path, table):
    stored, result = search(tmp_path, **flags(table, rounds=3))
    assert result.constraints == ()
    for name in (b"multipliers", b"violation"):
        assert name not in (stored.path / "checkpoint.safetensors").read_bytes()
        assert name not in (stored.path / "history.jsonl").read_bytes()


@pytest.mark.parametrize("strategy", ["hill-climb", "random-search", "snes"])
def test_validation_chooses_for_every_strategy(tmp_path, table, strategy):
    stored, result = search(tmp_path, **flags(table, strategy=strategy, validation_share=0.3, rounds=40, patience=15))
    losses = [row.validation_loss for row in stored.history() if row.validation_loss is not None]
    assert result.loss == min(losses) == result.validation_loss
    assert stored_model(stored).config.loss == "cross-entropy"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"subject_to": ["recal>=0.9"]}, "--subject-to: unknown metric 'recal': did you mean 'recall'"),
        ({"subject_to": ["r2>=0.9"]}, "--subject-to: the metric r2 is for numbers, but this network predicts classes"),
        ({"subject_to": ["gap(regio)<=0.9"]}, "there is no column 'regio' .did you mean 'region'"),
        ({"subject_to": ["calibration-error<=0.1"]}, "--subject-to: node-perturbation needs to know"),
        ({"loss": "f1", "costs": "profit_no,profit_yes"}, "--costs: has no effect with the loss f1"),
    ],
)
def test_what_cannot_be_held_to_is_refused_before_anything_is_written(tmp_path, table, given, sentence):
    with pytest.raises((SettingError, DataError), match=sentence):
        search(tmp_path / "runs", **flags(table, **given))
    assert not (tmp_path / "runs").exists()


def test_profits_are_earned_and_not_learnt_from(tmp_path, table):
    given = flags(table, loss="expected-cost", costs="profit_yes,profit_no", drop=["region"], test_share=0.25)
    stored, result = search(tmp_path, **given)
    model = stored_model(stored)
    assert model.schema.features == ("a", "b")
    assert model.schema.costs == ("profit_no", "profit_yes")
    train = own_assembly(stored, 0).objective.measure(model.weights)
    assert (train.loss, train.test_loss) == (result.loss, result.test_loss)
    assert result.loss < result.baseline - 1
    examples = read_examples(table, model.schema)
    predicted = model.outputs(examples.features).argmax(axis=1)
    earned = np.where(predicted == 1, np.where(examples.targets == 1, 30, -10), 0).mean()
    assert -model.scores(examples).loss == pytest.approx(earned, rel=0.25)
    part, _ = search(tmp_path / "part", **{**given, "rounds": 70})
    resume(part.path, rounds=50)
    assert contents(part.path) == contents(stored.path)
    assert verification.verify(verification.Replay(stored), own_assembly(stored, 0), {0}, lambda number: None).identical


@pytest.mark.parametrize(
    ("costs", "sentence"),
    [
        ("profit_no,profit_maybe", "there is no column 'profit_maybe' .did you mean"),
        ("profit_no,a", "expected a column for each class .'no', 'yes'., .* got none for 'yes'"),
        ("profit_no,profit_yes,a", "expected a column for each of 2 classes .* got 3"),
        ("profit_no,region", "got none for 'yes'"),
        ("nowhere.csv", "cannot read nowhere.csv: .* columns of costs are named with commas between"),
    ],
)
def test_columns_that_hold_no_costs_are_told(tmp_path, table, costs, sentence):
    with pytest.raises((SettingError, DataError), match=sentence):
        search(tmp_path, **flags(table, loss="expected-cost", costs=costs, drop=[]))
