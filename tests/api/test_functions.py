import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import enumerate as enumerate_threads

import numpy as np
import pytest
from problems import sphere
from scipy import sparse
from waiting import awaited

import distsearch
from distsearch.api import functions
from distsearch.config.sections import NetworkConfig
from distsearch.data.datasets import from_arrays
from distsearch.errors import DataError, ObjectiveError, SettingError, TooLargeError
from distsearch.objectives.model import Model
from distsearch.randomness import Stream, noise
from distsearch.runs.directory import StoredRun
from distsearch.runs.layout import run_paths
from distsearch.strategies.base import State
from distsearch.workers import late
from distsearch.workers.place import OPENING


@pytest.fixture
def xor():
    """Four clouds of points at the corners of a square; opposite corners are of one class."""
    corners = np.arange(200) % 4
    features = np.stack([corners & 1, corners >> 1], axis=1) + 0.1 * noise(5, Stream.DATA, 0, 0, 200, 2)
    return features, (corners & 1) ^ (corners >> 1)


def test_a_network_is_searched_and_predicts(xor):
    X, y = xor
    result = distsearch.search(X, y, layers=[8], strategy="hill-climb", rounds=400, workers=0, start="he")
    assert result.accuracy == 1.0
    predicted = result.predict(X.tolist())
    assert predicted.dtype == y.dtype
    assert predicted.tolist() == y.tolist()
    assert len(result.history) == 400
    assert result.history[-1].best_loss == result.loss
    assert result.weights.shape == (8 * 3 + 2 * 9,)


def test_threads_can_share_one_result(xor):
    X, y = xor
    result = distsearch.search(X, y, layers=[64], rounds=20, workers=0, start="he")
    inputs = [X, 10 * X, -X, X[::-1]]
    expected = [result.predict(each).tolist() for each in inputs]

    def differences(number: int) -> int:
        return sum(result.predict(inputs[number]).tolist() != expected[number] for _ in range(200))

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(differences, range(4))) == [0, 0, 0, 0]


def test_labels_may_be_strings(xor):
    X, y = xor
    names = np.array(["same", "different"])[y]
    result = distsearch.search(X, names, layers=[8], rounds=400, workers=0, start="he", scale=True)
    assert result.predict(X).tolist() == names.tolist()


def of_objects(*values) -> np.ndarray:
    return np.array([*values, None], object)[:-1]


@pytest.mark.parametrize(
    "names",
    [
        np.array([False, True]),
        np.array(["01", "1.0"]),
        np.array(["1", "1.0"], object),
        np.array([b"no", b"yes"]),
        of_objects(7, 2**70),
        of_objects(False, True),
        np.array([2**64 - 1, 2**64 - 2], np.uint64),
        np.array([-1, 1], np.int8),
        np.array([0.1, 0.2], np.float32),
        np.array([1.0, 2.0]),
    ],
    ids=lambda names: f"{names.dtype} {names[0]!r}",
)
@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_labels_come_back_unchanged_with_the_reported_accuracy(xor, names, shape):
    X, y = xor[0], names[xor[1]].reshape(shape)
    result = distsearch.search(X, y, layers=[8], rounds=100, workers=0, start="he", scale=True)
    predicted = result.predict(X)
    assert predicted.dtype == y.dtype
    assert predicted.shape == y.shape
    assert (predicted == y).mean() == result.accuracy > 0.7


def test_with_tied_classes_the_accuracy_is_that_of_the_predictions(xor):
    """A network whose weights are all zero ties: the first class is predicted, which is right for half."""
    dataset = from_arrays(*xor, numbers=False)
    weights = np.zeros(3 * 3 + 2 * 4, np.float32)
    for loss in ("cross-entropy", "classification-error"):
        model = Model(NetworkConfig(loss=loss), dataset.schema, weights)
        assert model.scores(dataset.train).accuracy == (model.predict(dataset.train.features) == xor[1]).mean() == 0.5
    assert model.scores(dataset.train).loss == 1  # a tie is no hit


@pytest.mark.parametrize("shape", [(50,), (50, 1), (25, 2)])
def test_numeric_predictions_have_the_shape_of_the_targets(shape):
    y = np.linspace(0, 1, 50).reshape(shape)
    result = distsearch.search(np.ones((len(y), 3)), y, loss="mean-squared-error", rounds=2, workers=0)
    assert result.predict(np.ones((7, 3))).shape == (7, *shape[1:])


