"""How functions of the user's reach the workers."""

from functools import cache, lru_cache

from ray import cloudpickle

from distsearch.candidates.base import boundaries
from distsearch.workers.ray import sending  # noqa: F401  (it teaches Ray to)


def sent(function):
    return cloudpickle.loads(cloudpickle.dumps(function))


def test_a_cache_of_a_function_that_only_this_process_knows_is_made_anew_on_the_worker():
    made = []

    @lru_cache(maxsize=2)
    def simulator(number):
        made.append(number)
        return len(made)

    def loss(weights):
        return simulator(weights)

    loss(1)
    there = sent(loss)
    assert [there(7), there(7), there(8)] == [2, 2, 3]  # a copy of the list, with the first call
    assert made == [1]
    [cell] = there.__closure__
    assert cell.cell_contents.cache_parameters() == simulator.cache_parameters()


def test_a_cached_function_of_the_script_itself_is_sent_too(monkeypatch):
    @cache
    def simulator():
        return object()

    monkeypatch.setattr(simulator, "__module__", "__main__")
    monkeypatch.setattr(simulator, "__qualname__", "simulator")
    there = sent(simulator)
    assert there() is there()


def test_a_cached_function_of_a_module_is_sent_by_its_name():
    assert sent(boundaries) is boundaries
