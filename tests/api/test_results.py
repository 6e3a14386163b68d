"""The results that `search` and `minimize` return."""

import copy
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from problems import sphere

import distsearch
from distsearch.errors import DataError, RunError, SettingError
from distsearch.randomness import Stream, noise
from distsearch.runs import checkpoints

FEATURES = noise(5, Stream.DATA, 0, 0, 120, 3)
NAMES = np.array(["low", "middle", "high"])
LABELS = NAMES[np.digitize(FEATURES[:, 0], [-0.5, 0.5])]


@pytest.fixture(scope="module")
def result():
    return distsearch.search(FEATURES, LABELS, layers=[8], rounds=60, workers=0, start="he", test_share=0.25)


@pytest.fixture(scope="module")
def numbers():
    targets = 2 * FEATURES[:, :1] - FEATURES[:, 1:2]
    return distsearch.search(
        FEATURES, targets, layers=[], loss="mean-squared-error", strategy="cma-es", rounds=80, workers=0
    )


def test_probabilities_belong_to_the_classes_and_agree_with_the_predictions(result):
    probabilities = result.predict_proba(FEATURES)
    assert result.classes.tolist() == ["high", "low", "middle"]
    assert probabilities.shape == (120, 3)
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert result.classes[probabilities.argmax(axis=1)].tolist() == result.predict(FEATURES).tolist()


def share_alike(true, predicted):
    return np.mean(true == predicted)


def test_the_score_is_the_accuracy(result):
    assert result.score(FEATURES, LABELS) == pytest.approx((result.predict(FEATURES) == LABELS).mean())
    scores = result.evaluate(FEATURES, LABELS, ["f1", "balanced-accuracy"])
    assert set(scores.metrics) == {"f1", "balanced-accuracy"}
    assert result.evaluate(FEATURES, LABELS, "f1").metrics == {"f1": scores.metrics["f1"]}
    both = [scores.accuracy, scores.metrics["f1"]]
    assert list(result.evaluate(FEATURES, LABELS, [share_alike, "f1"]).metrics.values()) == both
    assert list(result.evaluate(FEATURES, LABELS, share_alike).metrics.values()) == both[:1]
    for neither in (3, ["f1", 3]):
        with pytest.raises(SettingError, match="^metrics: expected names, or functions of true .* values, got 3$"):
            result.evaluate(FEATURES, LABELS, neither)
    assert scores.examples == 120


def test_the_score_of_a_regression_is_r2(numbers):
    targets = 2 * FEATURES[:, :1] - FEATURES[:, 1:2]
    left = targets - numbers.predict(FEATURES)
    assert numbers.score(FEATURES, targets) == pytest.approx(1 - left.var() / targets.var(), abs=1e-3)
    assert numbers.classes is None
    with pytest.raises(SettingError, match='expected a network trained with loss="cross-entropy"'):
        numbers.predict_proba(FEATURES)


def test_a_saved_result_is_the_same_when_loaded(result, tmp_path):
    result.save(tmp_path / "saved")
    again = distsearch.load(tmp_path / "saved")
    assert again.weights.tobytes() == result.weights.tobytes()
    assert again.predict(FEATURES).tolist() == result.predict(FEATURES).tolist()
    assert (again.summary, again.history) == (result.summary, result.history)
    assert again.classes.dtype == result.classes.dtype
    assert repr(again) == repr(result)


def test_a_file_of_flat_weights_as_they_were_saved_earlier_is_read(result, tmp_path):
    result.save(tmp_path / "saved")
    _, saved = checkpoints.read(tmp_path / "saved")
    (tmp_path / "flat").write_bytes(checkpoints.encode({"weights": result.weights}, saved))
    assert distsearch.load(tmp_path / "flat").weights.tobytes() == result.weights.tobytes()
    for tensors in ({"weights": result.weights[1:]}, {"dense1.weights": np.zeros((3, 4), np.float32)}):
        (tmp_path / "flat").write_bytes(checkpoints.encode(tensors, saved))
        with pytest.raises(RunError, match="flat cannot be loaded: "):
            distsearch.load(tmp_path / "flat")