def test_dates_as_labels_are_refused():
    dates = np.array(["2020-01-01", "2020-01-02"], "M8[D]")
    with pytest.raises(DataError, match=r"got datetime64\[D\]"):
        distsearch.search([[1], [2]], dates, workers=0)


def test_a_warning_names_features_that_should_be_centred(xor, caplog):
    X, y = xor
    distsearch.search(X + 1, y, rounds=1, workers=0, loss="classification-error")
    (record,) = caplog.records
    assert (record.name.partition(".")[0], record.levelname) == ("distsearch", "WARNING")
    assert 'scale="yes" standardises' in record.getMessage()
    caplog.clear()
    distsearch.search(X + 1, y, rounds=1, workers=0, loss="classification-error", scale=True)
    assert caplog.records == []


@pytest.mark.parametrize("size", [1e5, 1e-5])
def test_features_and_targets_of_any_scale_are_learnt_equally_well(xor, size):
    X = np.asarray(xor[0], np.float64)
    y = 3 * X[:, 0] - X[:, 1] + 20
    settings = {"rounds": 60, "workers": 0, "layers": [8], "strategy": "node-perturbation", "scale": "yes"}
    one, other = distsearch.search(X, y, **settings), distsearch.search(X / size, y * size, **settings)
    assert one.score(X, y) > 0.9
    assert other.score(X / size, y * size) == pytest.approx(one.score(X, y), abs=1e-4)
    assert other.loss == pytest.approx(one.loss * size**2, rel=1e-3)
    assert other.loss == pytest.approx(np.mean((other.predict(X / size) - y * size) ** 2), rel=1e-3)
    assert other.evaluate(X / size, y * size).loss == pytest.approx(other.loss, rel=1e-6)


def test_a_regression_fits_numbers():
    X = np.linspace(-1, 1, 50)[:, np.newaxis]
    y = 3 * X[:, 0] - 1
    result = distsearch.search(X, y, layers=[], loss="mean-squared-error", rounds=300, workers=0)
    assert result.accuracy is None
    assert result.predict([[0.0], [1.0]]) == pytest.approx(np.array([-1.0, 2.0]), abs=0.01)


@pytest.mark.slow
def test_ray_gives_the_same_weights(xor, ray_with_three_cpus):
    X, y = xor
    alone, pool = (distsearch.search(X, y, layers=[8], rounds=20, workers=workers, start="he") for workers in (0, 2))
    assert pool.weights.tobytes() == alone.weights.tobytes()


@pytest.mark.slow
def test_while_all_cores_are_taken_the_search_continues_in_the_driver(xor, said, monkeypatch, ray_with_three_cpus):
    import ray

    class Holding:
        def holds(self):
            return True

    monkeypatch.setattr(late, "START_SECONDS", 0.1)
    monkeypatch.setattr(late, "SHORTEST_ROUND", 0.0)
    holding = [ray.remote(num_cpus=1)(Holding).remote() for _ in range(3)]
    assert ray.get([actor.holds.remote() for actor in holding]) == [True] * 3
    result = distsearch.search(*xor, layers=[8], seconds=2, strategy="hill-climb", population=128)
    assert result.summary.reason == "seconds"
    assert result.summary.rounds > 1
    assert said == ["the Ray cluster's CPUs (3) are all taken: the search continues in this process until one is free"]
    for actor in holding:
        ray.kill(actor)
    awaited(
        "the workers that came too late to be gone", lambda: OPENING not in [each.name for each in enumerate_threads()]
    )


def test_a_function_is_minimized():
    result = distsearch.minimize(sphere, np.zeros(5), rounds=300, workers=0)
    assert result.loss < 1e-4
    assert result.weights == pytest.approx(np.ones(5), abs=0.02)


@pytest.mark.parametrize(
    ("settings", "horizon"),
    [
        ({"strategy": "evolution-strategy", "schedule": "cosine", "rounds": 7}, 7),
        ({"strategy": "evolution-strategy", "schedule": "cosine"}, 1000),
        ({"strategy": "annealing", "rounds": 7}, 7),
        ({"strategy": "annealing", "seconds": 1e-6}, 1000),
    ],
)
def test_schedules_span_the_rounds_of_a_function_s_search(tmp_path, settings, horizon):
    distsearch.minimize(sphere, np.zeros(5), workers=0, name="a", runs=str(tmp_path), **settings)
    assert StoredRun(tmp_path / "a").config.settings["horizon"] == horizon


def test_the_reason_for_a_strategy_is_logged_for_functions_too(caplog):
    caplog.set_level("INFO", "distsearch")
    distsearch.minimize(sphere, np.zeros(5), workers=0, strategy="auto", rounds=1)
    assert "strategy cma-es: a function of 5 weights" in caplog.text


