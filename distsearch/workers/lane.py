"""A lane between the driver and a worker on its node: shared memory for what is said, a socket to say that it is there.

A call of Ray takes a millisecond, a message through a lane some tens of microseconds; large arrays are copied once for
all workers. Ray still starts, watches and ends the workers: a lane carries requests and answers, no more.

Nothing of it has a name in a file system. The memory is anonymous, and the socket's address is in Linux's abstract
namespace: both vanish with the last process that holds them, however it ends. The driver lets in processes of its own
user that know a secret, which they have from it through Ray. On other systems there are no lanes.

    driver   Board ── requests, one for all lanes ──▶ Listener ▸ DriverEnd ═══ socket ═══ WorkerEnd
             DriverEnd ◀── answers, in areas of the worker's own ──────────────────────────── WorkerEnd
"""

import os
import secrets
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Self
from weakref import ReferenceType, ref

import numpy as np
from numpy.typing import NDArray

from distsearch.workers.areas import Area, Areas, Place, message_of, object_of
from distsearch.workers.parcels import Shared, unpacked
from distsearch.workers.requests import Request

POSSIBLE = sys.platform == "linux" and hasattr(os, "memfd_create")

Bytes = NDArray[np.uint8]

COPIED_BYTES = 1 << 15  # up to which an array of an answer is copied: it may be kept for long, as losses are

SECRET_BYTES = 16
HELLO = struct.Struct(f"<{SECRET_BYTES}sq")  # the secret, and the worker's number
NOTE = struct.Struct("<qqqqqqd")
PLACE = struct.Struct("<qq")
INDEX = struct.Struct("<q")  # of an area
FILE = struct.Struct("i")
PEER = struct.Struct("3i")  # of SO_PEERCRED: process, user, group
MOST_FILES = 64  # that go with one note


class Note(NamedTuple):
    """What goes through the socket, whole or not at all: a shard of a request, or its answer and the time it took."""

    request: int
    place: Place
    lo: int
    hi: int
    answer: int  # the worker's area for the answer
    seconds: float = 0.0

    def packed(self, files: Sequence[int]) -> bytes:
        """The note as it travels, with the areas whose files go with it."""
        whole = NOTE.pack(self.request, *self.place, self.lo, self.hi, self.answer, self.seconds)
        return whole + b"".join(INDEX.pack(index) for index in files)


class _Socket:
    """One end of a lane: sends notes, and the files of those areas that the other end has not got."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sent: dict[int, Area] = {}  # of this end's areas, as the other end has them
        self._received: dict[int, Area] = {}  # the other end's

    def fileno(self) -> int:
        """The socket's number, to wait for it."""
        return self._connection.fileno()

    def send(self, note: Note, areas: Areas, indices: Sequence[int]) -> None:
        """Send a note on what is in the areas of these indices. OSError if the other end is gone."""
        new = [index for index in indices if self._sent.get(index) is not areas[index]]
        socket.send_fds(self._connection, [note.packed(new)], [areas[index].file for index in new])
        self._sent.update((index, areas[index]) for index in new)

    def receive(self) -> Note | None:
        """The next note; None if the other end is gone."""
        room = NOTE.size + INDEX.size * MOST_FILES, socket.CMSG_SPACE(FILE.size * MOST_FILES)
        try:
            # Not socket.recv_fds, which drops the flags: a program that is started here would get the files.
            content, ancillary, _, _ = self._connection.recvmsg(*room, socket.MSG_CMSG_CLOEXEC)
        except ConnectionError:
            return None
        if not content:
            return None
        request, index, number, lo, hi, answer, seconds = NOTE.unpack_from(content)
        files = [file for _, _, data in ancillary for (file,) in FILE.iter_unpack(data)]
        for (new,), file in zip(INDEX.iter_unpack(content[NOTE.size :]), files, strict=True):
            if new in self._received:
                self._received[new].close()
            self._received[new] = Area(file)
        return Note(request, Place(index, number), lo, hi, answer, seconds)

    def read(self, place: Place) -> list[memoryview] | None:
        """The message at a place of the other end's, not copied; None if it is no longer there."""
        return self._received[place.area].read(place.number)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()
        for area in self._received.values():
            area.close()
        self._received.clear()


# the driver's side


class Posted(NamedTuple):
    """A request that is written where all workers of the node can read it."""

    number: int
    place: Place
    areas: list[int]  # its own, and those of its large arrays


class Board:
    """The driver's areas: the latest request, and its large arrays, each in an area of its own.

    What an array's area holds stays there as long as requests have that array. An area is not written to as long as the
    latest request needs it; a worker that is later by more than one request finds that it has lost its turn.
    """

    def __init__(self) -> None:
        self.areas = Areas()
        self._held: Shared[Place] = Shared()
        self._busy: set[int] = set()  # the latest request's areas

    def post(self, number: int, content: bytes, arrays: Sequence[NDArray[Any]]) -> Posted:
        """Write a request of this number, as parcelled. NoMemoryError if there is no room for it."""
        written: set[int] = set()  # the areas for this request

        def write(*parts: memoryview) -> Place:
            index = next(index for index in range(len(self.areas) + 1) if index not in self._busy | written)
            written.add(index)
            return self.areas.write(index, parts)

        places = self._held.of(arrays, lambda array: write(array.data.cast("B")))
        own = write(memoryview(content), memoryview(b"".join(PLACE.pack(*place) for place in places)))
        self._busy = {own.area, *(place.area for place in places)}
        return Posted(number, own, sorted(self._busy))

    def close(self) -> None:
        """Let go of all memory."""
        self.areas.close()
        self._held.clear()


