import copy
import pickle

import numpy as np
import pytest

from distsearch.errors import DataError
from distsearch.objectives.batches import Batches, Columns
from distsearch.randomness import Stream, permutation


def columns(examples: int) -> Columns:
    numbers = np.arange(examples, dtype=np.float32)
    return Columns(np.stack([numbers, np.ones_like(numbers)]), -numbers[np.newaxis])


def test_without_a_batch_size_every_round_sees_all_examples():
    batches = Batches(columns(10))
    assert not batches.minibatch
    assert batches.of(3) is batches.train


def test_an_epoch_sees_every_example_once_and_in_a_new_order():
    batches = Batches(columns(12), 4)
    epochs = [np.concatenate([batches.of(3 * epoch + number).inputs[0] for number in range(3)]) for epoch in range(3)]
    for seen in epochs:
        assert sorted(seen) == list(range(12))
    assert len({seen.tobytes() for seen in epochs}) == 3


def test_inputs_and_targets_stay_together():
    batch = Batches(columns(50), 7).of(5)
    assert batch.inputs.shape == (2, 7)
    assert (batch.targets[0] == -batch.inputs[0]).all()
    assert (batch.inputs[1] == 1).all()


def test_examples_that_do_not_fill_a_minibatch_wait_for_another_epoch():
    batches = Batches(columns(10), 4)
    seen = np.concatenate([batches.of(number).inputs[0] for number in range(2)])
    assert len(set(seen)) == 8
    assert [len(batches.places(number)) for number in range(6)] == [4] * 6
    for epoch in range(3):  # each epoch starts afresh, with the whole minibatches there are
        order = permutation(0, Stream.BATCHES, epoch, 10)
        assert batches.places(2 * epoch).tolist() == order[:4].tolist()
        assert batches.places(2 * epoch + 1).tolist() == order[4:8].tolist()


def test_a_round_s_examples_depend_only_on_seed_and_round():
    batches, others = Batches(columns(100), 8, seed=1), Batches(columns(100), 8, seed=2)
    expected = [batches.places(number).tolist() for number in range(30)]
    again = copy.deepcopy(batches)  # as a worker receives it, without the cache of the latest round
    assert [again.places(number).tolist() for number in reversed(range(30))] == expected[::-1]
    assert others.places(0).tolist() != expected[0]


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(DataError, match="data.batch: expected at most 10, the training examples there are, got 11"):
        Batches(columns(10), 11)
    assert not Batches(columns(10), 10).minibatch


def test_a_chunk_is_the_same_object_each_time_so_that_cached_products_are_found():
    ten = columns(10)
    first, _, last = ten.chunks(4)
    assert ten.chunks(4)[0] is first
    assert first.inputs is not ten.chunks(5)[0].inputs
    assert first.inputs.array[0].tolist() == [0, 1, 2, 3]
    assert first.targets.tolist() == [[0, -1, -2, -3]]
    assert last.inputs.array[0].tolist() == [8, 9]
    assert last.targets.tolist() == [[-8, -9]]


def test_chunks_are_not_pickled():
    ten = columns(10)
    before = len(pickle.dumps(ten))
    ten.chunks(4)
    assert len(pickle.dumps(ten)) == before
