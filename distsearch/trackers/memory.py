"""What a run's directory remembers of its trackers, so that the run, resumed, goes on where they know it."""

import logging
import threading
from pathlib import Path

import msgspec

from distsearch.errors import RunError
from distsearch.runs import documents, files
from distsearch.runs.layout import TRACKING

LOG = logging.getLogger(__name__)

_writing = threading.Lock()  # trackers of one run write to the same file, each from a thread of its own


class Known(msgspec.Struct, frozen=True):
    """What a tracker knows a run as, and how much of it."""

    place: str  # the tracker's URI or folder, as it was given
    identity: str  # of the run, there
    rounds: int  # the tracker has got


class _Document(msgspec.Struct, frozen=True):
    trackers: dict[str, Known]


def recall(run: Path | None, tracker: str, place: str) -> Known | None:
    """What the tracker, by name, knows the run as at this place; None if it does not know it."""
    known = _read(run).get(tracker) if run else None
    return known if known is not None and known.place == place else None


def remember(run: Path | None, tracker: str, known: Known) -> None:
    """Write it into the run's directory, whole or not at all; nothing if the run is not kept. OSError if it cannot."""
    if run is None:
        return
    with _writing:
        content = documents.sealed_json(_Document({**_read(run), tracker: known}))
        files.write_whole(run / TRACKING, content)


def _read(run: Path) -> dict[str, Known]:
    if not (run / TRACKING).exists():
        return {}
    try:
        return documents.read_json(run / TRACKING, _Document).trackers
    except RunError as error:
        LOG.warning(f"{error}: trackers see the run as a new one")
        return {}