class DriverEnd:
    """The driver's end of the lane to one worker.

    The large arrays of an answer stay in the worker's memory: the area is given to another answer when they are gone.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = _Socket(connection)
        self._awaited: set[int] = set()  # the worker's areas that answers are to come in
        self._read: dict[int, list[ReferenceType[Bytes]]] = {}  # what arrays of answers may still lie in, by area
        self.fileno = self._socket.fileno
        self.close = self._socket.close

    def send(self, posted: Posted, board: Board, lo: int, hi: int) -> None:
        """Ask for lo to hi of a request. OSError if the worker is gone."""
        area = self._free()
        self._awaited.add(area)
        self._socket.send(Note(posted.number, posted.place, lo, hi, area), board.areas, posted.areas)

    def _free(self) -> int:
        """The first of the worker's areas that may be written to."""
        index = 0
        while index in self._awaited or any(part() is not None for part in self._read.get(index, ())):
            index += 1
        return index

    def receive(self) -> tuple[Note, Any] | None:
        """The next answer and the note on it; None if the worker has hung up."""
        if (note := self._socket.receive()) is None:
            return None
        parts = self._socket.read(note.place)
        if parts is None:
            raise AssertionError("an answer was overwritten before it was read")
        # An array of bytes, unlike a memoryview, is kept by all that is made of it.
        large = {index: np.frombuffer(part, np.uint8) for index, part in enumerate(parts) if part.nbytes > COPIED_BYTES}
        self._awaited.remove(note.place.area)
        self._read[note.place.area] = [ref(part) for part in large.values()]
        return note, object_of([large[index] if index in large else bytes(part) for index, part in enumerate(parts)])


class Invitation(NamedTuple):
    """What a worker needs to find the driver and to be let in."""

    address: str
    secret: bytes
    worker: int


class Listener:
    """Where workers of this node find the driver."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(SECRET_BYTES)
        self._address = f"\0distsearch-{secrets.token_hex(16)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.bind(self._address)
        self._socket.listen(socket.SOMAXCONN)
        self._socket.setblocking(False)
        self._ends: dict[int, DriverEnd] = {}  # of workers that have not been asked for

    def invitation(self, worker: int) -> Invitation:
        """What the worker of this number must be told."""
        return Invitation(self._address, self._secret, worker)

    def end_to(self, worker: int) -> DriverEnd | None:
        """The lane to a worker; None if it has not come, as it is on another node."""
        for connection in self._connections():
            if (number := self._introduced(connection)) is None:
                connection.close()
            else:
                self._ends[number] = DriverEnd(connection)
        return self._ends.pop(worker, None)

    def _connections(self) -> Iterator[socket.socket]:
        while True:
            try:
                yield self._socket.accept()[0]
            except BlockingIOError:
                return

    def _introduced(self, connection: socket.socket) -> int | None:
        """The worker's number if it is one of ours; it has said so before it told Ray that it is ready."""
        if not _is_ours(connection):
            return None
        connection.setblocking(False)
        try:
            hello = connection.recv(HELLO.size)
        except OSError:
            return None
        connection.setblocking(True)
        if len(hello) != HELLO.size:
            return None
        secret, number = HELLO.unpack(hello)
        return int(number) if secrets.compare_digest(secret, self._secret) else None

    def close(self) -> None:
        """Let nobody in any more."""
        self._socket.close()
        for end in self._ends.values():
            end.close()


def _is_ours(connection: socket.socket) -> bool:
    """Whether the process at the other end belongs to this one's user, as the kernel says."""
    _, user, _ = PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
    return bool(user == os.getuid())


# the worker's side


class WorkerEnd:
    """The worker's end of its lane."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = _Socket(connection)
        self._areas = Areas()

    @classmethod
    def of(cls, invitation: Invitation) -> Self | None:
        """The lane to the driver; None if that is on another node."""
        if not POSSIBLE:
            return None
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            connection.connect(invitation.address)
            if _is_ours(connection):
                connection.send(HELLO.pack(invitation.secret, invitation.worker))
                return cls(connection)
        except OSError:
            pass
        connection.close()
        return None

    def notes(self) -> Iterator[Note]:
        """The shards that are asked for, until the driver hangs up, perhaps before it has read an answer."""
        while (note := self._socket.receive()) is not None:
            yield note

    def request_of(self, note: Note) -> Request | None:
        """The request that a note is about; None if it is no longer there, and so no longer wanted."""
        parts = self._socket.read(note.place)
        if parts is None:
            return None
        content, places = parts
        arrays = []
        for place in PLACE.iter_unpack(places):
            if (array := self._socket.read(Place(*place))) is None:
                return None
            arrays += array
        return unpacked(content, arrays)

    def answer(self, note: Note, answer: Any, seconds: float) -> None:
        """Answer a shard. NoMemoryError if there is no room for the answer; OSError if the driver is gone."""
        place = self._areas.write(note.answer, message_of(answer))
        self._socket.send(note._replace(place=place, seconds=seconds), self._areas, [place.area])

    def close(self) -> None:
        """Hang up, and let go of all memory."""
        self._socket.close()
        self._areas.close()