def test_frame_columns_are_found_by_name_after_loading(tmp_path):
    frame = pd.DataFrame(FEATURES, columns=["a", "b", "c"])
    distsearch.search(frame, LABELS, layers=[4], rounds=20, workers=0, scale=True).save(tmp_path / "saved")
    again = distsearch.load(str(tmp_path / "saved"))
    assert again.predict(frame[["c", "a", "b"]]).tolist() == again.predict(frame).tolist()
    assert again.score(frame[["b", "c", "a"]], LABELS) == again.score(frame, LABELS)


def test_a_run_s_folder_can_be_loaded(tmp_path):
    found = distsearch.search(FEATURES, LABELS, layers=[4], rounds=20, workers=0, runs=str(tmp_path), name="a")
    again = distsearch.load(tmp_path / "a")
    assert again.predict(FEATURES).tolist() == found.predict(FEATURES).tolist()
    assert again.history == found.history


def test_a_file_that_is_not_a_result_is_refused(result, tmp_path):
    result.save(tmp_path / "saved")
    damaged = bytearray((tmp_path / "saved").read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "damaged").write_bytes(damaged)
    with pytest.raises(RunError, match="damaged"):
        distsearch.load(tmp_path / "damaged")
    distsearch.Optimizer("snes", [0.0]).save(tmp_path / "other")
    with pytest.raises(RunError, match=r"was not written by SearchResult\.save"):
        distsearch.load(tmp_path / "other")
    distsearch.minimize(sphere, [0.0, 0.0], rounds=3, workers=0, runs=str(tmp_path), name="of-a-function")
    with pytest.raises(
        RunError, match=r"minimised a function: .*safetensors\.numpy\.load_file\('.*best\.safetensors'\)\['weights'\]"
    ):
        distsearch.load(tmp_path / "of-a-function")
    with pytest.raises(RunError, match="but there is nothing at .*none$"):
        distsearch.load(tmp_path / "none")
    with pytest.raises(SettingError, match="^path: expected the path of a file or of a run's folder, got 3$"):
        distsearch.load(3)


def test_labels_that_were_not_trained_on_cannot_be_scored(result):
    with pytest.raises(DataError, match="enormous"):
        result.score(FEATURES, np.where(LABELS == "high", "enormous", LABELS))


def test_its_repr_is_a_few_lines(result, numbers):
    for found in (result, numbers):
        lines = repr(found).splitlines()
        assert len(lines) <= 5
        assert f"loss       {found.loss:.6g}" in lines[1]
    assert f"accuracy   {result.accuracy:.2%}, on the test split {result.summary.test_accuracy:.2%}" in repr(result)


def test_a_notebook_shows_the_same_with_a_falling_curve(result, numbers):
    for found in (result, numbers):
        shown = ElementTree.fromstring(found._repr_html_())  # noqa: S314  (our own)
        cells = [cell.text for cell in shown.iter("td")]
        assert cells[0] == f"{found.loss:.6g}, found in round {found.summary.best_round}"
        points = [point.split(",") for point in shown.find(".//polyline").get("points").split()]
        heights = [float(down) for _, down in points]
        assert heights == sorted(heights)  # downwards on the page
        assert heights[0] < heights[-1]


def test_a_notebook_shows_a_result_without_rounds():
    found = distsearch.minimize(sphere, np.zeros(3), rounds=1, workers=0)
    assert "polyline" not in found._repr_html_()


def test_results_are_the_same_only_if_they_are_one(result, numbers):
    assert [numbers, result].index(result) == 1
    assert result != copy.deepcopy(result)
    assert {result: "kept"}[result] == "kept"


def test_the_history_is_a_data_frame_with_a_row_per_round(result):
    frame = result.to_frame()
    assert len(frame) == 60
    assert frame["best_loss"].iloc[-1] == result.loss
    assert frame["round"].tolist() == list(range(60))
