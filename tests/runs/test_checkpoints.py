import errno
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distsearch.errors import RunError
from distsearch.runs import checkpoints


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
    checkpoints.write_whole(path, checkpoints.encode(*checkpoints.flatten(state)))
    return path


def test_a_state_comes_back_to_the_bit_and_read_only(tmp_path):
    state = checkpoints.unflatten(Outer, *checkpoints.read(written(tmp_path / "a.safetensors")))
    assert (state.seed, state.best.loss) == (2**64 - 1, 0.1 + 0.2)
    assert state.center.tobytes() == STATE.center.tobytes()
    assert state.best.values.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        state.center[0] = 2


def test_a_state_of_another_kind_is_refused(tmp_path):
    path = written(tmp_path / "a.safetensors", STATE.best)
    with pytest.raises(RunError, match="another strategy's: .*center"):
        checkpoints.unflatten(Outer, *checkpoints.read(path))


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a"
    checkpoints.write_whole(path, b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        checkpoints.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RunError, match="expected best.safetensors"):
        checkpoints.read(tmp_path / "best.safetensors")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
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


def test_a_flipped_bit_of_a_weight_is_found(tmp_path):
    path = written(tmp_path / "a.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(RunError, match="its checksum does not fit its content"):
        checkpoints.read(path)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_file_of_which_the_disk_took_only_a_part_leaves_the_old_one_and_no_other(tmp_path, monkeypatch, share):
    path = tmp_path / "checkpoint.safetensors"
    checkpoints.write_whole(path, b"the old one")
    opened = Path.open

    def open_short(self, mode="r", *given, **more):
        file = opened(self, mode, *given, **more)
        if "w" in mode:
            whole = file.write

            class Short:
                def __enter__(self):
                    return self

                def __exit__(self, *error):
                    file.close()

                def write(self, content):
                    whole(content[: int(share * len(content))])
                    raise OSError(errno.ENOSPC, "No space left on device")

            return Short()
        return file

    monkeypatch.setattr(Path, "open", open_short)
    with pytest.raises(OSError, match="No space left on device"):
        checkpoints.write_whole(path, b"the new one", tmp_path / "previous.safetensors")
    assert [each.name for each in tmp_path.iterdir()] == ["checkpoint.safetensors"]
    assert path.read_bytes() == b"the old one"