def failing_later(weights):
    if np.any(weights):
        raise OSError("the simulator is gone")
    return 1.0


def test_an_error_leaves_a_run_that_was_only_to_be_published(tmp_path, monkeypatch):
    def fails(record):
        if record.round == 4:
            raise ZeroDivisionError

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    flags = {"workers": 0, "storage": str(tmp_path / "kept")}
    distsearch.minimize(sphere, np.zeros(5), rounds=6, **flags)
    monkeypatch.setattr(functions.session, "_manifest", lambda assembly: 1 / 0)  # before anything is saved
    with pytest.raises(ZeroDivisionError):
        distsearch.minimize(sphere, np.zeros(5), rounds=6, **flags)
    monkeypatch.undo()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    assert not any((tmp_path / "temporary").iterdir())
    with pytest.raises(ObjectiveError) as failed:
        distsearch.minimize(failing_later, np.zeros(5), rounds=6, **flags)
    [path] = (tmp_path / "temporary").glob("*/*")
    assert f"The run up to here is kept in {path}." in failed.value.__notes__
    shutil.rmtree(path.parent)
    with pytest.raises(ZeroDivisionError) as caught:
        distsearch.minimize(sphere, np.zeros(5), rounds=6, callbacks=fails, **flags)
    [path] = (tmp_path / "temporary").glob("*/*")
    assert caught.value.__notes__[0] == f"The run up to here is kept in {path}."
    assert distsearch.resume(path, function=sphere, rounds=1).summary.rounds == 6


def test_a_function_s_run_keeps_its_storage_as_an_absolute_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    distsearch.minimize(sphere, np.zeros(5), workers=0, rounds=1, name="a", runs="runs", storage="kept")
    assert StoredRun(tmp_path / "runs" / "a").config.output.storage == str(tmp_path / "kept")


def test_a_step_function_without_a_gradient_is_minimised():
    result = distsearch.minimize(lambda w: float(np.abs(np.round(w * 4)).sum()), [2, -3, 1], rounds=300, workers=0)
    assert result.loss == 0


def test_a_run_is_kept_only_where_it_is_asked_to_be(tmp_path, monkeypatch, xor):
    monkeypatch.chdir(tmp_path)
    distsearch.search(*xor, rounds=3, workers=0)
    assert not list(tmp_path.iterdir())
    result = distsearch.search(*xor, rounds=3, workers=0, name="kept", runs="here")
    assert list(StoredRun(tmp_path / "here" / "kept").history()) == result.history


def test_settings_may_be_numpy_scalars_and_paths(tmp_path, monkeypatch, xor):
    monkeypatch.setenv("HOME", str(tmp_path))
    plain = distsearch.search(*xor, layers=[4], seed=3, rounds=5, sigma=0.25, workers=0)
    given = {"seed": np.int64(3), "rounds": np.uint8(5), "sigma": np.float32(0.25), "workers": np.int32(0)}
    for layers, runs in ((4, Path("~/a")), (np.array([4]), tmp_path / "b"), ((np.int8(4),), str(tmp_path / "c"))):
        result = distsearch.search(*xor, layers=layers, runs=runs, **given)
        assert result.weights.tobytes() == plain.weights.tobytes()
    runs = [path for folder in "abc" for path in run_paths(tmp_path / folder)]
    assert len(runs) == 3
    assert all(StoredRun(path).config.network.layers == (4,) for path in runs)


def test_a_function_that_is_never_finite_ends_the_search_and_keeps_the_state(tmp_path):
    with pytest.raises(ObjectiveError, match="none of the 32 candidates has a finite loss"):
        distsearch.minimize(lambda weights: float("nan"), [1.0, 2.0], workers=0, name="nan", runs=str(tmp_path))
    assert StoredRun(tmp_path / "nan").state(State).center.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: distsearch.search([[1], [2]], [0, 0], workers=0), "2 classes"),
        (lambda: distsearch.search([[1], [float("inf")]], [0, 1], workers=0), "finite"),
        (lambda: distsearch.search([[1], [2]], [0, 1, 2], workers=0), "3"),
        (lambda: distsearch.minimize(sphere, [[1.0]], workers=0), "start: expected finite weights"),
        (lambda: distsearch.minimize(sphere, [], workers=0), "start: expected finite weights"),
    ],
)
def test_arrays_of_the_wrong_shape_are_refused(call, sentence):
    with pytest.raises(DataError, match=sentence):
        call()


