import numpy as np
import pytest

from distsearch.networks.changes import Everything, Moved, Window

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
def test_columns_of_a_change_change_the_columns(name):
    change, order = CHANGES[name], drawn.permutation(COLUMNS)
    for columns in (order, slice(2, 5)):
        found = change.in_columns(columns).everything(BEFORE[:, columns])
        assert found.tobytes() == change.everything(BEFORE)[:, :, columns].tobytes()


@pytest.mark.parametrize("name", CHANGES)
def test_pairs_of_an_experiment_and_a_column_are_what_stands_there(name):
    change = CHANGES[name]
    everything = change.everything(BEFORE)
    experiments, columns = (np.ravel(each) for each in np.indices((change.experiments, COLUMNS)))
    found = change.of_pairs(BEFORE, experiments[::-1], columns[::-1])
    assert (found == everything[experiments[::-1], :, columns[::-1]]).all()
    assert change.of_pairs(BEFORE, experiments[:0], columns[:0]).shape == (0, len(BEFORE))
