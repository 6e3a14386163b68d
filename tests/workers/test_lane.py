"""The lane between the driver and a worker on its node: messages arrive unchanged, whoever dies, hangs or is late."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
from waiting import PATIENCE, awaited, running

from distsearch.workers import lane
from distsearch.workers.areas import NoMemoryError
from distsearch.workers.lane import HELLO, Board, Invitation, Listener, WorkerEnd
from distsearch.workers.parcels import LARGE_BYTES, packed
from distsearch.workers.requests import MeasureWeights

pytestmark = pytest.mark.skipif(not lane.POSSIBLE, reason="lanes need Linux")

SHARED_MEMORY = "/dev/shm"  # noqa: S108  (it is only looked at)
LARGE = LARGE_BYTES // 4 + 1


def weights_of(count: int, value: float = 1.0) -> np.ndarray:
    weights = np.full(count, value, np.float32)
    weights.flags.writeable = False
    return weights


@contextmanager
def connected():
    """A board, and both ends of a lane, in this process."""
    listener = Listener()
    worker = WorkerEnd.of(listener.invitation(7))
    assert worker is not None
    end = listener.end_to(7)
    assert end is not None
    board = Board()
    try:
        yield board, end, worker
    finally:
        for each in (board, end, worker, listener):
            each.close()


def test_a_request_and_its_answer_arrive_unchanged():
    with connected() as (board, end, worker):
        weights = weights_of(LARGE, 3.5)
        end.send(board.post(1, *packed(MeasureWeights(weights))), board, 10, 20)
        note = next(worker.notes())
        assert (note.request, note.lo, note.hi) == (1, 10, 20)
        request = worker.request_of(note)
        assert isinstance(request, MeasureWeights)
        assert request.weights.tobytes() == weights.tobytes()
        assert not request.weights.flags.writeable
        given = {"losses": np.arange(3.0), "sum": np.arange(LARGE, dtype=np.float32)}
        worker.answer(note, given, 0.25)
        received, answer = end.receive()
        assert (received.lo, received.hi, received.seconds) == (10, 20, 0.25)
        assert answer["losses"].tolist() == [0, 1, 2]
        assert answer["sum"].tobytes() == given["sum"].tobytes()


def test_messages_may_grow():
    with connected() as (board, end, worker):
        for number in range(1, 6):
            size = 10**number
            end.send(board.post(number, *packed(MeasureWeights(weights_of(size, number)))), board, 0, 1)
            note = next(worker.notes())
            assert worker.request_of(note).weights.tolist() == [number] * size
            worker.answer(note, np.full(size, -number), 0.0)
            assert end.receive()[1].tolist() == [-number] * size


def test_an_array_shared_by_requests_is_written_once():
    with connected() as (board, end, worker):
        weights = weights_of(LARGE)
        first, second = (board.post(number, *packed(MeasureWeights(weights))) for number in (1, 2))
        assert first.place.area != second.place.area
        assert set(first.areas) - {first.place.area} == set(second.areas) - {second.place.area}
        end.send(second, board, 0, 1)
        assert worker.request_of(next(worker.notes())).weights.tobytes() == weights.tobytes()


def test_an_array_that_may_have_changed_is_written_again():
    with connected() as (board, end, worker):
        weights = np.ones(LARGE, np.float32)
        board.post(1, *packed(MeasureWeights(weights)))
        weights += 1
        end.send(board.post(2, *packed(MeasureWeights(weights))), board, 0, 1)
        assert worker.request_of(next(worker.notes())).weights.max() == 2


def test_a_worker_one_request_late_can_still_read_and_a_later_one_learns_it_is_gone():
    with connected() as (board, end, worker):
        for number in (1, 2, 3, 4):
            end.send(board.post(number, *packed(MeasureWeights(weights_of(LARGE, number)))), board, 0, 1)
        notes = worker.notes()
        requests = [worker.request_of(next(notes)) for _ in range(4)]
        assert requests[:2] == [None, None]
        assert [request.weights[0] for request in requests[2:]] == [3, 4]


def test_an_answer_stays_as_long_as_it_is_in_use():
    with connected() as (board, end, worker):
        posted = board.post(1, *packed(MeasureWeights(weights_of(3))))
        notes, kept = worker.notes(), []
        for number in range(6):
            end.send(posted, board, number, number + 1)
            worker.answer(next(notes), np.full(LARGE, number), 0.0)
            note, answer = end.receive()
            if number % 2:
                kept.append(answer)
            del answer
        assert [set(answer) for answer in kept] == [{1}, {3}, {5}]
        assert note.place.area == 2  # of six answers, only those kept take up space


def test_two_shards_may_be_in_flight():
    with connected() as (board, end, worker):
        posted = board.post(1, *packed(MeasureWeights(weights_of(3))))
        for lo in (0, 1):
            end.send(posted, board, lo, lo + 1)
        for note in (next(worker.notes()) for _ in range(2)):
            worker.answer(note, np.full(LARGE, note.lo), 0.0)
        answers = [end.receive() for _ in range(2)]
        assert [(note.lo, set(answer)) for note, answer in answers] == [(0, {0}), (1, {1})]


def test_connections_without_the_secret_are_refused():
    listener = Listener()
    address, secret, _ = listener.invitation(1)
    stranger = WorkerEnd.of(Invitation(address, bytes(len(secret)), 1))
    silent = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    silent.connect(address)
    rude = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    rude.connect(address)
    rude.send(b"x" * (HELLO.size - 1))
    assert stranger is not None
    assert listener.end_to(1) is None
    assert next(stranger.notes(), None) is None
    assert rude.recv(10) == silent.recv(10) == b""
    for each in (stranger, silent, rude, listener):
        each.close()


def test_connections_of_another_user_are_refused(monkeypatch):
    with connected():
        listener = Listener()
        worker = WorkerEnd.of(listener.invitation(1))
        assert worker is not None
        monkeypatch.setattr(os, "getuid", lambda: 12345)
        assert listener.end_to(1) is None
        assert WorkerEnd.of(listener.invitation(2)) is None
        worker.close()
        listener.close()


def test_a_worker_on_another_node_cannot_connect():
    assert WorkerEnd.of(Invitation("\0distsearch-nobody", bytes(16), 1)) is None


def test_unavailable_memory_is_an_error_and_not_a_signal(monkeypatch):
    def full(file, start, size):
        raise OSError(28, "No space left on device")

    with connected() as (board, end, worker):
        posted = board.post(1, *packed(MeasureWeights(weights_of(3))))
        monkeypatch.setattr(os, "posix_fallocate", full)
        end.send(posted, board, 0, 1)
        with pytest.raises(NoMemoryError, match="No space left"):
            worker.answer(next(worker.notes()), np.zeros(LARGE), 0.0)
        with pytest.raises(NoMemoryError, match="No space left"):
            board.post(2, *packed(MeasureWeights(weights_of(LARGE))))


WORKER = """
import sys
from distsearch.workers.lane import Invitation, WorkerEnd
end = WorkerEnd.of(Invitation("\\0" + sys.argv[1], bytes.fromhex(sys.argv[2]), 1))
for note in end.notes():
    end.answer(note, end.request_of(note).weights, 0.0)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_lane_ends_with_its_worker(how):
    listener, board = Listener(), Board()
    address, secret, _ = listener.invitation(1)
    with running([sys.executable, "-c", WORKER, address[1:], secret.hex()]) as process:
        end = awaited("the worker", lambda: listener.end_to(1))
        posted = board.post(1, *packed(MeasureWeights(weights_of(LARGE))))
        end.send(posted, board, 0, 1)
        answer = end.receive()[1]
        process.send_signal(how)
        process.wait(PATIENCE)
    assert end.receive() is None
    assert set(answer) == {1.0}  # what arrived is still there
    with pytest.raises(OSError, match="Broken pipe"):
        end.send(posted, board, 0, 1)
    for each in (board, end, listener):
        each.close()


