import numpy as np
import pytest
from problems import create, network_objective

from distsearch.candidates import Dense, Products


@pytest.mark.parametrize("rank", [1, 2, 5])
@pytest.mark.parametrize(("lo", "hi"), [(1, 9), (0, 9), (2, 7), (3, 4), (1, 3)])
def test_low_rank_candidates_are_the_same_ones_made_dense(rank, lo, hi):
    objective = network_objective("digits", (16, 12))
    strategy = create("evolution-strategy", {"population": 8, "rank": rank, "sigma": 0.3}, objective)
    state = strategy.init(objective.network.start("he", 0), 0)
    candidates = strategy.ask(state, lo, hi)
    weights = candidates.dense()
    assert weights.shape == (hi - lo, objective.space.weights_count)
    assert objective.losses(candidates, 0) == pytest.approx(objective.losses(Dense(weights), 0), rel=2e-5)


def test_a_layer_s_step_has_the_rank_and_the_deviation_that_were_asked_for():
    objective = network_objective("digits", (64,))
    strategy = create("evolution-strategy", {"population": 8, "rank": 2, "sigma": 0.3}, objective)
    state = strategy.init(objective.network.start("he", 0), 0)
    steps = strategy.ask(state, 1, 9).dense() - state.center
    layer = objective.network.layers[0]
    matrices = [layer.matrix(step) for step in steps]
    assert [np.linalg.matrix_rank(matrix, tol=1e-3) for matrix in matrices] == [2] * 8
    assert np.std(matrices) == pytest.approx(0.3, rel=0.1)
    assert steps[0] == pytest.approx(-steps[1], abs=1e-6)
    assert abs(np.corrcoef(steps[0], steps[2])[0, 1]) < 0.2


def test_the_first_layer_s_product_is_made_once_for_the_same_inputs():
    objective = network_objective("digits", (8,))
    center = objective.network.start("he", 0)
    products, layer = Products(center), objective.network.layers[0]
    inputs = objective.batches.train.inputs
    first = products.of(layer, inputs[:, :100])
    assert products.of(layer, inputs[:, :100]) is first
    other = products.of(layer, inputs[:, 100:200])
    assert other == pytest.approx(layer.matrix(center) @ inputs[:, 100:200], rel=1e-5, abs=1e-6)
    assert other is not first
