"""Declared settings: a type with bounds, help and unit; checked once; one sentence for whatever does not fit.

The run's configuration and each strategy's own settings are frozen structs whose fields are declared with `about`.
The command line, the commented TOML and the README's table are all derived from these declarations.
"""

import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import FieldInfo

from distsearch.errors import SettingError, brief, unknown
from distsearch.errors.elsewhere import ABSENT, CALLED
from distsearch.text import expanded, listed, not_encodable, words

S = TypeVar("S", bound="Settings")

AUTO = "auto"
"""The value of a setting that leaves the choice to the search, which makes it by the task."""

NO_OWNERS: Mapping[str, Sequence[str]] = MappingProxyType({})

OWN_SECTION = "settings"
"""The section of a configuration that holds the strategy's own settings."""

ALL = "`distsearch config` prints all"
"""Where all settings are shown, in sentences."""

ALIKE = 0.7  # how much of a name that is unknown has to be that of a setting, for that to be suggested

LARGEST_WHOLE = 2**64  # JSON's and TOML's readers accept integers below this


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A frozen group of settings."""


def about(
    text: str,
    *,
    unit: str = "",
    flag: str = "",
    keyword: str = "",
    path: bool = False,
    many: bool = False,
    choices: tuple[str, ...] = (),
    at_least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    fewest: int | None = None,
) -> Meta:
    """Declare a setting's help text, unit and bounds.

    `flag` is its command-line name if that differs from its own, and `keyword` that of Python if it differs from both.

    A `path` may begin with `~`. The option of `many` values may be given several times. Of `choices` the value is one;
    where yes and no are among them, so are true and false. A list has `fewest` values at least.
    """
    extra = {"unit": unit, "flag": flag, "keyword": keyword, "path": path, "many": many, "choices": choices}
    bounds: Any = {"ge": at_least, "gt": above, "lt": below, "le": at_most, "min_length": fewest}
    return Meta(description=text, extra=extra, **bounds)


class Declared(Struct, frozen=True):
    """One setting as declared."""

    name: str
    type: Any
    default: Any
    text: str
    unit: str
    flag: str
    many: bool = False
    keyword: str = ""


def declarations(settings: type[Settings]) -> Iterator[Declared]:
    """The settings of a group, in declaration order."""
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
            many=extra["many"],
            keyword=extra["keyword"] or (extra["flag"] or field.name).replace("-", "_"),
        )


def validate(
    settings: type[S], values: Mapping[str, Any], where: str, stranger: Callable[[str], SettingError] | None = None
) -> S:
    """Make the group, called `where` in errors, from `values`. Raises SettingError for what does not fit.

    `stranger` makes the error for the name of a setting that the group does not have.
    """
    known = {field.name: field for field in msgspec.structs.fields(settings)}
    taken: dict[str, object] = {}
    for name, value in values.items():
        if name not in known:
            raise stranger(name) if stranger else unknown_setting(name, known, where)
        taken[name] = _taken(known[name], value)
        _check(f"{where}.{name}", taken[name])
        _check_choice(f"{where}.{name}", taken[name], _extra(known[name])["choices"])
    try:
        return msgspec.convert(taken, settings)
    except msgspec.ValidationError as error:
        raise SettingError(_sentence(str(error), taken, known, where)) from None


def unknown_setting(
    name: str, known: Iterable[str], where: str, chosen: str = "", owners: Mapping[str, Sequence[str]] = NO_OWNERS
) -> SettingError:
    """The error for a setting that is not among those known at a place.

    `owners` are the strategies that have settings of their own, by the settings' names, and `chosen` is the one that is
    used: then the sentence says whose the setting is. Else it says what it is called here, what to do without it, or
    what is spelt alike.
    """
    if having := owners.get(name):
        instead = f"--strategy {having[0]}" if len(having) == 1 else "one of these as --strategy"
        whose = f"a setting of {', '.join(having)}, not of {chosen}"
        return SettingError(f"{OWN_SECTION}.{name}: {whose}; leave it out, or choose {instead}")
    place = f"{where}: " if where else ""
    if name in CALLED:
        return SettingError(f"{place}unknown setting {name!r}: here it is called '--{CALLED[name]}'")
    if name in ABSENT:
        return SettingError(f"{place}unknown setting {name!r}: {ABSENT[name]}")
    return SettingError(f"{place}{unknown('setting', name, known, everywhere=ALL, alike=ALIKE)}")


def with_changes(group: S, where: str, **changes: Any) -> S:
    """The group with changed values, checked like all; `where` names it."""
    return validate(type(group), {**msgspec.structs.asdict(group), **changes}, where)


def shown(value: Any) -> str:
    """A setting's value as the user would type it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return ",".join(map(shown, value)) if isinstance(value, tuple | list) else str(value)


