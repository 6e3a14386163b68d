"""A run's JSON and TOML documents, each with a checksum, so that no changed bit goes unnoticed.

JSON has no infinity and no NaN: in everything written here and printed by `--json` they are the texts "inf", "-inf"
and "nan". A null means that there is no value.
"""

import math
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from distsearch.errors import RunError

T = TypeVar("T")

COMMENT = "# checksum "
"""What the last line of a sealed TOML document begins with."""

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not the expected JSON."""


_ENCODER = msgspec.json.Encoder()


def encode(document: Any) -> bytes:
    """The document as strict JSON on one line, with non-finite numbers as texts that `decode` understands."""
    content = _ENCODER.encode(document)
    if b"null" not in content:  # what msgspec writes for a non-finite number; looking is cheap
        return content
    return _ENCODER.encode(named(msgspec.to_builtins(document)))


def decode(content: bytes, kind: type[T]) -> T:
    """Decode a document that `encode` wrote. Raises msgspec.DecodeError or UnicodeDecodeError."""
    return msgspec.json.decode(content, type=kind, strict=False)  # not strict, so that the text "inf" is a number


def named(value: Any) -> Any:
    """The value with each non-finite number in it replaced by its name: "inf", "-inf" or "nan"."""
    match value:
        case float():
            return value if math.isfinite(value) else repr(value)
        case dict():
            return {key: named(each) for key, each in value.items()}
        case list() | tuple():
            return [named(each) for each in value]
    return value


def numbers(record: msgspec.Struct, without: Iterable[str] = ()) -> dict[str, float]:
    """The numbers in a record by name, truths as 1 and 0; those in a mapping by the names in it."""
    found: dict[str, float] = {}
    for name, value in msgspec.structs.asdict(record).items():
        if name in without:
            continue
        pairs = value.items() if isinstance(value, Mapping) else [(name, value)]
        found |= {key: float(each) for key, each in pairs if isinstance(each, bool | int | float)}
    return found


def sealed_json(document: msgspec.Struct) -> bytes:
    """The document as readable JSON, ending with its checksum."""
    content = named(msgspec.to_builtins(document))
    return msgspec.json.format(msgspec.json.encode({**content, "checksum": _checksum_of(content)})) + b"\n"


def read_json(path: Path, kind: type[T]) -> T:
    """Read a document from a file made by `sealed_json`. Raises RunError if it is missing, foreign or changed."""
    return unsealed_json(read_bytes(path), path, kind)


def unsealed_json(sealed: bytes, path: Path | str, kind: type[T]) -> T:
    """Decode a document made by `sealed_json`; `path` names it in errors. Raises RunError if foreign or changed."""
    try:
        content: dict[str, Any] = msgspec.json.decode(sealed, type=dict[str, Any])
        stated = content.pop("checksum", None)
        there = {name: value for name, value in content.items() if value is not None}
        document = msgspec.convert(there, kind, strict=False)
    except UNREADABLE as error:
        raise RunError(f"{path} is damaged or was not written by distsearch: {error}") from None
    if stated != _checksum_of(content):
        raise RunError(f"{path} has been changed since it was written: its checksum does not match")
    return document


def sealed_toml(text: str) -> bytes:
    """TOML with its checksum in a comment at the end."""
    return f"{text}{COMMENT}{checksum(text.encode())}\n".encode()


def check_toml(path: Path) -> None:
    """Raise RunError if a file that `sealed_toml` made is missing or changed."""
    content = read_bytes(path)
    text, _, comment = content.rpartition(COMMENT.encode())
    if comment != checksum(text).encode() + b"\n":
        raise RunError(f"{path} has been changed since the run wrote it: edit a copy, for `distsearch run --config`")


def read_bytes(path: Path) -> bytes:
    """A file's content. Raises RunError if it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise RunError(f"expected {path.name} in the run {path.parent}, but it is missing") from None
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None


def _checksum_of(content: dict[str, Any]) -> str:
    return checksum(msgspec.json.encode(content))


def checksum(content: bytes) -> str:
    """The checksum of some content: 32 hexadecimal digits."""
    return blake2b(content, digest_size=16).hexdigest()
