"""Whole searches, and what must be the same in two of them."""

import json
from pathlib import Path

from distsearch.config import from_flags
from distsearch.runs.directory import Result, StoredRun
from distsearch.search import session
from distsearch.search.interrupts import Interrupts


def unwatched(row, state, workers) -> None:
    pass


def untold(sentence: str) -> None:
    pass


def search(folder: Path, watch=unwatched, tell=untold, **flags) -> tuple[StoredRun, Result]:
    """Search in a folder of runs, in this process unless the flags say otherwise."""
    prepared = session.prepare(from_flags({"runs": str(folder), "workers": 0, **flags}))
    with Interrupts() as interrupts:
        run, result = prepared.run(watch, tell, interrupts)
    return StoredRun(run.path), result


def contents(path: Path) -> dict[str, object]:
    """What is the same for any workers and after any stop: weights, state, losses, and the history, times aside."""
    history = [json.loads(line) for line in (path / "history.jsonl").read_bytes().splitlines()]
    for line in history:
        del line["seconds"], line["check"]
    files = {name: (path / name).read_bytes() for name in ("best.safetensors", "checkpoint.safetensors", "losses.bin")}
    return {**files, "history": history}
