import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import create, told

from distsearch.errors import RunError
from distsearch.runs.history import (
    BEGINNING,
    HISTORY,
    LOSSES,
    HistoryWriter,
    Measured,
    RoundRecord,
    entries,
    position,
)
from distsearch.strategies.base import Answer

ROUNDS = 6


def record(number: int) -> RoundRecord:
    return RoundRecord(number, 4 * (number + 1), 0.1 * number, 2.0, 1 / (number + 1), number % 2 == 0, 0.05)


def losses(number: int) -> np.ndarray:
    return np.array([number, np.nan, np.inf, 1 / 3])


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, range(ROUNDS))
    return tmp_path


def write(folder, numbers, start=BEGINNING) -> None:
    writer = HistoryWriter(folder, start)
    for number in numbers:
        writer.append(record(number), losses(number))
    writer.flush()
    writer.close()


def test_rounds_are_read_back_with_their_losses(folder):
    found = list(entries(folder))
    assert [entry.record for entry in found] == [record(number) for number in range(ROUNDS)]
    assert b"".join(entry.losses.tobytes() for entry in found) == (folder / LOSSES).read_bytes()
    assert found[-1].losses.tobytes() == losses(ROUNDS - 1).tobytes()


def test_nothing_is_written_before_it_is_flushed(tmp_path):
    writer = HistoryWriter(tmp_path, BEGINNING)
    writer.append(record(0), losses(0))
    assert list(entries(tmp_path)) == []
    writer.sync()
    assert len(list(entries(tmp_path))) == 1
    writer.close()


@pytest.mark.parametrize("rounds", [0, 1, 4, ROUNDS])
def test_a_truncated_history_continues_to_the_same_bytes(folder, rounds):
    whole = [(folder / name).read_bytes() for name in (HISTORY, LOSSES)]
    write(folder, range(rounds, ROUNDS), position(folder, rounds))
    assert [(folder / name).read_bytes() for name in (HISTORY, LOSSES)] == whole


def test_an_incomplete_last_line_and_losses_without_a_line_are_ignored(folder):
    path = folder / HISTORY
    path.write_bytes(path.read_bytes()[:-5])
    assert [entry.record for entry in entries(folder)] == [record(number) for number in range(ROUNDS - 1)]


@pytest.mark.parametrize("name", [HISTORY, LOSSES])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=300)
def test_any_changed_bit_is_detected(tmp_path_factory, name, place, bit):
    folder = tmp_path_factory.mktemp("history")
    write(folder, range(ROUNDS))
    content = bytearray((folder / name).read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    (folder / name).write_bytes(content)
    whole = content.endswith(b"\n") if name == HISTORY else True
    if whole:
        with pytest.raises(RunError, match=r"^the history of .* is damaged at line \d"):
            list(entries(folder))
    else:  # as if the last line had been cut off
        assert len(list(entries(folder))) == ROUNDS - 1


def test_a_removed_line_is_detected(folder):
    lines = (folder / HISTORY).read_bytes().splitlines(keepends=True)
    (folder / HISTORY).write_bytes(b"".join(lines[:2] + lines[3:]))
    with pytest.raises(RunError, match="damaged at line 3"):
        list(entries(folder))


def test_missing_losses_are_reported(folder):
    (folder / LOSSES).write_bytes((folder / LOSSES).read_bytes()[:-1])
    with pytest.raises(RunError, match="damaged at line 6: expected its losses in losses.bin, which ends before"):
        list(entries(folder))
    (folder / LOSSES).unlink()
    with pytest.raises(RunError, match="cannot read .*losses.bin: No such file"):
        list(entries(folder))


def test_a_position_beyond_the_history_is_refused(folder):
    with pytest.raises(RunError, match="it ends before round 7"):
        position(folder, ROUNDS + 1)


def test_a_record_describes_its_round():
    strategy = create("hill-climb", {"population": 4})
    before = strategy.init(np.zeros(3, np.float32), 0)
    after = told(strategy, before, [Answer(losses(0))])
    made = RoundRecord.of(
        before, after, losses(7), Measured(0.5), center_loss=7.0, candidates=100, passes=50.0, seconds=1.5
    )
    assert (made.round, made.candidates, made.passes, made.seconds, made.center_loss) == (0, 100, 50.0, 1.5, 7.0)
    assert (made.accepted, made.sigma, made.accuracy, made.test_accuracy) == (True, before.sigma, 0.5, None)
    assert made.non_finite == 2
