"""Publishing a run while it is searched: in the background, so that the search never waits for it."""

import logging
import secrets
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from distsearch.errors import OvertakenError, SettingError, StorageError
from distsearch.runs import documents
from distsearch.runs.layout import APPENDED, CHECKPOINT, PREVIOUS, WHOLE
from distsearch.storage.addresses import Address
from distsearch.storage.index import INDEX, OBJECTS, Counted, Files, Index, Part, checksum, kept_parts, read_index
from distsearch.storage.places import CHUNK, Folder, Place

LOG = logging.getLogger(__name__)

PUBLISHED = {*APPENDED, *WHOLE}
SENT = tuple(name for name in WHOLE if name != PREVIOUS)  # the one before is in storage already


class Storage:
    """Where runs are published, each under its name."""

    def __init__(self, address: Address) -> None:
        self.address = address

    def run_at(self, name: str) -> Place:
        """Where the run of a name lies. StorageError if there is no driver for such an address.

        SettingError if a URI cannot have such a name in it.
        """
        if self.address.scheme and {"?", "#"} & set(name):
            raise SettingError(f"expected a name without ? and # for a run in {self.address}, got {name!r}")
        return _place_at(self.address.child(name))

    def has(self, name: str) -> bool:
        """Whether there is a run of that name. StorageError if the storage cannot be read."""
        return read_index(self.run_at(name)) is not None

    def check(self, name: str) -> None:
        """StorageError if the storage cannot be read, is a run itself or has one of this name, where one is given."""
        if read_index(_place_at(self.address)) is not None:
            raise StorageError(f"expected storage, but {self.address} is a run in it: name {self.address.parent}")
        if name and self.has(name):
            raise taken(self.address.child(name))


class Snapshot(msgspec.Struct, frozen=True):
    """A run's directory as it is between two rounds: files that are written whole, lengths of those that only grow."""

    rounds: int
    whole: dict[str, bytes]
    lengths: dict[str, int]

    @classmethod
    def taken(cls, folder: Path, rounds: int) -> "Snapshot":
        """The snapshot of a directory whose checkpoint has so many rounds behind it."""
        return cls(
            rounds,
            {name: documents.read_bytes(folder / name) for name in SENT if (folder / name).exists()},
            {name: (folder / name).stat().st_size for name in APPENDED},
        )


