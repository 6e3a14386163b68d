"""The index of a run in storage: the immutable objects that make up its files. Writing it is the commit.

An object store can neither append nor rename. So what is added to a file goes into an object of its own, under a name
that is never used again; the index, which lists all objects with lengths and checksums, is written last. A driver that
dies before that leaves the previous index, and every object that it lists, intact.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from distsearch.errors import RunError, StorageError
from distsearch.runs import documents
from distsearch.runs.directory import FORMAT, Manifest
from distsearch.runs.layout import RESULT
from distsearch.storage.places import Place

INDEX, OBJECTS = "index.json", "objects"
CHECKSUM_BYTES = 16


class Part(msgspec.Struct, frozen=True):
    """An object that holds a file or a range of its bytes."""

    object: str
    bytes: int
    checksum: str


class HashingStream:
    """Chunks, to be iterated once, that are counted and hashed as they pass."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self._bytes = 0
        self._digest = blake2b(digest_size=CHECKSUM_BYTES)

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._bytes += len(chunk)
            self._digest.update(chunk)
            yield chunk

    def part(self, name: str) -> Part:
        """The chunks passed so far, as the part held by an object of this name."""
        return Part(name, self._bytes, self._digest.hexdigest())


Files = dict[str, tuple[Part, ...]]
"""The parts of each file, in order."""


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """What a run's driver has published."""

    program: str = "distsearch"
    format: int = FORMAT
    identity: str  # of the run, see `identity`
    owner: str  # the driver's id, unique even among drivers of the same run
    rounds: int  # completed at the checkpoint
    files: Files

    @property
    def reached(self) -> tuple[int, bool]:
        """The run's progress: its rounds, and whether it has ended."""
        return self.rounds, RESULT in self.files

    @property
    def objects(self) -> set[str]:
        """The names of all objects that the files consist of."""
        return {part.object for parts in self.files.values() for part in parts}


def read_index(place: Place) -> Index | None:
    """Read the index of the run at a place; None if there is none. Raises StorageError if it is damaged or foreign."""
    where, content = place.where(INDEX), None
    while True:
        before = content
        try:
            content = place.read(INDEX)
            index = documents.unsealed_json(content, where, Index)
        except FileNotFoundError:
            return None
        except RunError as error:
            # An object store returns length and content separately, and a driver may write in between.
            if content == before:
                raise StorageError(str(error)) from None
        else:
            break
    if index.program != "distsearch":
        raise StorageError(f"{where} is not a run of distsearch but of {index.program}")
    if index.format > FORMAT:
        raise StorageError(f"{where} was written by a newer distsearch (format {index.format}): upgrade distsearch")
    return index


def identity(manifest: Manifest, seed: int) -> str:
    """A checksum that identifies a run: over its seed and its manifest, without what becomes of its workers.

    The place of its data is left out too: it may move. What is in it has a fingerprint.
    """
    made: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(manifest, workers=()))
    for changing in ("source", "events", "shares"):
        del made[changing]
    for later in ("code", "vectorized", "frozen", "class_counts"):  # fields that older manifests do not have
        if not made[later]:
            del made[later]
    return checksum([msgspec.json.encode((made, seed), order="deterministic")])


def checksum(chunks: Iterable[bytes]) -> str:
    """The checksum over all chunks."""
    digest = blake2b(digest_size=CHECKSUM_BYTES)
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def kept_parts(parts: Sequence[Part], size: int) -> tuple[Part, ...]:
    """The parts to keep when a file has grown to `size` bytes; everything after them becomes one new part.

    A part that is less than twice as long as what follows is merged into the new one. So there are never more than
    log₂(size) parts, and no byte is sent more than log₁.₅(size) times.
    """
    kept = list(parts)
    added = size - sum(part.bytes for part in kept)
    while added and kept and kept[-1].bytes < 2 * added:
        added += kept.pop().bytes
    return tuple(kept)
