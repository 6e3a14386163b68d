import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from problems import network_objective, sphere

from distsearch.candidates.base import Dense
from distsearch.data import datasets
from distsearch.errors import ObjectiveError
from distsearch.machine import one_thread
from distsearch.networks.kinds import dense_network
from distsearch.objectives import losses
from distsearch.objectives import network as objective_module
from distsearch.objectives.function import FunctionObjective
from distsearch.objectives.network import NetworkObjective
from distsearch.randomness import Stream, noise


@pytest.mark.parametrize(
    ("source", "hidden", "loss", "batch"),
    [
        ("vertical", (3,), "cross-entropy", None),
        ("vertical", (), "classification-error", None),
        ("spiral", (64,), "cross-entropy", None),
        ("digits", (64, 32), "cross-entropy", None),
        ("digits", (32,), "mean-squared-error", None),
        ("iris", (8,), "mean-absolute-error", None),
        *(("digits", (32,), loss, batch) for loss in losses.LOSSES.own for batch in (1, 2, 3)),
    ],
)
def test_a_candidate_s_loss_is_the_same_to_the_bit_alone_and_in_any_tile(source, hidden, loss, batch):
    objective = network_objective(source, hidden, loss=loss, batch=batch)
    weights = noise(0, Stream.CANDIDATES, 0, 0, 13, objective.network.weights_count)
    with one_thread():
        together = objective.losses(Dense(weights), 0)
        for size in (1, 2, 5):
            parts = [objective.losses(Dense(weights[at : at + size]), 0) for at in range(0, 13, size)]
            assert np.concatenate(parts).tobytes() == together.tobytes()


def test_the_loss_of_many_chunks_is_the_mean_over_all_examples(monkeypatch):
    whole = network_objective("digits", (16,))
    monkeypatch.setattr(objective_module, "CACHE_BYTES", 1)
    monkeypatch.setattr(objective_module, "SMALLEST_CHUNK", 100)
    cut = network_objective("digits", (16,))
    assert cut.tiling.examples == 100
    assert len(cut.batches.train) == 1797
    weights = noise(0, Stream.CANDIDATES, 0, 0, 3, whole.network.weights_count)
    assert cut.losses(Dense(weights), 0) == pytest.approx(whole.losses(Dense(weights), 0), rel=1e-5)


def test_accuracy_is_the_share_of_correct_predictions():
    objective = network_objective("iris", ())
    weights = np.zeros(objective.network.weights_count, np.float32)
    matrix = weights.reshape(3, 5)
    matrix[0, -1] = 1  # always the first class, which is a third of the examples
    measured = objective.measure(weights)
    assert measured.accuracy == pytest.approx(1 / 3)
    assert measured.loss == objective.losses(Dense(weights[np.newaxis]), 0)[0]
    assert (measured.test_loss, measured.test_accuracy) == (None, None)


def test_a_regression_has_no_accuracy():
    dataset = datasets.from_arrays([[0.0], [1.0], [2.0]], [0.0, 0.5, 1.0], numbers=True)
    objective = NetworkObjective.of(dataset, dense_network(1, (), 1, "relu"), losses.create("mean-squared-error"))
    assert objective.measure(np.array([0.5, 0], np.float32)) == (0, *[None] * 6)
    assert objective.losses(Dense(np.array([[0.5, 0], [0.5, 1]], np.float32)), 0).tolist() == [0, 1]


def test_tiles_stay_within_the_cache_for_large_data():
    tile, chunk, _ = objective_module._tiling(neurons=139, examples=60_000)
    assert (tile, chunk) == (1, 3771)
    tile, chunk, _ = objective_module._tiling(neurons=7, examples=300)
    assert chunk == 300
    assert tile == objective_module.LARGEST_TILE
    tile, chunk, _ = objective_module._tiling(neurons=43, examples=1437)
    assert chunk == 1437
    assert 4 * 43 * tile * chunk <= objective_module.CACHE_BYTES < 4 * 43 * 2 * tile * chunk


def test_overflow_causes_no_warning_in_our_threads_and_still_does_in_others():
    def lose(objective: NetworkObjective) -> float:
        weights = np.full((1, objective.network.weights_count), 1e38, np.float32)
        return float(objective.losses(Dense(weights), 0)[0])

    before = np.geterr()
    with warnings.catch_warnings(), ThreadPoolExecutor(4) as threads:
        warnings.simplefilter("error")
        found = list(threads.map(lose, [network_objective("digits", (16,)) for _ in range(8)]))
        assert not np.isfinite([*found, lose(network_objective())]).any()
    assert np.geterr() == before


def test_a_function_s_losses_are_its_values():
    objective = FunctionObjective(sphere, 2)
    assert objective.losses(Dense(np.array([[1, 1], [0, 3]], np.float32)), 0).tolist() == [0, 5]


def test_a_function_that_returns_no_number_is_reported():
    objective = FunctionObjective(lambda weights: "low", 2)
    with pytest.raises(ObjectiveError, match="expected a number from the function, got 'low'"):
        objective.losses(Dense(np.zeros((1, 2), np.float32)), 0)