def _taken(field: FieldInfo, value: object) -> object:
    """The value as plain Python, whether it is NumPy's, a path, or a number or a text where a list is expected."""
    plain = _builtin(value)
    kind = _plain(field.type)
    if get_origin(kind) is tuple:
        if isinstance(plain, str):
            return list_of(kind, plain)
        listing = [plain] if isinstance(plain, int | float) else plain
        if _is_of_text(kind) and isinstance(listing, list):
            return [str(each) if type(each) is int else each for each in listing]
        return listing
    if isinstance(plain, bool) and "yes" in _extra(field)["choices"]:
        return "yes" if plain else "no"
    if isinstance(plain, str) and _extra(field)["path"]:
        return expanded(plain)
    return plain


def list_of(kind: Any, text: str) -> Sequence[int | str]:
    """The list of a type that a text spells: 7 is a whole number, but a name in a list of texts."""
    return listed(text) if _is_of_text(kind) else words(text)


def _is_of_text(kind: Any) -> bool:
    return bool(get_args(kind)[0] is str)


def _extra(field: FieldInfo) -> dict[str, Any]:
    return _meta(field.type).extra or {}


def _builtin(value: object) -> object:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, list | tuple | range):
        return [_builtin(part) for part in value]
    to_list = getattr(value, "tolist", None)  # NumPy arrays have it, as do its scalars, which become numbers
    return to_list() if callable(to_list) else value


def _check(name: str, value: object) -> None:
    """Raise SettingError if the value cannot be written to a file and read back."""
    if isinstance(value, list):
        for part in value:
            _check(name, part)
    elif isinstance(value, float) and not math.isfinite(value):
        raise SettingError(f"{name}: expected a finite number, got {value}")
    elif isinstance(value, int) and abs(value) >= LARGEST_WHOLE:
        raise SettingError(f"{name}: expected a whole number below 2**64, got {brief(value)}")
    elif isinstance(value, str):
        if "\0" in value:
            raise SettingError(f"{name}: expected text, got {brief(value)}: leave out the zero bytes")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise SettingError(f"{name}: expected text, got {brief(value)}: {not_encodable()}") from None


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if choices and isinstance(value, str) and value not in choices:
        *others, last = filter(None, choices)  # an empty one is what leaving the setting out means
        raise SettingError(f"{name}: expected {', '.join(others)} or {last}, got {brief(value)}")


def _sentence(message: str, values: Mapping[str, Any], known: Mapping[str, FieldInfo], where: str) -> str:
    """Rephrase msgspec's "Expected `int` >= 2 - at `$.population`" with the user's name for it and what came."""
    found = re.fullmatch(r"(?P<what>.*?)(?:, got .*?)? - at `\$\.(?P<name>\w+)(?P<rest>.*)`", message)
    if found is None:
        return f"{where}: {message}"
    name = found["name"]
    expected = found["what"].replace("`", "").replace("Expected", "expected")
    for internal, word in (
        ("int", "a whole number"),
        ("float", "a number"),
        ("str", "text"),
        ("bool", "true or false"),
        ("array", "a list"),
    ):
        expected = re.sub(rf"\b{internal}\b", word, expected)
    expected = expected.removesuffix(" | null").replace(" | ", " or ")
    default = known[name].default
    usual = "" if default in (None, ()) else f" (the default is {_as_typed(default)})"
    value = values[name]
    if any(map(callable, value if isinstance(value, list) else [value])):
        usual = "; what is your own is given by its name, as 'package.module:name'"
    return f"{where}.{name}: {expected}, got {brief(value)}{usual}"


def _as_typed(value: Any) -> str:
    """A value as in Python; a list as on a command line, which Python takes as well."""
    return shown(value) if isinstance(value, tuple) else repr(value)


def _meta(annotation: Any) -> Meta:
    if get_origin(annotation) is Annotated:
        return next(part for part in get_args(annotation) if isinstance(part, Meta))
    for part in get_args(annotation):
        if get_origin(part) is Annotated:
            return _meta(part)
    raise TypeError(f"{annotation} has no `about`")


def _plain(annotation: Any) -> Any:
    """The type without its bounds and without `| None`."""
    if get_origin(annotation) is Annotated:
        return get_args(annotation)[0]
    parts = [part for part in get_args(annotation) if part is not type(None)]
    return _plain(parts[0]) if len(parts) == 1 else annotation
