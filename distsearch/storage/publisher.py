"""Publishes a run while it is searched: in the background, so that the search never waits for it."""

import logging
import secrets
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from distsearch.errors import OvertakenError, SettingError, StorageError
from distsearch.runs import documents
from distsearch.runs.layout import APPENDED, CHECKPOINT, PREVIOUS, WHOLE
from distsearch.storage.addresses import Address
from distsearch.storage.index import INDEX, OBJECTS, Files, HashingStream, Index, Part, checksum, kept_parts, read_index
from distsearch.storage.places import CHUNK, Folder, Place

LOG = logging.getLogger(__name__)

PUBLISHED = {*APPENDED, *WHOLE}
SENT = tuple(name for name in WHOLE if name != PREVIOUS)  # the previous checkpoint is already in storage


class Storage:
    """Storage in which runs are published, each under its name."""

    def __init__(self, address: Address) -> None:
        self.address = address

    def run_at(self, name: str) -> Place:
        """The place of the run of this name.

        Raises StorageError if there is no driver for such an address, SettingError if a URI cannot contain the name.
        """
        if self.address.scheme and {"?", "#"} & set(name):
            raise SettingError(f"expected a name without ? and # for a run in {self.address}, got {name!r}")
        return _place_at(self.address.child(name))

    def has(self, name: str) -> bool:
        """Whether there is a run of that name. Raises StorageError if the storage cannot be read."""
        return read_index(self.run_at(name)) is not None

    def check(self, name: str) -> None:
        """Raise StorageError if the storage cannot be read, is itself a run, or has a run of this name (if given)."""
        if read_index(_place_at(self.address)) is not None:
            raise StorageError(f"expected storage, but {self.address} is a run in it: give {self.address.parent}")
        if name and self.has(name):
            raise name_taken(self.address.child(name))


class Snapshot(msgspec.Struct, frozen=True):
    """A run's directory between two rounds: content of the files written whole, lengths of those that only grow."""

    rounds: int
    whole: dict[str, bytes]
    lengths: dict[str, int]

    @classmethod
    def take(cls, folder: Path, rounds: int) -> "Snapshot":
        """Take a snapshot of a directory whose checkpoint is at round `rounds`."""
        return cls(
            rounds,
            {name: documents.read_bytes(folder / name) for name in SENT if (folder / name).exists()},
            {name: (folder / name).stat().st_size for name in APPENDED},
        )


