import copy

import numpy as np
import pytest

from distsearch.errors import DataError
from distsearch.objectives.batches import Batches, Split
from distsearch.randomness import Stream, permutation


def split(examples: int) -> Split:
    numbers = np.arange(examples, dtype=np.float32)
    return Split(np.stack([numbers, np.ones_like(numbers)]), -numbers[np.newaxis])


def test_without_a_size_every_round_sees_all_examples():
    batches = Batches(split(10))
    assert not batches.minibatch
    assert batches.of(3) is batches.train


def test_an_epoch_sees_every_example_once_and_each_epoch_in_another_order():
    batches = Batches(split(12), 4)
    epochs = [np.concatenate([batches.of(3 * epoch + number).inputs[0] for number in range(3)]) for epoch in range(3)]
    for seen in epochs:
        assert sorted(seen) == list(range(12))
    assert len({seen.tobytes() for seen in epochs}) == 3


def test_inputs_and_targets_belong_together():
    batch = Batches(split(50), 7).of(5)
    assert batch.inputs.shape == (2, 7)
    assert (batch.targets[0] == -batch.inputs[0]).all()
    assert (batch.inputs[1] == 1).all()


def test_what_fills_no_minibatch_waits_for_another_epoch():
    batches = Batches(split(10), 4)
    seen = np.concatenate([batches.of(number).inputs[0] for number in range(2)])
    assert len(set(seen)) == 8
    assert [len(batches.places(number)) for number in range(6)] == [4] * 6
    for epoch in range(3):  # each begins anew, with as many whole minibatches as there are
        order = permutation(0, Stream.BATCHES, epoch, 10)
        assert batches.places(2 * epoch).tolist() == order[:4].tolist()
        assert batches.places(2 * epoch + 1).tolist() == order[4:8].tolist()


def test_a_round_s_examples_depend_on_seed_and_round_alone():
    batches, others = Batches(split(100), 8, seed=1), Batches(split(100), 8, seed=2)
    expected = [batches.places(number).tolist() for number in range(30)]
    again = copy.deepcopy(batches)  # as a worker gets it, without what was kept for the latest round
    assert [again.places(number).tolist() for number in reversed(range(30))] == expected[::-1]
    assert others.places(0).tolist() != expected[0]


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(DataError, match="data.batch: expected at most 10, the training examples there are, got 11"):
        Batches(split(10), 11)
    assert not Batches(split(10), 10).minibatch
