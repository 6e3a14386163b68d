from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distsearch.errors import RunError
from distsearch.runs import checkpoints, files
from distsearch.strategies.base import State


@dataclass(frozen=True)
class Inner:
    values: np.ndarray
    loss: float


@dataclass(frozen=True)
class Outer:
    seed: int
    center: np.ndarray
    best: Inner


STATE = Outer(2**64 - 1, np.array([1, -0.0, 3], np.float32), Inner(np.array([[1.5]]), 0.1 + 0.2))


def written(path, state=STATE):
    files.write_whole(path, checkpoints.encode(*checkpoints.flatten(state)))
    return path


def test_a_state_comes_back_bit_for_bit_and_read_only(tmp_path):
    state = checkpoints.unflatten(Outer, *checkpoints.read(written(tmp_path / "a.safetensors")))
    assert (state.seed, state.best.loss) == (2**64 - 1, 0.1 + 0.2)
    assert state.center.tobytes() == STATE.center.tobytes()
    assert state.best.values.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        state.center[0] = 2


@dataclass(frozen=True)
class Younger(Inner):
    """Inner in a later version, with a new field that has a default."""

    count: int = 7


def test_a_violation_of_constraints_comes_back_as_a_number_or_none(tmp_path):
    first = State.before_any_round(np.zeros(2, np.float32), 0, 0.1)
    for violation in (np.inf, 0.25, None):
        state = replace(first, best=replace(first.best, violation=violation))
        (tmp_path / "a").write_bytes(checkpoints.encode(*checkpoints.flatten(state)))
        back = checkpoints.unflatten(type(state), *checkpoints.read(tmp_path / "a"))
        assert (back.best.violation, type(back.best.violation)) == (violation, type(violation))


def test_a_state_of_an_older_version_gets_defaults_for_new_fields(tmp_path):
    path = written(tmp_path / "a.safetensors", STATE.best)
    assert checkpoints.unflatten(Younger, *checkpoints.read(path)).count == 7
    path = written(tmp_path / "b.safetensors", Younger(STATE.best.values, 1.0, 3))
    assert checkpoints.unflatten(Younger, *checkpoints.read(path)).count == 3


def test_a_state_of_another_kind_is_refused(tmp_path):
    path = written(tmp_path / "a.safetensors", STATE.best)
    with pytest.raises(RunError, match="from another strategy: .*center"):
        checkpoints.unflatten(Outer, *checkpoints.read(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RunError, match="expected best.safetensors"):
        checkpoints.read(tmp_path / "best.safetensors")


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.data())
def test_a_truncated_file_is_refused_and_a_single_flipped_bit_never_changes_what_is_read(tmp_path, data):
    path = written(tmp_path / "a.safetensors")
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    try:
        state = checkpoints.unflatten(Outer, *checkpoints.read(path))
    except RunError as error:
        assert "\n" not in str(error)
    else:
        assert checkpoints.encode(*checkpoints.flatten(state)) == checkpoints.encode(*checkpoints.flatten(STATE))


def test_a_flipped_bit_of_a_weight_is_detected(tmp_path):
    path = written(tmp_path / "a.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(RunError, match="its checksum does not match its content"):
        checkpoints.read(path)
