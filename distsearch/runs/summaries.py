"""What a list of runs shows of each, kept in an index that can be thrown away.

Reading a run takes a few milliseconds, which is much for thousands of them. The index, a file in the user's cache,
has what was read, and is believed for a run as long as its files are those that were read.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from distsearch.errors import UserError
from distsearch.runs import files
from distsearch.runs.layout import CONFIG, HISTORY, MANIFEST, RESULT

FUNCTION = "function"  # in the place of data
INTERRUPTED = "interrupted"  # the reason of a run that a signal has ended
DONE, STOPPED, RUNNING, KILLED, DAMAGED = "done", "stopped", "running", "killed", "damaged"
ENDED = DONE, STOPPED, DAMAGED
INDEX_FORMAT = 2
WORTH_KEEPING = 50  # runs that had to be read
LAST_LINE = 4096  # bytes, in which the last line of a history begins


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A run in a list. Figures are those of its best weights; None where there is no such thing."""

    run: str
    path: str
    status: str  # done, stopped by a signal, running, killed (or of a machine that was switched off) or damaged
    error: str = ""  # of a damaged run
    date: str = ""  # ISO 8601
    data: str = ""
    strategy: str = ""
    seed: int | None = None
    step: float | None = None  # the strategy's sigma or, if it has none, its learning rate
    weights: int | None = None
    loss: float | None = None
    accuracy: float | None = None
    test_loss: float | None = None
    test_accuracy: float | None = None
    rounds: int | None = None
    seconds: float | None = None
    passes: float | None = None
    reason: str = ""
    config: dict[str, Any] = {}


class _Kept(msgspec.Struct, array_like=True):
    """A run in the index, and which files it was read from."""

    stamp: tuple[int, ...]
    summary: Summary


class _Index(msgspec.Struct, array_like=True):
    format: int
    runs: dict[str, _Kept]


def summaries(paths: Iterable[Path]) -> Iterator[Summary]:
    """A summary of each of the runs, which are all in one folder."""
    indices: dict[Path, dict[str, _Kept]] = {}
    read: dict[Path, int] = {}
    for path in paths:
        if path.parent not in indices:
            indices[path.parent] = _read_index(path.parent)
        index = indices[path.parent]
        stamp = _stamp(path)
        kept = index.get(path.name)
        if kept is None or kept.stamp != stamp:
            kept = index[path.name] = _Kept(stamp, _read(path))
            read[path.parent] = read.get(path.parent, 0) + 1
        summary = msgspec.structs.replace(kept.summary, path=str(path))  # which another folder may have written
        yield summary if summary.status in ENDED else _now(path, summary)
    for folder, count in read.items():
        if count >= WORTH_KEEPING:
            _write_index(folder, indices[folder])


def is_running(path: Path) -> bool:
    """Whether a process is writing to a run's directory."""
    folder = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(folder)
    return False


def _read(path: Path) -> Summary:
    """The summary of a run, read from its files."""
    from distsearch.runs.directory import StoredRun  # imports NumPy, which the index makes needless

    try:
        stored = StoredRun(path)
        config, manifest, result = stored.config, stored.manifest, stored.result
    except UserError as error:
        return Summary(run=path.name, path=str(path), status=DAMAGED, error=str(error))
    figures = {} if result is None else msgspec.structs.asdict(result)
    known = {name: value for name, value in figures.items() if name in Summary.__struct_fields__ and name != "run"}
    return Summary(
        run=path.name,
        path=str(path),
        status=KILLED if result is None else STOPPED if result.reason == INTERRUPTED else DONE,
        date=manifest.created,
        data=config.data.source if manifest.data else FUNCTION,
        strategy=config.strategy.name,
        seed=config.strategy.seed,
        step=config.settings.get("sigma", config.settings.get("rate")),
        weights=manifest.weights,
        config=msgspec.json.decode(msgspec.json.encode(config)),  # as it is read from the index
        **known,
    )


def _now(path: Path, summary: Summary) -> Summary:
    """The summary of a run that has not ended: whether it is running, and how far it has come."""
    changes: dict[str, Any] = {"status": RUNNING if is_running(path) else KILLED}
    if last := _last_round(path / HISTORY):
        changes |= {"rounds": last["round"] + 1, "seconds": last["seconds"], "passes": last.get("passes")}
        changes["loss"] = float(last["best_loss"])
    return msgspec.structs.replace(summary, **changes)


def _last_round(history: Path) -> dict[str, Any] | None:
    """The last whole line of a history; None if there is none, or if it cannot be read."""
    try:
        with history.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LAST_LINE))
            lines = [line for line in file.read().split(b"\n")[:-1] if line]
        return msgspec.json.decode(lines[-1], type=dict[str, Any]) if lines else None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _stamp(path: Path) -> tuple[int, ...]:
    """When each of the files that a summary is read from was last written, and how long it is; zeros without it."""
    stamp: list[int] = []
    for name in (MANIFEST, CONFIG, RESULT):
        try:
            status = os.stat(path / name)
            stamp += [status.st_mtime_ns, status.st_size, status.st_ino]
        except OSError:
            stamp += [0, 0, 0]
    return tuple(stamp)


def _index_path(folder: Path) -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "distsearch" / f"{blake2b(os.fsencode(folder.resolve()), digest_size=12).hexdigest()}.index"


def _read_index(folder: Path) -> dict[str, _Kept]:
    with suppress(OSError, RuntimeError, msgspec.MsgspecError, UnicodeDecodeError):
        index = msgspec.msgpack.decode(_index_path(folder).read_bytes(), type=_Index)
        if index.format == INDEX_FORMAT:
            return index.runs
    return {}


def _write_index(folder: Path, index: dict[str, _Kept]) -> None:
    with suppress(OSError, RuntimeError):  # a home that is missing or read-only: without it, it is only slower
        path = _index_path(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        there = {name: kept for name, kept in index.items() if (folder / name).is_dir()}
        files.write_output(path, msgspec.msgpack.encode(_Index(INDEX_FORMAT, there)))
