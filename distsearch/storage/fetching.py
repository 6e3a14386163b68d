"""Bringing a stored run here: whole and checked, or not at all."""

from collections.abc import Iterator
from pathlib import Path

from distsearch.errors import RunError, StorageError
from distsearch.runs import files, names
from distsearch.runs.directory import StoredRun
from distsearch.runs.layout import APPENDED, CHECKPOINT, RESULT
from distsearch.runs.receiving import received
from distsearch.storage.addresses import Address, stored_run
from distsearch.storage.index import OBJECTS, Counted, Index, Part, identity, read_index
from distsearch.storage.places import Place
from distsearch.storage.publisher import PUBLISHED, Storage

ATTEMPTS = 3  # a run that is being searched may take away what is being read


def fetch(run: str, folder: Path) -> Path:
    """The directory, in a folder of runs, of the run that lies at an address in storage, as far as it is there.

    It is brought there unless it is there already and not behind. StorageError if it is not in storage or damaged, or
    if the folder has another run of that name; then nothing here is changed.
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
    """The index of a run that can be gone on with."""
    index = read_index(place)
    if index is None:
        raise StorageError(f"expected a run at {address}, but there is none: it is named as STORAGE/NAME")
    if CHECKPOINT not in index.files:
        raise StorageError(f"the search of {address} had not begun: there is nothing to go on from")
    named = {name for name in index.objects if name.startswith(f"{OBJECTS}/") and ".." not in name}
    if strange := [*(index.objects - named), *(set(index.files) - PUBLISHED)]:
        raise StorageError(f"the index of {address} is damaged or not distsearch's: {strange[0]!r} not expected in it")
    return index


def _is_behind(target: Path, index: Index, address: Address) -> bool:
    """Whether the copy that is here has to be brought up to date. StorageError if it is another run."""
    here = StoredRun(target)
    if identity(here.manifest, here.config.strategy.seed) != index.identity:
        raise StorageError(f"{target} is another run than {address}: choose another folder with --runs")
    if not (target / CHECKPOINT).exists():
        return True
    return (here.rounds, (target / RESULT).exists()) < index.reached


def _fetch(place: Place, address: Address, index: Index, target: Path) -> None:
    with received(target, update=True) as scratch:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                _download(place, index, scratch)
                break
            except FileNotFoundError as error:
                newer = _index(place, address)
                if newer == index or attempt == ATTEMPTS:
                    raise StorageError(f"{address} is damaged: {error.args[0]} is missing") from None
                index = newer


def _download(place: Place, index: Index, folder: Path) -> None:
    """Write all files of a run."""
    for name in index.files:
        files.write_chunks(folder / name, _content(place, index.files[name]))
    for name in APPENDED:
        (folder / name).touch()


def _content(place: Place, parts: tuple[Part, ...]) -> Iterator[bytes]:
    """What the parts hold, each checked at its end. FileNotFoundError, with what is missing, if one is."""
    for part in parts:
        counted = Counted(place.chunks(part.object))
        try:
            yield from counted
        except FileNotFoundError:
            raise FileNotFoundError(place.where(part.object)) from None
        if counted.part(part.object) != part:
            raise StorageError(f"{place.where(part.object)} is damaged: its checksum does not fit the index")
