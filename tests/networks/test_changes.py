import numpy as np
import pytest
import routed

from distsearch.candidates.base import Dense, Shared
from distsearch.networks.changes import Everything, Moved, Window
from distsearch.objectives.batches import with_ones

COLUMNS = 7
drawn = np.random.default_rng(0)
BEFORE = drawn.normal(size=(3 * 4 * 5 + 1, COLUMNS)).astype(np.float32)  # three channels of 4 × 5, and ones


def changes(*shape: int) -> np.ndarray:
    return drawn.normal(size=(*shape, COLUMNS)).astype(np.float32)


CHANGES = {
    "neurons": Moved(changes(5), slice(11, 16), 1),
    "groups of neurons": Moved(changes(5), slice(11, 16), 2),
    "channels at a place": Moved(changes(2), slice(1, 3), 1, 13, 20),
    "groups of channels": Moved(changes(3), slice(0, 3), 2, 6, 20),
    "a part of the image": Window(changes(2, 3, 2, 3), 1, 2, (4, 5)),
    "everything": Everything(changes(2, len(BEFORE))),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_of_columns_are_applied_to_those_columns(name):
    change, order = CHANGES[name], drawn.permutation(COLUMNS)
    for columns in (order, slice(2, 5)):
        found = change.in_columns(columns).everything(BEFORE[:, columns])
        assert found.tobytes() == change.everything(BEFORE)[:, :, columns].tobytes()


@pytest.mark.parametrize("name", CHANGES)
def test_experiment_and_column_pairs_match_the_changed_values(name):
    change = CHANGES[name]
    everything = change.everything(BEFORE)
    experiments, columns = (np.ravel(each) for each in np.indices((change.experiments, COLUMNS)))
    found = change.of_pairs(BEFORE, experiments[::-1], columns[::-1])
    assert (found == everything[experiments[::-1], :, columns[::-1]]).all()
    assert change.of_pairs(BEFORE, experiments[:0], columns[:0]).shape == (0, len(BEFORE))


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("word", ["moe3(5,4)", "moe3(5)", "attention4"])
def test_choosing_layers_treat_every_kind_of_change_like_a_full_one(word, name):
    network, change = routed.network(word, inputs=len(BEFORE) - 1), CHANGES[name]
    before = BEFORE.copy()
    before[-1] = 1
    layer, trace = network.layers[0], network.traces(routed.weights_of(network), before)[0]
    expected = layer.after(trace, Everything(change.everything(before))).activations
    assert layer.after(trace, change).everything(trace.activations) == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert np.abs(expected - trace.activations).max() > 0.1


@pytest.mark.parametrize("words", ["6 res(moe3(5,4),6) 4", "res(attention3,5)"])
def test_blocks_may_contain_choosing_layers(words):
    network, (features, labels) = routed.network(words), routed.data()
    weights = routed.weights_of(network)
    estimates = routed.Estimates(network, weights, features, labels)
    outputs = network.forward(Dense(weights[np.newaxis]), Shared(with_ones(features)))[0].T
    assert estimates.losses == pytest.approx(routed.cross_entropies(outputs, labels), rel=1e-4, abs=1e-5)
    ends = estimates.ends()
    assert estimates.split_gradient(99, ends).tobytes() == estimates.gradient(ends=ends).tobytes()
