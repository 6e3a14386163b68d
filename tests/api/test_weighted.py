"""Sample and class weights through every interface: searched with, kept, measured again."""

import json

import numpy as np
import pandas as pd
import pytest
from features import read_features
from programs import refused, succeeded
from searches import contents, resume, search

import distsearch
from distsearch.data.datasets import read_examples
from distsearch.errors import DataError, SettingError
from distsearch.randomness import Stream, noise
from distsearch.search.resumption import stored_model
from distsearch.search.retrieval import own_assembly, own_data
from distsearch.search.verification import Replay, verify

SETTINGS = {"layers": [], "rounds": 60, "workers": 0, "strategy": "hill-climb", "sigma": 0.2}


@pytest.fixture
def clouds():
    """Two clouds that overlap, 180 points of one and 20 of the other."""
    y = np.where(np.arange(200) < 180, "often", "seldom")
    return noise(5, Stream.DATA, 0, 0, 200, 2) + 1.2 * (y == "seldom")[:, np.newaxis], y


def recall(result, X, y):
    return (result.predict(X)[y == "seldom"] == "seldom").mean()


def test_balancing_finds_a_rare_class(clouds):
    X, y = clouds
    plain = distsearch.search(X, y, **SETTINGS)
    balanced = distsearch.search(X, y, class_weight="balanced", **SETTINGS)
    assert recall(plain, X, y) < 0.6 < 0.75 < recall(balanced, X, y)
    by_label = distsearch.search(X, y, class_weight={"seldom": 9.0}, **SETTINGS)
    assert by_label.loss == pytest.approx(balanced.loss, rel=1e-3)
    assert balanced.accuracy == (balanced.predict(X) == y).mean()


@pytest.mark.parametrize("strategy", ["hill-climb", "node-perturbation"])
def test_equal_weights_change_no_bit(clouds, strategy):
    X, y = clouds
    settings = {"layers": [4], "rounds": 40, "workers": 0, "strategy": strategy}
    plain = distsearch.search(X, y, **settings)
    alike = distsearch.search(X, y, sample_weight=np.full(200, 3.0), **settings)
    assert alike.weights.tobytes() == plain.weights.tobytes()
    other = distsearch.search(X, y, sample_weight=1 + np.arange(200) % 2, **settings)
    assert other.weights.tobytes() != plain.weights.tobytes()


def test_class_weights_work_for_labels_of_any_type(clouds):
    X, y = clouds
    settings = {**SETTINGS, "rounds": 2}
    rare = y == "seldom"
    for labels, key in (
        (rare, True),
        (rare.astype(np.int8), np.int64(1)),
        (rare + 0.5, 1.5),
        (np.where(rare, b"s", b"o"), b"s"),
        (np.where(rare, "a,b:c", "o"), "a,b:c"),
        (rare.astype(object), True),
    ):
        result = distsearch.search(X, labels, class_weight={key: 3}, **settings)
        assert result.model.schema.class_weights in ((1, 3), (3, 1))
        assert result.classes[np.argmax(result.model.schema.class_weights)] == key


def test_a_saved_result_and_evaluate_use_the_weights(clouds, tmp_path):
    X, y = clouds
    weights = 1 + np.arange(200) % 3
    result = distsearch.search(X, y, sample_weight=weights, class_weight="balanced", **SETTINGS)
    result.save(tmp_path / "saved")
    loaded = distsearch.load(tmp_path / "saved")
    assert loaded.evaluate(X, y, sample_weight=weights).loss == result.loss
    assert loaded.evaluate(X, y).loss != result.loss
    assert loaded.evaluate(X, y, ("accuracy",)).metrics["accuracy"] == result.accuracy


@pytest.mark.parametrize(
    ("given", "error", "sentence"),
    [
        ({"class_weight": "balance"}, SettingError, 'class_weight: expected "balanced" or a dictionary'),
        ({"class_weight": [1, 2]}, SettingError, "class_weight: expected"),
        ({"class_weight": {"never": 2}}, SettingError, "^class_weight: expected labels of the data .* got 'never'"),
        ({"class_weight": {"seldom": None}}, SettingError, "^class_weight: expected a weight above 0 for the label"),
        ({"sample_weight": [1.0]}, DataError, "expected one weight per example in sample_weight, so 200"),
        ({"weight_column": "w"}, SettingError, "weight_column: has no effect here"),
        (
            {"class_weight": "balanced", "loss": "mean-squared-error"},
            SettingError,
            "^class_weight: expected a loss for classes",
        ),
    ],
)
def test_bad_weights_are_refused_by_keyword(clouds, given, error, sentence):
    X, y = clouds
    with pytest.raises(error, match=sentence):
        distsearch.search(X, np.arange(200.0) if "loss" in given else y, **SETTINGS, **given)


@pytest.mark.parametrize("strategy", ["hill-climb", "node-perturbation"])
def test_a_run_of_a_table_keeps_its_weights(clouds, tmp_path, strategy):
    X, y = clouds
    table, path = pd.DataFrame(X, columns=["a", "b"]).assign(w=np.arange(200) % 3, y=y), tmp_path / "t.csv"
    table.to_csv(path, index=False)
    flags = {"data": str(path), "weight_column": "w", "class_weight": "often:1,seldom:4", "layers": [3], "scale": True}
    stored, result = search(tmp_path / "runs", rounds=10, strategy=strategy, test_share=0.3, **flags)
    assert stored.manifest.data["weight"] == "w"
    assert stored.manifest.data["class_weights"] == [1, 4]
    assert stored.manifest.data["features"] == ["a", "b"]
    dataset, model = own_data(stored), stored_model(stored)
    assert (model.scores(dataset.train).loss, model.scores(dataset.test).loss) == (result.loss, result.test_loss)
    part, _ = search(tmp_path / "parts", rounds=4, strategy=strategy, test_share=0.3, **flags)
    resume(part.path, rounds=6)
    assert contents(part.path) == contents(stored.path)
    assert verify(Replay(stored), own_assembly(stored, 0), range(10), lambda _: None).differences == []
    table[["w", "b", "a"]].to_csv(path, index=False)
    assert len(read_features(str(path), model.schema)) == 200
    table.drop(columns="w").to_csv(path, index=False)
    with pytest.raises(DataError, match="there is no column 'w'"):
        read_examples(str(path), model.schema)


def test_the_command_line_takes_weights(clouds, tmp_path):
    X, y = clouds
    table, path = pd.DataFrame(X, columns=["a", "b"]).assign(w=np.arange(200) % 3, y=y), tmp_path / "t.csv"
    table.to_csv(path, index=False)
    run = ("run", "--data", "t.csv", "--workers", "0", "--rounds", "3", "--weight-column", "w")
    wrong = refused(*run, "--class-weight", "rare:2", cwd=tmp_path)
    assert wrong == "--class-weight: expected labels of the data ('often', 'seldom'), got 'rare'"
    succeeded(*run, "--class-weight", "balanced", "--name", "r", cwd=tmp_path)
    found = json.loads((tmp_path / "runs" / "r" / "result.json").read_text())
    scores = json.loads(succeeded("evaluate", "r", "--data", "t.csv", "--json", cwd=tmp_path).stdout)
    assert scores["t.csv"]["loss"] == found["loss"]
    assert scores["t.csv"]["examples"] == 133