DRIVER = """
import sys
from distsearch.workers.lane import Board, Listener
from distsearch.workers.parcels import packed
from distsearch.workers.requests import MeasureWeights
import numpy as np
listener, board = Listener(), Board()
posted = board.post(1, *packed(MeasureWeights(np.ones(1_000_000, np.float32))))
address, secret, worker = listener.invitation(1)
print(address[1:], secret.hex(), flush=True)
sys.stdin.readline()
end = listener.end_to(1)
end.send(posted, board, 0, 1)
print("sent", flush=True)
sys.stdin.readline()
"""


def test_a_killed_driver_leaves_nothing_and_its_worker_notices():
    """There is no name to leave behind: the memory belongs to this process until it releases it."""
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with running([sys.executable, "-c", DRIVER], **streams) as driver:
        address, secret = driver.stdout.readline().split()
        worker = WorkerEnd.of(Invitation(f"\0{address}", bytes.fromhex(secret), 1))
        driver.stdin.write("\n")
        driver.stdin.flush()
        assert driver.stdout.readline() == "sent\n"
        notes = worker.notes()
        request = worker.request_of(next(notes))
        driver.kill()
        driver.wait(PATIENCE)
        assert next(notes, None) is None
        assert request.weights.sum() == 1_000_000
        assert not [name for name in os.listdir(SHARED_MEMORY) if "distsearch" in name]
        worker.close()


def test_a_suspended_worker_does_not_block_the_driver():
    """The socket holds as many shards as a worker may have, whether it reads them or not."""
    with connected() as (board, end, _):
        posted = board.post(1, *packed(MeasureWeights(weights_of(LARGE))))
        for lo in range(8):
            end.send(posted, board, lo, lo + 1)


def test_file_descriptors_are_not_inherited_by_programs_a_worker_starts():
    with connected() as (board, end, worker):
        end.send(board.post(1, *packed(MeasureWeights(weights_of(LARGE)))), board, 0, 1)
        next(worker.notes())
        names = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _exists(fd)]
        assert any("memfd:distsearch" in name for name in names)
        inherited = subprocess.run(
            [
                sys.executable,
                "-c",
                "import os; print([os.readlink(f'/proc/self/fd/{n}') for n in range(3, 60) if "
                "os.path.exists(f'/proc/self/fd/{n}')])",
            ],
            capture_output=True,
            text=True,
            check=True,
            close_fds=False,
        )
        assert "memfd:distsearch" not in inherited.stdout


def _exists(fd: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{fd}")