class Publisher:
    """Publishes the checkpoints of one run for one driver, at most one at a time.

    As a context manager, it takes the run over on entry, before which nothing may run, and publishes the final state
    on exit. Only one driver at a time may continue a run. Each has its own id, which it writes to the index; a driver
    that finds another's id there stops. It checks before it sends anything and again before it writes the index.
    Storage cannot check and write in one step, so between the two a driver may still overwrite another's index; then
    the other one stops at its next check. Either index is valid, since objects have their driver's id in their names
    and are deleted only when two consecutive indices no longer list them; and both describe the same run, which
    produces the same bytes wherever it is continued.
    """

    def __init__(self, storage: Storage, folder: Path, identity: str, rounds: int) -> None:
        self._place = storage.run_at(folder.name)
        self._uri = str(storage.address.child(folder.name))
        self._folder = folder
        self._identity = identity
        self._rounds = rounds
        self._owner = secrets.token_hex(8)
        self._files: Files = {}  # published, with the same content as here
        self._present: set[str] = set()  # objects in storage, as far as is known
        self._numbers = count(1)
        self._failing = False
        self._uploads = ThreadPoolExecutor(1, thread_name_prefix="publish")
        self._upload: Future[None] | None = None

    def check(self) -> Index | None:
        """The run's index, if there is one. Writes nothing.

        Raises StorageError if it belongs to a different run, or is ahead of the run here.
        """
        index = read_index(self._place)
        if index is None:
            return None
        if index.identity != self._identity:
            raise name_taken(self._uri)
        if index.rounds > self._rounds:
            raise StorageError(
                f"{self._uri} has {index.rounds} rounds, but {self._folder} only {self._rounds}: "
                f"`distsearch resume {self._uri}` continues from there"
            )
        return index

    def __enter__(self) -> Self:
        """Take the run over. Raises StorageError if that is not possible."""
        try:
            self._uploads.submit(self._take_over, Snapshot.take(self._folder, self._rounds)).result()
        except BaseException as error:
            if not (isinstance(error, Exception) or self._begun):  # a signal: what is on its way is taken back
                with suppress(StorageError):
                    self._uploads.submit(self._withdraw).result()
            self._uploads.shutdown(wait=False)
            raise
        return self

    def _take_over(self, snapshot: Snapshot) -> None:
        index = self.check()
        self._present = set(self._place.names(OBJECTS))
        if index is None:
            self._publish_over(None, snapshot)
            return
        files = {name: self._same_parts(name, parts) for name, parts in index.files.items()}
        self._commit(msgspec.structs.replace(index, owner=self._owner))
        self._files = files

    def _same_parts(self, name: str, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        """The parts up to the first one that differs from the local file."""
        if name not in APPENDED:
            return parts
        begin, same = 0, []
        for part in parts:
            if checksum(_stretch(self._folder / name, begin, begin + part.bytes)) != part.checksum:
                break
            begin += part.bytes
            same.append(part)
        return tuple(same)

    def offer(self, rounds: int) -> None:
        """Start publishing the checkpoint just written, unless an upload is still in progress.

        Raises OvertakenError if another driver has continued the run. Any other failure is only a warning, and the
        next checkpoint is tried.
        """
        self._rounds = rounds
        if self._upload is not None:
            if not self._upload.done():
                return
            self._settle(self._upload)
        self._upload = self._uploads.submit(self._publish, Snapshot.take(self._folder, rounds))

    def _settle(self, upload: Future[None]) -> None:
        """Take the outcome of an upload; warn if it failed and the one before did not."""
        try:
            upload.result()
        except OvertakenError:
            raise
        except StorageError as error:
            if not self._failing:
                LOG.warning(f"{error}: the search continues, and each checkpoint tries again")
            self._failing = True
        else:
            self._failing = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Publish the final state. Raises StorageError if that fails; the run is then complete here."""
        broken_off = kind is not None and not issubclass(kind, Exception)  # by a signal
        try:
            if kind is None:
                self._publish_last()
            elif not issubclass(kind, OvertakenError) and not (broken_off and self._begun):
                self._save_what_can_be()
        finally:
            self._uploads.shutdown(wait=False)

    def _publish_last(self) -> None:
        snapshot = Snapshot.take(self._folder, self._rounds)
        try:
            self._uploads.submit(self._publish, snapshot).result()
        except OvertakenError:
            raise
        except StorageError as error:
            raise StorageError(
                f"{error}; the run is complete in {self._folder}, and `distsearch publish {self._folder}` publishes it"
            ) from None

    def _save_what_can_be(self) -> None:
        """Publish what exists after a failed search; if the search never began, remove the run from storage."""
        try:
            if self._begun:
                self._publish_last()
            else:
                self._uploads.submit(self._withdraw).result()
        except StorageError as error:
            LOG.warning(str(error))

    @property
    def _begun(self) -> bool:
        return (self._folder / CHECKPOINT).exists()

    def _withdraw(self) -> None:
        index = self._current()
        self._place.delete(INDEX)
        for name in self._present | (index.objects if index else set()):
            self._place.delete(name)

    def _publish(self, snapshot: Snapshot) -> None:
        self._publish_over(self._current(), snapshot)

    def _current(self) -> Index | None:
        """The index in storage. Raises OvertakenError if it belongs to another driver."""
        index = read_index(self._place)
        if index is not None and index.owner != self._owner:
            raise OvertakenError(
                f"another driver has continued this run in {self._uri}: this one stops, and its work is in "
                f"{self._folder}"
            )
        return index

    def _publish_over(self, before: Index | None, snapshot: Snapshot) -> None:
        """Send what was added since `before`, then the index; then delete objects that neither index lists."""
        if before is None:  # it was all deleted, or never there
            self._files = {}
        files = {name: self._send_whole(name, content) for name, content in snapshot.whole.items()}
        files |= {name: self._send_grown(name, length) for name, length in snapshot.lengths.items()}
        if previous := self._previous(files):
            files[PREVIOUS] = previous
        self._current()
        index = Index(identity=self._identity, owner=self._owner, rounds=snapshot.rounds, files=files)
        self._commit(index)
        self._files = files
        self._delete_all_but(index.objects | (before.objects if before else set()))

    def _commit(self, index: Index) -> None:
        self._place.write(INDEX, [documents.sealed_json(index)])

    def _send_whole(self, name: str, content: bytes) -> tuple[Part, ...]:
        """Send a whole file if it has changed; its part."""
        before = self._files.get(name, ())
        if [part.checksum for part in before] == [checksum([content])]:
            return before
        return (self._write_object(name, [content]),)

    def _send_grown(self, name: str, length: int) -> tuple[Part, ...]:
        """Send what was added to a file, now `length` bytes long; its parts."""
        kept = kept_parts(self._files.get(name, ()), length)
        begin = sum(part.bytes for part in kept)
        if begin == length:
            return kept
        return (*kept, self._write_object(name, _stretch(self._folder / name, begin, length)))

    def _previous(self, files: Files) -> tuple[Part, ...]:
        """The checkpoint before the one in `files`."""
        published = self._files.get(CHECKPOINT, ())
        return self._files.get(PREVIOUS, ()) if published == files.get(CHECKPOINT, ()) else published

    def _write_object(self, name: str, chunks: Iterable[bytes]) -> Part:
        """Write a new object, under a name that is never used again by this driver or any other; its part."""
        path = f"{OBJECTS}/{self._owner}-{next(self._numbers):06d}-{name}"
        self._present.add(path)
        stream = HashingStream(chunks)
        self._place.write(path, stream)
        return stream.part(path)

    def _delete_all_but(self, needed: set[str]) -> None:
        for name in sorted(self._present - needed):
            try:
                self._place.delete(name)
            except StorageError:  # leftover objects do no harm, and the next attempt may succeed
                return
            self._present.discard(name)


def name_taken(run: Address | str) -> StorageError:
    """The error for a name already used by a different run in storage."""
    return StorageError(f"{run} already exists: choose another --name or --storage")


def _place_at(address: Address) -> Place:
    if not address.scheme:
        return Folder(Path(address.path))
    from distsearch.storage.object_stores import ObjectStore

    return ObjectStore(address)


def _stretch(path: Path, begin: int, end: int) -> Iterator[bytes]:
    """The bytes of a file from begin to end, chunk by chunk; fewer if the file is shorter."""
    with path.open("rb") as file:
        file.seek(begin)
        while chunk := file.read(min(CHUNK, end - begin)):
            begin += len(chunk)
            yield chunk
