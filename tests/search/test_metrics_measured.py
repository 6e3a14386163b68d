"""Metrics measured beside the loss: by any workers, recorded, verified, resumed and shown."""

import numpy as np
import pytest
from searches import contents, resume, search

from distsearch.errors import SettingError
from distsearch.runs.directory import StoredRun
from distsearch.search import resumption, verification
from distsearch.search.data import read_data

FLAGS = {"data": "vertical", "points": 30, "rounds": 12, "measure_every": 4, "strategy": "node-perturbation"}


@pytest.mark.parametrize("loss", ["f1", "auc", "average-precision", "balanced-error", "expected-cost"])
def test_a_loss_of_the_whole_batch_and_metrics_resume_to_the_same_bytes_and_verify(tmp_path, loss):
    flags = {**FLAGS, "classes": 2, "loss": loss, "batch": 20, "metrics": ["f1", "auc"], "test_share": 0.2}
    whole, result = search(tmp_path, name="whole", **flags)
    part, _ = search(tmp_path, name="part", **{**flags, "rounds": 5})
    resume(part.path, rounds=7)
    assert contents(part.path) == contents(whole.path)
    assert set(result.metrics) == {"f1", "auc", "test-f1", "test-auc"}
    measured = [row.metrics for row in whole.history() if row.metrics]
    assert len(measured) >= 3
    assert all(0 <= value <= 1 for row in measured for value in row.values())
    again = verification.Replay(StoredRun(whole.path))
    assembly = resumption.own_assembly(StoredRun(whole.path), 0)
    assert verification.verify(again, assembly, range(12), lambda number: None).differences == []


@pytest.mark.parametrize("strategy", ["hill-climb", "cma-es", "evolution-strategy"])
@pytest.mark.parametrize("loss", ["f1", "auc"])
def test_weight_strategies_lower_losses_that_are_not_means(tmp_path, strategy, loss):
    _, first = search(tmp_path, loss=loss, rounds=1, points=30, strategy=strategy, name="first")
    _, last = search(tmp_path, loss=loss, rounds=60, points=30, strategy=strategy, name="last")
    assert last.loss < 0.8 * first.loss


def test_the_recorded_loss_is_the_metric_of_the_best_weights(tmp_path):
    run, result = search(tmp_path, loss="auc", metrics=["auc"], rounds=20, points=30, classes=2)
    assert result.metrics["auc"] == pytest.approx(1 - result.loss, abs=1e-9)
    model = resumption.stored_model(run)
    dataset = read_data(run.config)
    assert model.scores(dataset.train, ["auc"]).metrics["auc"] == pytest.approx(1 - result.loss, abs=1e-6)


def test_a_metric_that_does_not_fit_is_refused_before_anything_is_written(tmp_path):
    for metrics, sentence in (["r2"], "the metric r2 is for numbers"), (["f2"], "unknown metric 'f2'"):
        with pytest.raises(SettingError, match=sentence):
            search(tmp_path / "runs", metrics=metrics)
    assert not (tmp_path / "runs").exists()


def test_the_pinball_loss_finds_the_quantile(tmp_path):
    import distsearch

    X = np.linspace(-1, 1, 400)[:, np.newaxis]
    y = X[:, 0] + np.tile(np.linspace(0, 1, 20), 20)
    settings = {"layers": [8], "loss": "pinball", "strategy": "node-perturbation", "rounds": 300, "workers": 0}
    shares = [
        (y <= distsearch.search(X, y, quantile=quantile, **settings).predict(X)).mean() for quantile in (0.2, 0.9)
    ]
    assert shares == pytest.approx([0.2, 0.9], abs=0.06)
