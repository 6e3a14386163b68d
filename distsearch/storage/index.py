"""The index of a run in storage: which immutable objects its files are made of. Writing it is the commit.

An object store can neither append nor rename. So what is added to a file goes into an object of its own, under a name
that is never used again, and last of all the index is written, which names all objects with lengths and checksums. A
driver that dies before has left the index that was there, and every object that it names.
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
    """An object that holds a file, or a stretch of it."""

    object: str
    bytes: int
    checksum: str


class Counted:
    """Chunks that are counted and summed while they pass by, once."""

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
        """What has passed by, as the part that an object of this name holds."""
        return Part(name, self._bytes, self._digest.hexdigest())


Files = dict[str, tuple[Part, ...]]
"""The parts of each file, in their order."""


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """What a run's driver has published."""

    program: str = "distsearch"
    format: int = FORMAT
    identity: str  # of the run, see `identity`
    owner: str  # which driver: another id for each, also for those of one run
    rounds: int  # that the checkpoint has behind it
    files: Files

    @property
    def reached(self) -> tuple[int, bool]:
        """How far the run is: rounds, and whether it has ended."""
        return self.rounds, RESULT in self.files

    @property
    def objects(self) -> set[str]:
        """The objects that the files are made of."""
        return {part.object for parts in self.files.values() for part in parts}


def read_index(place: Place) -> Index | None:
    """The index of the run at a place; None if there is none. StorageError if it is damaged or foreign."""
    where, content = place.where(INDEX), None
    while True:
        before = content
        try:
            content = place.read(INDEX)
            index = documents.unsealed_json(content, where, Index)
        except FileNotFoundError:
            return None
        except RunError as error:
            # An object store gives the length and the content apart, and a driver may write in between.
            if content == before:
                raise StorageError(str(error)) from None
        else:
            break
    if index.program != "distsearch" or index.format > FORMAT:
        raise StorageError(f"{where} was written by a newer distsearch (format {index.format}): upgrade distsearch")
    return index


def identity(manifest: Manifest, seed: int) -> str:
    """What tells a run from any other: a checksum of what made it, the machines of its workers apart."""
    made: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(manifest, workers=()))
    if not made["code"]:  # as in the manifests of 0.1
        del made["code"]
    return checksum([msgspec.json.encode((made, seed), order="deterministic")])


def checksum(chunks: Iterable[bytes]) -> str:
    """The checksum of what comes chunk by chunk."""
    digest = blake2b(digest_size=CHECKSUM_BYTES)
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def kept_parts(parts: Sequence[Part], size: int) -> tuple[Part, ...]:
    """The parts that stay when a file has grown to `size` bytes; all behind them becomes one new part.

    A part that is not twice as long as what comes behind it goes into the new one. So there are never more than
    log₂(size) parts, and no byte is sent more than log₁.₅(size) times.
    """
    kept = list(parts)
    added = size - sum(part.bytes for part in kept)
    while added and kept and kept[-1].bytes < 2 * added:
        added += kept.pop().bytes
    return tuple(kept)
