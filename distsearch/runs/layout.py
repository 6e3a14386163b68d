"""The files of a run's directory; `directory` describes each."""

CONFIG, MANIFEST, RESULT = "config.toml", "manifest.json", "result.json"
BEST, CHECKPOINT, PREVIOUS = "best.safetensors", "checkpoint.safetensors", "previous.safetensors"
HISTORY, LOSSES = "history.jsonl", "losses.bin"
START = "start.safetensors"

APPENDED = (HISTORY, LOSSES)
"""Files that only grow: read in this order and written in reverse, so no line of the history lacks its losses."""

WHOLE = (START, BEST, PREVIOUS, CHECKPOINT, CONFIG, MANIFEST, RESULT)
"""Files only ever replaced whole: written in this order, after those that grow, none is ahead of what it needs."""
