"""A strategy's state as a safetensors file: arrays as tensors, the rest as JSON in its header. No pickle."""

from dataclasses import MISSING, fields, is_dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

import msgspec
import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from distsearch.errors import RunError
from distsearch.runs import documents
from distsearch.runs.documents import UNREADABLE
from distsearch.strategies.base import Best

D = TypeVar("D")
Tensors = dict[str, NDArray[Any]]
Content = tuple[Tensors, dict[str, Any]]
"""Arrays and scalars, each by name."""


class _Header(msgspec.Struct, frozen=True):
    """The file header's content besides the tensors' names and shapes."""

    scalars: dict[str, Any]
    checksum: str


def encode(tensors: Tensors, scalars: dict[str, Any]) -> bytes:
    """Encode tensors and scalars as a safetensors file, with a checksum over both."""
    header = msgspec.json.encode(_Header(scalars, _checksum(tensors, scalars)))
    # One entry, as safetensors writes several in an order that differs between processes.
    return safetensors.numpy.save(tensors, {"distsearch": header.decode()})


def read(path: Path) -> Content:
    """Read a file that `encode` wrote. Raises RunError if it is missing or damaged, even by a single bit."""
    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no mapping)
            metadata = file.metadata() or {}
        header = msgspec.json.decode(metadata["distsearch"], type=_Header)
        if header.checksum != _checksum(tensors, header.scalars):
            raise ValueError("its checksum does not match its content")
    except FileNotFoundError:
        raise RunError(f"expected {path.name} in the run {path.parent}, but it is missing") from None
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, *UNREADABLE) as error:
        raise RunError(f"{path} is damaged or was not written by distsearch: {error}") from None
    return tensors, header.scalars


def _checksum(tensors: Tensors, scalars: dict[str, Any]) -> str:
    digest = blake2b(msgspec.json.encode(scalars), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype.str} {tensor.shape}".encode())
        digest.update(np.ascontiguousarray(tensor).data)
    return digest.hexdigest()


def flatten(state: Any, prefix: str = "") -> Content:
    """Split a dataclass into its arrays and its scalars, each keyed by dotted name; what may be missing and is, is."""
    tensors: Tensors = {}
    scalars: dict[str, Any] = {}
    for field in fields(state):
        name, value = f"{prefix}{field.name}", getattr(state, field.name)
        if value is None and field.default is None:
            continue
        if is_dataclass(value):
            inner = flatten(value, f"{name}.")
            tensors |= inner[0]
            scalars |= inner[1]
        elif isinstance(value, np.ndarray):
            tensors[name] = value
        else:
            scalars[name] = documents.named(value)
    return tensors, scalars


def unflatten(kind: type[D], tensors: Tensors, scalars: dict[str, Any], prefix: str = "") -> D:
    """The dataclass that `flatten` took apart, its arrays read-only. RunError if anything is missing or too much."""
    if not prefix:
        expected, found = set(_names(kind, prefix)), {*tensors, *scalars}
        if odd := sorted((found - expected) | (expected - found - _optional(kind, prefix))):
            raise RunError(f"the checkpoint is from another strategy: {', '.join(odd)} unexpected or missing")
    values: dict[str, Any] = {}
    for field, hint in _fields(kind):
        name = f"{prefix}{field}"
        if is_dataclass(hint):
            values[field] = unflatten(cast(type[Any], hint), tensors, scalars, f"{name}.")
        elif name in tensors:
            values[field] = tensors[name]
            values[field].flags.writeable = False
        elif name in scalars:
            is_float = hint is float or (hint == float | None and scalars[name] is not None)
            values[field] = float(scalars[name]) if is_float else scalars[name]
    return kind(**values)


def _fields(kind: Any) -> list[tuple[str, Any]]:
    hints = get_type_hints(kind)
    return [(field.name, hints[field.name]) for field in fields(kind)]


def _optional(kind: Any, prefix: str) -> set[str]:
    """The names that may be missing, because an older version had none: those of scalars with a default."""
    names = {f"{prefix}{field.name}" for field in fields(kind) if field.default is not MISSING}
    for field, hint in _fields(kind):
        if is_dataclass(hint):
            names |= _optional(hint, f"{prefix}{field}.")
    return names


def _names(kind: Any, prefix: str) -> list[str]:
    names: list[str] = []
    for field, hint in _fields(kind):
        names += _names(hint, f"{prefix}{field}.") if is_dataclass(hint) else [f"{prefix}{field}"]
    return names


def best_content(best: Best, named: dict[str, NDArray[np.float32]]) -> Content:
    """The content of the best weights' file: the tensors, their loss, and the round and index they came from."""
    return {**named}, {"loss": documents.named(best.loss), "round": best.round, "index": best.index}
