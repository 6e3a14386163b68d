"""A task comes out of its parcel as it went in; its large arrays are those sent beside it."""

from dataclasses import replace

import numpy as np
import pytest
from problems import create, network_objective

from distsearch.machine import one_thread
from distsearch.strategies.base import frozen
from distsearch.workers.areas import Areas
from distsearch.workers.parcels import LARGE_BYTES, key, packed, unpacked
from distsearch.workers.requests import EvaluateRound, SumNoise

LARGE = LARGE_BYTES // 4 + 1


def state_of(count: int):
    return create("hill-climb", {}).init(np.arange(count, dtype=np.float32), 7)


def test_a_small_task_is_sent_as_content_alone():
    parcel = packed(EvaluateRound(state_of(10)))
    assert parcel.arrays == []
    job = unpacked(*parcel)
    assert isinstance(job, EvaluateRound)
    assert job.state.seed == 7
    assert job.state.center.tolist() == list(range(10))


def test_a_large_array_travels_once_however_often_it_is_referenced():
    state = state_of(LARGE)
    assert state.best.weights is state.center
    content, arrays = packed(EvaluateRound(state))
    assert [array is state.center for array in arrays] == [True]
    assert len(content) < 2000
    twin = state.center.copy()
    job = unpacked(content, [twin])
    assert np.shares_memory(job.state.center, twin)
    assert job.state.best.weights is job.state.center


def test_large_arrays_return_to_their_places():
    state, coefficients = state_of(LARGE), np.ones(LARGE, np.float32)
    job = unpacked(*packed(SumNoise(state, coefficients)))
    assert np.shares_memory(job.coefficients, coefficients)
    assert np.shares_memory(job.state.center, state.center)


def test_a_column_major_matrix_is_unchanged_and_recognised_again():
    state = state_of(LARGE)
    turned = np.asfortranarray(np.arange(LARGE * 2, dtype=np.float32).reshape(LARGE, 2))
    first, second = (packed(SumNoise(state, turned)) for _ in range(2))
    assert [key(array) for array in first.arrays] == [key(array) for array in second.arrays]
    assert key(first.arrays[0]) != key(first.arrays[1])
    job = unpacked(*first)
    assert job.coefficients.flags.f_contiguous
    assert job.coefficients.tolist() == turned.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("lanes", [True, False])
def test_unchanged_arrays_are_shared_once(ray_with_three_cpus, monkeypatch, lanes):
    """In memory that workers on the node can read, or in Ray's object store."""
    import ray

    from distsearch.workers.ray import crew
    from distsearch.workers.ray.pool import RayPool

    objective = network_objective("digits", (3,))
    strategy = create("cma-es", {}, objective)
    state = strategy.init(objective.network.start("he", 0), 0)
    n = state.center.size
    assert state.basis.nbytes > LARGE_BYTES
    sizes, put, write = [], ray.put, Areas.write

    def counted_put(value):
        sizes.append(getattr(value, "nbytes", 0))
        return put(value)

    def counted_write(areas, index, parts):
        sizes.extend(part.nbytes for part in parts)
        return write(areas, index, parts)

    monkeypatch.setattr(crew, "POSSIBLE", lanes)
    monkeypatch.setattr(ray, "put", counted_put)
    monkeypatch.setattr(Areas, "write", counted_write)
    with RayPool(strategy, objective, 1) as pool:
        sizes.clear()
        for number in range(3):
            pool.evaluate(replace(state, round=number))
        assert sizes.count(state.basis.nbytes) == 1
        turned = replace(state, basis=frozen(np.flip(np.eye(n, dtype=np.float32), axis=0)))
        losses = np.concatenate([answer.losses for answer in pool.evaluate(turned)])
        assert sizes.count(state.basis.nbytes) == 2
    with one_thread():
        assert losses.tobytes() == strategy.work(turned, objective, 0, strategy.units(turned)).losses.tobytes()