class Publisher:
    """Publishes the checkpoints of one run for one driver, at most one at a time.

    As a context manager it begins with taking the run over, before which nothing may run, and ends with publishing what
    there is then. Only one driver at a time may go on with a run. Each has an id of its own, which stands in the index;
    one that finds another's there stops. It looks before it sends anything and once more before it writes the index.
    Storage has no way to look and write in one step, so in the moment between the two a driver may still put its index
    in the place of that of another; then it is the other that stops when it next looks. Either index is whole, since
    objects have the id of their driver in their names and are only deleted when two indices no longer name them; and
    both are of the same run, which comes to the same bytes wherever it is gone on with.
    """

    def __init__(self, storage: Storage, folder: Path, identity: str, rounds: int) -> None:
        self._place = storage.run_at(folder.name)
        self._uri = str(storage.address.child(folder.name))
        self._folder = folder
        self._identity = identity
        self._rounds = rounds
        self._owner = secrets.token_hex(8)
        self._files: Files = {}  # published, and the same as here
        self._present: set[str] = set()  # objects that are there, as far as is known
        self._numbers = count(1)
        self._failing = False
        self._uploads = ThreadPoolExecutor(1, thread_name_prefix="publish")
        self._upload: Future[None] | None = None

    def check(self) -> Index | None:
        """The run's index, if there is one. StorageError if it is another run's, or has got further than the run here.

        Nothing is written.
        """
        index = read_index(self._place)
        if index is None:
            return None
        if index.identity != self._identity:
            raise taken(self._uri)
        if index.rounds > self._rounds:
            raise StorageError(
                f"{self._uri} has got to round {index.rounds}, {self._folder} only to round {self._rounds}: "
                f"`distsearch resume {self._uri}` goes on from there"
            )
        return index

    def __enter__(self) -> Self:
        """Take the run over. StorageError if that cannot be."""
        try:
            self._uploads.submit(self._take_over, Snapshot.taken(self._folder, self._rounds)).result()
        except BaseException:
            self._uploads.shutdown(wait=False)
            raise
        return self

    def _take_over(self, snapshot: Snapshot) -> None:
        index = self.check()
        self._present = set(self._place.names(OBJECTS))
        if index is None:
            self._publish_over(None, snapshot)
            return
        files = {name: self._same(name, parts) for name, parts in index.files.items()}
        self._commit(msgspec.structs.replace(index, owner=self._owner))
        self._files = files

    def _same(self, name: str, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        """The parts up to the first that differs from what is here."""
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
        """Begin to publish the checkpoint that has just been written, unless one is still on its way.

        OvertakenError if another driver has continued the run. Any other failure is a warning, and the next is tried.
        """
        self._rounds = rounds
        if self._upload is not None:
            if not self._upload.done():
                return
            self._settle(self._upload)
        self._upload = self._uploads.submit(self._publish, Snapshot.taken(self._folder, rounds))

    def _settle(self, upload: Future[None]) -> None:
        """Tell how an upload has ended, if it has failed and the one before had not."""
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
        """Publish what there is at the end. StorageError if that fails; then the run is whole here."""
        broken_off = kind is not None and not issubclass(kind, Exception)  # by a signal
        try:
            if kind is None:
                self._publish_last()
            elif not issubclass(kind, OvertakenError) and not (broken_off and self._begun):
                self._save_what_can_be()
        finally:
            self._uploads.shutdown(wait=False)

    def _publish_last(self) -> None:
        snapshot = Snapshot.taken(self._folder, self._rounds)
        try:
            self._uploads.submit(self._publish, snapshot).result()
        except OvertakenError:
            raise
        except StorageError as error:
            raise StorageError(
                f"{error}; the run is whole in {self._folder}, and `distsearch publish {self._folder}` publishes it"
            ) from None

    def _save_what_can_be(self) -> None:
        """What is there when the search has failed; what stands for a run that never began is removed."""
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
        for name in index.objects if index else ():
            self._place.delete(name)

    def _publish(self, snapshot: Snapshot) -> None:
        self._publish_over(self._current(), snapshot)

    def _current(self) -> Index | None:
        """The index that is there. OvertakenError if it is another driver's."""
        index = read_index(self._place)
        if index is not None and index.owner != self._owner:
            raise OvertakenError(
                f"another driver has gone on with this run in {self._uri}: this one stops, what it has done is in "
                f"{self._folder}"
            )
        return index

    def _publish_over(self, before: Index | None, snapshot: Snapshot) -> None:
        """Send what has been added since `before`, then the index, then delete what no index has named lately."""
        if before is None:  # all of it has gone, or nothing was there
            self._files = {}
        files = {name: self._sent(name, content) for name, content in snapshot.whole.items()}
        files |= {name: self._grown(name, length) for name, length in snapshot.lengths.items()}
        if previous := self._previous(files):
            files[PREVIOUS] = previous
        self._current()
        index = Index(identity=self._identity, owner=self._owner, rounds=snapshot.rounds, files=files)
        self._commit(index)
        self._files = files
        self._delete_all_but(index.objects | (before.objects if before else set()))

    def _commit(self, index: Index) -> None:
        self._place.write(INDEX, [documents.sealed_json(index)])

    def _sent(self, name: str, content: bytes) -> tuple[Part, ...]:
        """The part of a whole file, which is only sent if it has changed."""
        before = self._files.get(name, ())
        if [part.checksum for part in before] == [checksum([content])]:
            return before
        return (self._written(name, [content]),)

    def _grown(self, name: str, length: int) -> tuple[Part, ...]:
        """The parts of a file that has grown to so many bytes."""
        kept = kept_parts(self._files.get(name, ()), length)
        begin = sum(part.bytes for part in kept)
        if begin == length:
            return kept
        return (*kept, self._written(name, _stretch(self._folder / name, begin, length)))

    def _previous(self, files: Files) -> tuple[Part, ...]:
        """The checkpoint before the one in `files`."""
        published = self._files.get(CHECKPOINT, ())
        return self._files.get(PREVIOUS, ()) if published == files.get(CHECKPOINT, ()) else published

    def _written(self, name: str, chunks: Iterable[bytes]) -> Part:
        """A new object, under a name that is never given again, by this driver or another."""
        path = f"{OBJECTS}/{self._owner}-{next(self._numbers):06d}-{name}"
        self._present.add(path)
        counted = Counted(chunks)
        self._place.write(path, counted)
        return counted.part(path)

    def _delete_all_but(self, needed: set[str]) -> None:
        for name in sorted(self._present - needed):
            try:
                self._place.delete(name)
            except StorageError:  # too much does no harm, and the next time may do better
                return
            self._present.discard(name)


def taken(run: Address | str) -> StorageError:
    """The error for a name that another run has in storage."""
    return StorageError(f"{run} is already there: choose another --name or --storage")


def _place_at(address: Address) -> Place:
    if not address.scheme:
        return Folder(Path(address.path))
    from distsearch.storage.object_stores import ObjectStore

    return ObjectStore(address)


def _stretch(path: Path, begin: int, end: int) -> Iterator[bytes]:
    """The bytes of a file from begin to end, chunk by chunk, or fewer if it ends before."""
    with path.open("rb") as file:
        file.seek(begin)
        while chunk := file.read(min(CHUNK, end - begin)):
            begin += len(chunk)
            yield chunk
