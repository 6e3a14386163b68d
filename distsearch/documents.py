"""A run's JSON and TOML with a checksum in them, so that no changed bit goes unnoticed."""

import math
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from distsearch.errors import RunError

T = TypeVar("T")

_COMMENT = "# checksum "


def sealed_json(document: msgspec.Struct) -> bytes:
    """The document as readable JSON, its checksum last."""
    content = msgspec.to_builtins(document)
    return msgspec.json.format(msgspec.json.encode({**content, "checksum": _checksum_of(content)})) + b"\n"


def read_json(path: Path, kind: type[T]) -> T:
    """The document in a file that `sealed_json` made. RunError if it is missing, foreign or changed."""
    return unsealed_json(read_bytes(path), path, kind)


def unsealed_json(sealed: bytes, path: Path | str, kind: type[T]) -> T:
    """The document that `sealed_json` made, from where it lies. RunError if it is foreign or changed."""
    try:
        content: dict[str, Any] = msgspec.json.decode(sealed, type=dict[str, Any])
        stated = content.pop("checksum", None)
        document = msgspec.convert(content, kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RunError(f"{path} is damaged or not distsearch's: {error}") from None
    if stated != _checksum_of(content):
        raise RunError(f"{path} has been changed since it was written: its checksum does not fit")
    return document


def sealed_toml(text: str) -> bytes:
    """TOML, its checksum in a comment at the end."""
    return f"{text}{_COMMENT}{checksum(text.encode())}\n".encode()


def check_toml(path: Path) -> None:
    """RunError if what `sealed_toml` wrote to a file is missing or changed."""
    content = read_bytes(path)
    text, _, comment = content.rpartition(_COMMENT.encode())
    if comment != checksum(text).encode() + b"\n":
        raise RunError(f"{path} has been changed since the run wrote it: `distsearch run --config` takes a copy of it")


def read_bytes(path: Path) -> bytes:
    """A file's content. RunError if it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise RunError(f"expected {path.name} in the run {path.parent}, but it is not there") from None
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None


def finite(number: float) -> float | None:
    """The number, or None where JSON has none for it: if it is infinite or not a number."""
    return number if math.isfinite(number) else None


def _checksum_of(content: dict[str, Any]) -> str:
    return checksum(msgspec.json.encode(content))


def checksum(content: bytes) -> str:
    """The checksum of a content: 32 hexadecimal digits."""
    return blake2b(content, digest_size=16).hexdigest()
