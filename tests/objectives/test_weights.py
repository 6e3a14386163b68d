"""Weights in the losses: 2 is like the row twice, 0 like the row left out, in every loss and for every strategy."""

import numpy as np
import pytest

from distsearch.candidates.base import Dense
from distsearch.data.datasets import from_arrays
from distsearch.machine import one_thread
from distsearch.networks.kinds import dense_network
from distsearch.objectives import losses
from distsearch.objectives.network import NetworkObjective
from distsearch.randomness import Stream, noise, signs

X = noise(1, Stream.DATA, 0, 0, 60, 4)
Y = np.arange(60) % 3
TIMES = np.arange(60) // 3 % 4  # how often each example counts: 0 to 3


WEIGHED = [name for name, kind in losses.LOSSES.own.items() if kind.weighs]


def objective(loss="cross-entropy", weights=None, times=None, batch=None, test_share=0.0):
    features, targets = (X, Y) if times is None else (np.repeat(X, times, axis=0), np.repeat(Y, times))
    dataset = from_arrays(
        features, targets, numbers=losses.create(loss).numbers, weights=weights, test_share=test_share
    )
    network = dense_network(4, (5,), dataset.schema.outputs, "relu")
    return NetworkObjective.of(dataset, network, losses.create(loss), batch)


def candidates(network, count=7):
    return noise(2, Stream.CANDIDATES, 0, 0, count, network.weights_count)


@pytest.mark.parametrize("loss", WEIGHED)
def test_a_weight_is_the_number_of_times_a_row_counts(loss):
    weighted, repeated = objective(loss, 5.0 * TIMES), objective(loss, times=TIMES)
    tried = candidates(weighted.network)
    found = weighted.losses(Dense(tried), 0)
    assert found == pytest.approx(repeated.losses(Dense(tried), 0), rel=1e-5)
    assert found != pytest.approx(objective(loss).losses(Dense(tried), 0), rel=1e-3)


@pytest.mark.parametrize("loss", WEIGHED)
def test_a_weighted_loss_has_the_same_bits_alone_in_any_tile_and_measured(loss):
    weighted = objective(loss, TIMES)
    tried = candidates(weighted.network)
    with one_thread():
        together = weighted.losses(Dense(tried), 0)
        for size in (1, 2, 5):
            parts = [weighted.losses(Dense(tried[at : at + size]), 0) for at in range(0, len(tried), size)]
            assert np.concatenate(parts).tobytes() == together.tobytes()
        assert weighted.measure(tried[3]).loss == together[3]


def test_node_perturbation_sees_the_weighted_loss():
    """The gradient that node perturbation estimates is that of the repeated rows, each with its own example's signs."""
    weighted, repeated = objective(weights=TIMES), objective(times=TIMES)
    weights = candidates(weighted.network, 1)[0]
    kept = TIMES > 0
    drawn = signs(0, Stream.SIGNS, 0, 0, 0, 8, 64)[:, : kept.sum()]
    found = []
    for each, own in (
        (weighted, drawn),
        (repeated, np.repeat(drawn, TIMES[kept], axis=1)),
        (objective(weights=kept), drawn),
    ):
        count = len(each.batches.train)
        experiments = each.experiments(weights, 0, slice(0, count))
        gradient = np.empty(weights.size, np.float32)
        experiments.gradient([0, 8], own, 0.01, 128, gradient)
        found.append((experiments.losses.mean(), gradient / count))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    assert np.abs(found[0][1] - found[1][1]).max() < 1e-3  # σ is relative to the inputs, of which there are others
    assert np.abs(found[0][1] - found[2][1]).max() > 0.05


def test_minibatches_of_weighted_examples_add_up_to_all_of_them():
    weights = 1.0 + np.arange(60) % 5
    whole, batched = objective(weights=weights), objective(weights=weights, batch=20)
    tried = candidates(whole.network)
    mean = np.mean([batched.losses(Dense(tried), number) for number in range(3)], axis=0)
    assert mean == pytest.approx(whole.losses(Dense(tried), 0), rel=1e-5)
    some = np.concatenate([batched.batches.some(1, slice(at, at + 5)).weights for at in range(0, 20, 5)])
    assert some.tolist() == batched.batches.of(1).weights.tolist()


def test_accuracy_ignores_weights():
    weights = np.where(Y == 0, 10, 1)
    plain, weighted = objective(test_share=0.5), objective(weights=weights, test_share=0.5)
    center = candidates(plain.network, 1)[0]
    one, other = plain.measure(center), weighted.measure(center)
    assert (one.accuracy, one.test_accuracy) == (other.accuracy, other.test_accuracy)
    assert one.loss != other.loss
    assert one.test_loss != other.test_loss
