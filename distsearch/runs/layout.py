"""The files of a run's directory, each of which `directory` describes, and where runs are."""

from pathlib import Path

CONFIG, MANIFEST, RESULT = "config.toml", "manifest.json", "result.json"
BEST, CHECKPOINT, PREVIOUS = "best.safetensors", "checkpoint.safetensors", "previous.safetensors"
TRACKING = "tracking.json"
HISTORY, LOSSES = "history.jsonl", "losses.bin"
START = "start.safetensors"

APPENDED = (HISTORY, LOSSES)
"""Files that only grow: read in this order and written in reverse, so no line of the history lacks its losses."""

WHOLE = (START, BEST, PREVIOUS, CHECKPOINT, CONFIG, MANIFEST, TRACKING, RESULT)
"""Files only ever replaced whole: written in this order, after those that grow, none is ahead of what it needs."""


def run_paths(folder: Path) -> list[Path]:
    """The run directories in a folder, oldest first; others, and those closed to this user, are skipped."""
    if not folder.is_dir():
        return []
    named = (path for path in folder.iterdir() if not path.name.startswith("."))
    found = [(when, path.name, path) for path in named if (when := _written(path)) is not None]
    return [path for _, _, path in sorted(found)]


def _written(path: Path) -> float | None:
    """When a run's manifest was written; None if this is no run, or one that is closed to this user."""
    try:
        return (path / MANIFEST).stat().st_mtime
    except OSError:
        return None
