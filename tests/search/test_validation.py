"""The validation share is measured like the other parts, and chooses the best weights wherever measurements do."""

import numpy as np
import pytest
from searches import contents, resume, search

from distsearch.randomness import Stream, noise
from distsearch.search.resumption import stored_model
from distsearch.search.retrieval import own_assembly

ROUNDS = 60


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> str:
    """A table whose labels are half random, so that training keeps improving where validation does not."""
    path = tmp_path_factory.mktemp("tables") / "data.csv"
    rows = noise(1, Stream.DATA, 0, 0, 120, 5)
    labels = np.where(rows[:, 0] + 1.5 * rows[:, 4] > 0, "yes", "no")
    cells = [[*map(str, row[:4].tolist()), label] for row, label in zip(rows, labels, strict=True)]
    lines = map(",".join, cells)
    path.write_text("a,b,c,d,y\n" + "\n".join(lines) + "\n")
    return str(path)


def flags(table: str, **others) -> dict:
    return {
        "data": table,
        "layers": [16],
        "strategy": "node-perturbation",
        "validation_share": 0.25,
        "test_share": 0.25,
        "rounds": ROUNDS,
        "measure_every": 5,
        "measure_first": 5,
        **others,
    }


def test_the_best_weights_are_those_of_the_lowest_validation_loss(tmp_path, table):
    stored, result = search(tmp_path, **flags(table))
    measured = [row for row in stored.history() if row.validation_loss is not None]
    assert result.loss == min(row.validation_loss for row in measured) == result.validation_loss
    assert min(row.train_loss for row in measured) == measured[-1].train_loss  # the training loss would have gone on
    assert result.best_round < ROUNDS - 1
    dataset_parts = own_assembly(stored, 0).objective.measure(stored_model(stored).weights)
    assert dataset_parts.validation_loss == result.loss
    assert dataset_parts.test_loss == result.test_loss


def test_patience_counts_measurements_in_which_the_validation_loss_did_not_fall(tmp_path, table):
    _, result = search(tmp_path, **flags(table, rounds=5000, patience=4))
    assert result.reason == "patience"
    assert result.rounds < 1000


def test_it_is_the_same_after_a_stop_and_in_verification(tmp_path, table):
    whole, _ = search(tmp_path / "whole", **flags(table))
    stopped, _ = search(tmp_path / "stopped", **flags(table, rounds=ROUNDS // 2))
    resume(stopped.path, rounds=ROUNDS - ROUNDS // 2)
    assert contents(stopped.path) == contents(whole.path)


def test_it_is_measured_even_where_it_does_not_choose_the_best(tmp_path, table):
    stored, result = search(tmp_path, **flags(table, strategy="hill-climb"))
    assert result.validation_loss is not None
    assert 0 < result.validation_accuracy < 1
    assert any(row.validation_accuracy is not None for row in stored.history())


def test_a_regression_is_validated_in_the_unit_of_its_targets(tmp_path):
    path = tmp_path / "prices.csv"
    x = np.arange(80) / 80
    path.write_text("x,y\n" + "".join(f"{each},{1e5 * (each - 0.2) ** 2 + 3e5}\n" for each in x))
    _, result = search(tmp_path, **flags(str(path), rounds=100))
    assert result.loss == result.validation_loss
    assert 1 < result.loss < 1e9
    assert result.test_loss < 1e9
