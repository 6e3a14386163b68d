"""The files of a run's directory; `runs` says what each holds."""

CONFIG, MANIFEST, RESULT = "config.toml", "manifest.json", "result.json"
BEST, CHECKPOINT, PREVIOUS = "best.safetensors", "checkpoint.safetensors", "previous.safetensors"
HISTORY, LOSSES = "history.jsonl", "losses.bin"

APPENDED = (HISTORY, LOSSES)
"""Files that only ever grow: read in this order and written in the other, no line of the history lacks its losses."""

WHOLE = (BEST, PREVIOUS, CHECKPOINT, CONFIG, MANIFEST, RESULT)
"""Files that are only ever replaced, whole: in this order, after those that grow, none is ahead of what it needs."""