@pytest.mark.parametrize(
    "search",
    [
        lambda **flags: distsearch.search([[1], [2]], [0.5, 1], loss="mean-absolute-error", **flags),
        lambda **flags: distsearch.minimize(sphere, [0.0], **flags),
    ],
)
def test_a_target_accuracy_is_refused_where_there_is_no_accuracy(search):
    with pytest.raises(SettingError, match="target_accuracy: expected a classification"):
        search(target_accuracy=0.9, workers=0, rounds=1)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"lairs": [3]}, "^unknown setting 'lairs': did you mean 'layers'"),
        ({"populaton": 3}, "^unknown setting 'populaton': did you mean 'population'"),
        (
            {"strategy": "hill-climb", "rate": 0.1},
            "^rate: a setting of evolution-strategy, node-perturbation, not of hill-climb; .* as strategy$",
        ),
        ({"strategy": "auto", "sigmma": 1.0}, "^unknown setting 'sigmma': did you mean 'sigma'"),
        ({"workers": -1}, "^workers: expected a whole number >= 0, got -1"),
        ({"rounds": "5"}, "^rounds: expected a whole number, got '5'"),
        ({"sigma": float("nan")}, "sigma: expected a finite number, got nan"),
    ],
)
def test_an_invalid_setting_is_refused_by_name(settings, sentence):
    with pytest.raises(SettingError, match=sentence):
        distsearch.search([[1], [2]], [0, 1], **{"workers": 0, **settings})


@pytest.mark.parametrize(
    ("X", "y", "sentence"),
    [
        ((row for row in [[1], [2]]), [0, 1], r"expected features as an array, got <generator .*; make a list of it"),
        ([[1], [2]], {"a": 1}, r"expected targets as an array, got {'a': 1}"),
        (None, [0, 1], "expected features as an array, got None"),
        ([[1], [2]], None, "y: expected the targets of X, one for each example, got None"),
        ([[1], [2, 3]], [0, 1], "expected features that form an array"),
        ([[1j], [2j]], [0, 1], "expected numeric features, got complex128"),
        ([1, 2], [0, 1], r"expected features of shape \(examples, features\), got \(2,\)"),
        ([], [], "expected features of shape|at least one example"),
        (np.zeros((2, 0)), [0, 1], "at least one example with at least one feature"),
        ([[1], [np.inf]], [0, 1], "index 1: expected a finite number .* got inf"),
        ([[1], [2]], [0, np.nan], "index 1: expected a target in column 'y', got nan; fill it in or remove the row"),
        ([[1], [2]], [0], "expected one target per example, got 1 for 2 examples"),
    ],
)
def test_values_that_are_not_arrays_are_refused_in_a_sentence(X, y, sentence):
    with pytest.raises(DataError, match=sentence):
        distsearch.search(X, y, workers=0, rounds=1)


def test_a_sparse_matrix_is_converted_to_a_dense_one(xor):
    X, y = xor
    dense = distsearch.search(X, y, rounds=3, workers=0)
    for matrix in (sparse.csr_matrix(X), sparse.coo_array(X)):
        found = distsearch.search(matrix, y, rounds=3, workers=0)
        assert found.weights.tobytes() == dense.weights.tobytes()
        assert found.predict(matrix).tolist() == dense.predict(X).tolist()
    huge = sparse.coo_array(([1.0], ([0], [0])), shape=(10**6, 10**9))
    with pytest.raises(TooLargeError, match=r"features of shape \(1000000, 1000000000\) as a dense array"):
        distsearch.search(huge, np.zeros(10**6), workers=0)


def test_features_other_than_those_trained_on_are_refused(xor):
    result = distsearch.search(*xor, rounds=2, workers=0)
    with pytest.raises(DataError, match="expected the 2 training features, got 3"):
        result.predict([[1, 2, 3]])


@pytest.mark.parametrize("name", ["layers", "loss", "activation", "scale", "batch", "data", "test_share"])
def test_minimize_refuses_settings_of_networks_and_data(name):
    with pytest.raises(SettingError, match=rf"^{name}: has no effect .* neither data nor a network"):
        distsearch.minimize(lambda weights: 0.0, [1.0], **{name: "nonsense"})


@pytest.mark.parametrize("name", ["data", "target", "points", "classes"])
def test_search_refuses_the_name_of_data_beside_arrays(name):
    with pytest.raises(SettingError, match=rf"^{name}: has no effect here, .* learns from X and y: leave"):
        distsearch.search([[0.0], [1.0]], [0, 1], **{name: "iris"})
