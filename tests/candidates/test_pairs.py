import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from problems import create, network_objective

from distsearch.candidates.base import Dense
from distsearch.candidates.blocks import Block
from distsearch.candidates.pairs import FullRank, LowRank, Pairs, Products, tiles
from distsearch.objectives.network import NetworkObjective
from distsearch.strategies.base import State
from distsearch.strategies.population import PopulationStrategy


def spread(pairs: Pairs, steps: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """The steps of the pairs that these units need, placed in the buffer where there is room for them."""
    out = np.full((len(pairs), *middle.shape), np.nan, np.float32)
    room = pairs.minus(out)
    room[:] = steps[pairs.first : pairs.last]
    pairs.spread(middle, room, out)
    return out


@pytest.mark.parametrize("shape", [(5,), (3, 4)])
@pytest.mark.parametrize("lo", range(8))
@pytest.mark.parametrize("count", range(1, 8))
def test_any_range_of_units_is_the_center_plus_and_minus_its_steps(shape, lo, count):
    random = np.random.default_rng(0)
    steps, middle = random.normal(size=(8, *shape)).astype("f"), random.normal(size=shape).astype("f")
    whole = [middle]
    for step in steps:
        whole += [middle + step, middle - step]
    assert spread(Pairs(lo, lo + count), steps, middle).tolist() == [each.tolist() for each in whole[lo : lo + count]]


@pytest.mark.parametrize("hi", range(1, 6))
def test_the_center_is_exact_whatever_its_zeros_and_steps(hi):
    middle = np.array([-0.0, 0.0, 1.0], np.float32)
    steps = np.array([[1.0, -1.0, np.inf], [1.0, 1.0, 1.0]], np.float32)
    assert spread(Pairs(0, hi), steps, middle)[0].tobytes() == middle.tobytes()


@pytest.mark.parametrize(("lo", "hi", "first", "last"), [(0, 1, 0, 0), (5, 9, 2, 4), (4, 5, 1, 2), (0, 3, 0, 1)])
def test_only_the_steps_in_use_are_drawn(lo, hi, first, last):
    assert (Pairs(lo, hi).first, Pairs(lo, hi).last) == (first, last)


@pytest.mark.parametrize(
    ("units", "size", "apart", "expected"),
    [
        (17, 64, False, [0, 17]),
        (17, 4, False, [0, 5, 9, 13, 17]),
        (17, 4, True, [0, 1, 5, 9, 13, 17]),
        (7, 1, False, [0, 3, 5, 7]),
        (17, 5, False, [0, 5, 9, 13, 17]),
        (3, 8, True, [0, 1, 3]),
    ],
)
def test_no_tile_splits_a_pair(units, size, apart, expected):
    assert tiles(units, size, apart) == expected


def asked(chosen: dict, hidden: tuple[int, ...] = (16, 12)) -> tuple[NetworkObjective, PopulationStrategy, State]:
    objective = network_objective("digits", hidden)
    strategy = create(chosen.pop("strategy", "evolution-strategy"), chosen, objective)
    return objective, strategy, strategy.init(objective.network.start("he", 0), 0)


CHOSEN = [
    {"strategy": "snes", "sigma": 0.3, "population": 9},
    *({"population": 8, "rank": rank, "sigma": 0.3} for rank in (0, 1, 2, 5)),
]


@pytest.mark.parametrize("chosen", CHOSEN, ids=["snes", "dense", "rank 1", "rank 2", "rank 5"])
@pytest.mark.parametrize("hidden", [(), (16, 12)])
@pytest.mark.parametrize(("lo", "hi"), [(1, 9), (0, 9), (2, 7), (3, 4), (1, 3)])
def test_their_losses_equal_those_of_the_dense_candidates(chosen, hidden, lo, hi):
    objective, strategy, state = asked({**chosen}, hidden)
    candidates = strategy.ask(state, lo, hi)
    weights = candidates.dense()
    assert weights.shape == (hi - lo, objective.network.weights_count)
    assert objective.losses(candidates, 0) == pytest.approx(objective.losses(Dense(weights), 0), rel=2e-5)


@pytest.mark.parametrize("hidden", [(), (16, 12)])
@pytest.mark.parametrize("chosen", [{"strategy": "snes"}, {"rank": 0}], ids=["snes", "dense"])
def test_the_center_has_the_same_loss_alone_and_among_its_pairs(chosen, hidden):
    objective, strategy, state = asked({**chosen}, hidden)
    among = objective.losses(strategy.ask(state, 0, 9), 0)[0]
    assert among == objective.losses(Dense(state.center[np.newaxis]), 0)[0] == objective.measure(state.center).loss


def test_low_rank_noise_is_never_made_dense():
    _, dense, state = asked({"rank": 0})
    _, low, _ = asked({"rank": 2})
    assert (type(dense.ask(state, 1, 5)), type(low.ask(state, 1, 5))) == (FullRank, LowRank)


def test_a_layer_s_step_has_the_requested_rank_and_deviation():
    objective, strategy, state = asked({"population": 8, "rank": 2, "sigma": 0.3}, (64,))
    steps = strategy.ask(state, 1, 9).dense() - state.center
    block = objective.network.blocks[0]
    matrices = [block.matrix(step) for step in steps]
    assert [np.linalg.matrix_rank(matrix, tol=1e-3) for matrix in matrices] == [2] * 8
    assert np.std(matrices) == pytest.approx(0.3, rel=0.1)
    assert steps[0] == pytest.approx(-steps[1], abs=1e-6)
    assert abs(np.corrcoef(steps[0], steps[2])[0, 1]) < 0.2


def test_a_block_s_product_is_computed_once_per_center_and_inputs():
    objective = network_objective("digits", (8,))
    center, other_center = objective.network.start("he", 0), objective.network.start("he", 1)
    products, block = Products(), objective.network.blocks[0]
    some, others = (chunk.inputs for chunk in objective.batches.train.chunks(100)[:2])
    first = products.of(center, block, some)
    assert first == pytest.approx(block.matrix(center) @ some.array, rel=1e-5, abs=1e-6)
    assert products.of(center, block, some) is first
    other = products.of(center, block, others)
    assert other == pytest.approx(block.matrix(center) @ others.array, rel=1e-5, abs=1e-6)
    further_on = Block(1, block.rows, block.columns)
    moved = products.of(center, further_on, some)
    assert moved == pytest.approx(further_on.matrix(center) @ some.array, rel=1e-5, abs=1e-6)
    assert products.of(center, block, some) is first
    after = products.of(other_center, block, some)
    assert after == pytest.approx(block.matrix(other_center) @ some.array, rel=1e-5, abs=1e-6)


def test_threads_do_not_mix_up_the_products_of_their_centers():
    objective = network_objective("digits", (8,))
    center, other = objective.network.start("he", 0), objective.network.start("he", 1)
    products, block = Products(), objective.network.blocks[0]
    inputs = objective.batches.train.chunks(100)[0].inputs

    class Overtaken:
        """A block whose product another thread requests while this one is about to compute its own."""

        start = block.start

        def matrix(self, weights: np.ndarray) -> np.ndarray:
            with ThreadPoolExecutor(1) as thread:
                thread.submit(products.of, other, block, inputs).result()
            return block.matrix(weights)

    assert products.of(center, Overtaken(), inputs).tobytes() == Products().of(center, block, inputs).tobytes()
    assert products.of(other, block, inputs).tobytes() == Products().of(other, block, inputs).tobytes()


def test_cached_products_are_not_pickled():
    objective, strategy, state = asked({})
    objective.losses(strategy.ask(state, 0, 9), 0)
    assert len(pickle.dumps(strategy)) < 10_000
