"""Whole searches, and what must be equal in two of them."""

import json
from collections.abc import Callable
from pathlib import Path

from distsearch.config import from_flags
from distsearch.runs.directory import Result, StoredRun
from distsearch.search import resumption, session
from distsearch.search.assembly import assemble
from distsearch.search.interrupts import Interrupts
from distsearch.search.observers import Observer, Round

GATED = """
import time
from distsearch.__main__ import main
from distsearch.runs import directory

def gated(run, row, losses):
    time.sleep(0.001)
    while row.round >= {gate}:
        time.sleep(1)
    record(run, row, losses)

directory.SAVE_SECONDS, directory.SAVE_SHARE, directory.FLUSH_SECONDS = 0.002, 1e9, 0.001
record, directory.Run.record = directory.Run.record, gated
main()
"""
"""The program as it is run, to be killed: it saves as often as it can, and waits when it comes to the round `gate`."""


def unwatched(row, state, workers) -> None:
    pass


class Watching(Observer):
    """Calls a function with each round's record, the state after it, and the number of workers."""

    def __init__(self, watch: Callable[..., object]) -> None:
        self._watch = watch

    def round(self, done: Round) -> None:
        self._watch(done.record, done.after, done.workers)


def search(folder: Path, watch=unwatched, **flags) -> tuple[StoredRun, Result]:
    """Search into a folder of runs, in this process unless the flags say otherwise."""
    assembly = assemble(from_flags({"runs": str(folder), "workers": 0, **flags}))
    with Interrupts() as interrupts:
        result, _, path = session.run(assembly, [Watching(watch)], interrupts)
    return StoredRun(path), result


def resume(path: Path, rounds=None, seconds=None, workers=None, force=False, watch=unwatched, storage=None) -> None:
    """Resume the run in a directory."""
    ready = resumption.prepare_to_resume(StoredRun(path), rounds, seconds, workers, force, storage)
    ready.run([Watching(watch)])


def contents(path: Path) -> dict[str, object]:
    """What must not depend on workers or stops: weights, state, losses, and the history without times."""
    history = [json.loads(line) for line in (path / "history.jsonl").read_bytes().splitlines()]
    for line in history:
        del line["seconds"], line["check"]
    files = {name: (path / name).read_bytes() for name in ("best.safetensors", "checkpoint.safetensors", "losses.bin")}
    return {**files, "history": history}


def checkpoint_time(path: Path) -> int:
    try:
        return (path / "checkpoint.safetensors").stat().st_mtime_ns
    except FileNotFoundError:
        return 0
