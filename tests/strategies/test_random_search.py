import numpy as np
import pytest
from problems import create, told

from distsearch.objectives.base import Task
from distsearch.randomness import Stream, noise
from distsearch.strategies import create as created
from distsearch.strategies.base import Answer


def test_candidates_are_random_weights_wherever_the_center_is():
    strategy = create("random-search", {"population": 4, "sigma": 0.5})
    state = strategy.init(np.full(10, 100, np.float32), 3)
    weights = strategy.ask(state, 0, 4).dense()
    assert (weights[0] == 100).all()
    assert weights[1:] == pytest.approx(0.5 * noise(3, Stream.CANDIDATES, 0, 1, 4, 10))


@pytest.mark.parametrize(("batch", "kept"), [(100, 0), (10, 1)])
def test_the_lowest_loss_ever_is_kept_or_on_minibatches_that_of_the_round(batch, kept):
    strategy = created("random-search", {"population": 4}, Task(10, examples=100, batch=batch))
    first = strategy.init(np.zeros(10, np.float32), 3)
    second = told(strategy, first, [Answer(np.array([3.0, 2.0, 1.0, 4.0]))])
    assert second.center.tobytes() == strategy.ask(first, 2, 3).dense().tobytes()
    third = told(strategy, second, [Answer(np.array([6.0, 9.0, 8.0, 5.0]))])
    expected = second.center, strategy.ask(second, 3, 4).dense()[0]
    assert third.center.tobytes() == expected[kept].tobytes()
