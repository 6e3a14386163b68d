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
    """The run directories in a folder, oldest first; other directories are skipped."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if (path / MANIFEST).exists() and not path.name.startswith(".")]
    return sorted(found, key=lambda path: ((path / MANIFEST).stat().st_mtime, path.name))
