"""A job comes out of its parcel as it went in, its large arrays being those that came with it."""

from dataclasses import replace

import numpy as np
import pytest
from problems import create, network_objective

from distsearch.machine import one_thread
from distsearch.strategies.base import frozen
from distsearch.workers.ray.parcels import INLINE_BYTES, packed, unpacked
from distsearch.workers.requests import EvaluateRound, SumNoise

LARGE = INLINE_BYTES // 4 + 1


def state_of(count: int):
    return create("hill-climb", {}).init(np.arange(count, dtype=np.float32), 7)


def test_a_small_job_is_all_content():
    parcel = packed(EvaluateRound(state_of(10)))
    assert parcel.arrays == []
    job = unpacked(*parcel)
    assert isinstance(job, EvaluateRound)
    assert job.state.seed == 7
    assert job.state.center.tolist() == list(range(10))


def test_a_large_array_travels_once_by_itself_however_often_the_job_names_it():
    state = state_of(LARGE)
    assert state.best.weights is state.center
    content, arrays = packed(EvaluateRound(state))
    assert [array is state.center for array in arrays] == [True]
    assert len(content) < 2000
    twin = state.center.copy()
    job = unpacked(content, [twin])
    assert job.state.center is twin
    assert job.state.best.weights is twin


def test_large_arrays_keep_their_places():
    state, coefficients = state_of(LARGE), np.ones(LARGE, np.float32)
    job = unpacked(*packed(SumNoise(state, coefficients)))
    assert job.coefficients is coefficients
    assert job.state.center is state.center


@pytest.mark.slow
def test_arrays_that_stay_are_put_into_the_object_store_once(ray_with_three_cpus, monkeypatch):
    import ray

    from distsearch.workers.ray.pool import RayPool

    objective = network_objective("digits", (3,))
    strategy = create("cma-es", {}, objective)
    state = strategy.init(objective.network.start("he", 0), 0)
    n = state.center.size
    assert state.basis.nbytes > INLINE_BYTES
    shapes, put = [], ray.put

    def counted(value):
        shapes.append(getattr(value, "shape", ()))
        return put(value)

    monkeypatch.setattr(ray, "put", counted)
    with RayPool(strategy, objective, 1) as pool:
        shapes.clear()
        for number in range(3):
            pool.evaluate(replace(state, round=number))
        assert shapes == [(n, n)]
        turned = replace(state, basis=frozen(np.flip(np.eye(n, dtype=np.float32), axis=0)))
        losses = np.concatenate([answer.losses for answer in pool.evaluate(turned)])
        assert shapes == [(n, n)] * 2
    with one_thread():
        assert losses.tobytes() == strategy.work(turned, objective, 0, strategy.units(turned)).losses.tobytes()
