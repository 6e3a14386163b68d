"""Fetching a stored run: whole and checked, or not at all."""

from collections.abc import Iterator
from pathlib import Path

from distsearch.errors import RunError, StorageError
from distsearch.runs import files, names
from distsearch.runs.directory import StoredRun
from distsearch.runs.layout import APPENDED, CHECKPOINT, RESULT
from distsearch.runs.receiving import receive
from distsearch.storage.addresses import Address, stored_run
from distsearch.storage.index import OBJECTS, HashingStream, Index, Part, identity, read_index
from distsearch.storage.places import Place
from distsearch.storage.publisher import PUBLISHED, Storage

ATTEMPTS = 3  # a run still being searched may delete objects while they are being read


def fetch(run: str, folder: Path) -> Path:
    """Fetch the run at an address in storage into a folder of runs, unless it is there and up to date; its directory.

    Raises StorageError if it is not in storage or is damaged, or if the folder has a different run of that name; then
    nothing is changed here.
    """
    address = stored_run(run)
    names.check(address.name)
    place = Storage(address.parent).run_at(address.name)
    target = folder / address.name
    index = _index(place, address)
    if target.exists() and not _is_behind(target, index, address):
        return target
    try:
        _fetch(place, address, index, target)
    except OSError as error:
        raise RunError(f"cannot write to the folder {folder} ({error.strerror}): choose another with --runs") from None
    return target


def _index(place: Place, address: Address) -> Index:
    """Read the index of a run and check that it can be continued."""
    index = read_index(place)
    if index is None:
        raise StorageError(f"expected a run at {address}, but there is none: give it as STORAGE/NAME")
    if CHECKPOINT not in index.files:
        raise StorageError(f"the search of {address} never began: there is nothing to continue from")
    named = {name for name in index.objects if name.startswith(f"{OBJECTS}/") and ".." not in name}
    if strange := [*(index.objects - named), *(set(index.files) - PUBLISHED)]:
        raise StorageError(
            f"the index of {address} is damaged or was not written by distsearch: unexpected {strange[0]!r}"
        )
    return index


def _is_behind(target: Path, index: Index, address: Address) -> bool:
    """Whether the local copy needs updating. Raises StorageError if it is a different run."""
    here = StoredRun(target)
    if identity(here.manifest, here.config.strategy.seed) != index.identity:
        raise StorageError(f"{target} is a different run from {address}: choose another folder with --runs")
    if not (target / CHECKPOINT).exists():
        return True
    return (here.rounds, (target / RESULT).exists()) < index.reached


def _fetch(place: Place, address: Address, index: Index, target: Path) -> None:
    with receive(target, update=True) as scratch:
        for attempt in range(1, ATTEMPTS + 1):
            for left in scratch.iterdir():  # of another index
                left.unlink()
            try:
                _download(place, index, scratch)
                break
            except FileNotFoundError as error:
                newer = _index(place, address)
                if newer == index or attempt == ATTEMPTS:
                    raise StorageError(f"{address} is damaged: {error.args[0]} is missing") from None
                index = newer


def _download(place: Place, index: Index, folder: Path) -> None:
    """Download all files of a run into a folder."""
    for name in index.files:
        files.write_chunks(folder / name, _content(place, index.files[name]))
    for name in APPENDED:
        (folder / name).touch()


def _content(place: Place, parts: tuple[Part, ...]) -> Iterator[bytes]:
    """The content of the parts, each checked at its end. Raises FileNotFoundError naming a missing one."""
    for part in parts:
        stream = HashingStream(place.chunks(part.object))
        try:
            yield from stream
        except FileNotFoundError:
            raise FileNotFoundError(place.where(part.object)) from None
        if stream.part(part.object) != part:
            raise StorageError(f"{place.where(part.object)} is damaged: its checksum does not match the index")
