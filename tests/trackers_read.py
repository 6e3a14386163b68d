"""The records of trackers, read back from their own files."""

import struct
from collections.abc import Iterator
from pathlib import Path

BLOCK = 32768  # bytes, of wandb's files


def tensorboard_scalars(folder: Path) -> dict[str, dict[int, float]]:
    """The scalars of a folder of event files, by name and step."""
    from tensorboardX.proto.event_pb2 import Event

    found: dict[str, dict[int, float]] = {}
    for path in sorted(folder.glob("events.*")):
        content, at = path.read_bytes(), 0
        while at < len(content):
            (length,) = struct.unpack_from("<Q", content, at)  # then its checksum, the event, and the event's
            event = Event.FromString(content[at + 12 : at + 12 + length])
            at += length + 16
            for value in event.summary.value:
                if value.WhichOneof("value") == "simple_value":
                    found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


def wandb_records(folder: Path) -> list[tuple[str, dict[str, str]]]:
    """The records of all runs in a wandb folder, in order: their kind and, for rows of the history, the values."""
    from wandb.proto.wandb_internal_pb2 import Record

    found = []
    for path in sorted(folder.glob("offline-run-*/run-*.wandb"), key=lambda path: path.stat().st_mtime_ns):
        for content in _logged(path.read_bytes()):
            record = Record.FromString(content)
            row = {item.nested_key[0] if item.nested_key else item.key: item.value_json for item in record.history.item}
            found.append((record.WhichOneof("record_type"), row))
    return found


def _logged(content: bytes) -> Iterator[bytes]:
    """The records of a log in LevelDB's format, after wandb's header, as far as they are written."""
    at, parts = 7, b""
    while at < len(content):
        if (left := BLOCK - at % BLOCK) < 7:
            at += left
            continue
        if at + 7 > len(content):
            return
        _, length, kind = struct.unpack_from("<IHB", content, at)
        if at + 7 + length > len(content):
            return
        parts = content[at + 7 : at + 7 + length] if kind in (1, 2) else parts + content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
