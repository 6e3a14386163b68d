"""Declared settings: a type with its bounds, help and unit; checked once; one sentence for what does not fit.

The run's configuration and each strategy's own settings are frozen structs whose fields are declared with `about`.
The command line, the commented TOML and the README's table are all read off these declarations.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import FieldInfo

from distsearch.errors import SettingError, unknown

S = TypeVar("S", bound="Settings")


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A frozen group of settings."""


def about(
    text: str,
    *,
    unit: str = "",
    flag: str = "",
    at_least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> Meta:
    """What is said of a setting and what it must keep to; `flag` names it on the command line if not its own name."""
    bounds: Any = {"ge": at_least, "gt": above, "lt": below, "le": at_most}
    return Meta(description=text, extra={"unit": unit, "flag": flag}, **bounds)


class Declared(Struct, frozen=True):
    """One setting as it was declared."""

    name: str
    type: Any
    default: Any
    text: str
    unit: str
    flag: str


def declared(settings: type[Settings]) -> Iterator[Declared]:
    """The settings of a group, in the order of their declaration."""
    for field in msgspec.structs.fields(settings):
        meta = _meta(field.type)
        extra = meta.extra or {}
        yield Declared(
            name=field.name,
            type=_plain(field.type),
            default=field.default,
            text=meta.description or "",
            unit=extra["unit"],
            flag=extra["flag"] or field.name.replace("_", "-"),
        )


def checked(settings: type[S], values: Mapping[str, Any], where: str) -> S:
    """The group made of `values`, or SettingError with what was expected and what came. `where` names the group."""
    known = {field.name: field for field in msgspec.structs.fields(settings)}
    for name, value in values.items():
        if name not in known:
            raise SettingError(f"{where}: {unknown('setting', name, known)}")
        _check_value(f"{where}.{name}", value)
    try:
        return msgspec.convert(dict(values), settings)
    except msgspec.ValidationError as error:
        raise SettingError(_sentence(str(error), values, known, where)) from None


def _check_value(name: str, value: object) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise SettingError(f"{name}: expected a finite number, got {value}")
    if isinstance(value, str) and not _is_text(value):
        raise SettingError(f"{name}: expected UTF-8 text without NUL, got {value!r}")


def _is_text(value: str) -> bool:
    """Whether a file can hold the text and a file can bear it as its name."""
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:  # bytes of the command line that are no text stand in it as lone surrogates
        return False


def _sentence(message: str, values: Mapping[str, Any], known: Mapping[str, FieldInfo], where: str) -> str:
    """Msgspec's "Expected `int` >= 2 - at `$.population`", with the name as the user knows it and what came."""
    found = re.fullmatch(r"(?P<what>.*?)(?:, got .*?)? - at `\$\.(?P<name>\w+)(?P<rest>.*)`", message)
    if found is None:
        return f"{where}: {message}"
    name = found["name"]
    expected = found["what"].replace("`", "").replace("Expected", "expected")
    for internal, word in (
        ("int", "a whole number"),
        ("float", "a number"),
        ("str", "a text"),
        ("bool", "true or false"),
    ):
        expected = re.sub(rf"\b{internal}\b", word, expected)
    default = known[name].default
    return f"{where}.{name}: {expected}, got {values[name]!r} (the default is {default!r})"


def _meta(annotation: Any) -> Meta:
    if get_origin(annotation) is Annotated:
        return next(part for part in get_args(annotation) if isinstance(part, Meta))
    for part in get_args(annotation):
        if get_origin(part) is Annotated:
            return _meta(part)
    raise TypeError(f"{annotation} has no `about`")


def _plain(annotation: Any) -> Any:
    """The type without bounds and without `| None`."""
    if get_origin(annotation) is Annotated:
        return get_args(annotation)[0]
    parts = [part for part in get_args(annotation) if part is not type(None)]
    return _plain(parts[0]) if len(parts) == 1 else annotation
