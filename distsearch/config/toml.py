"""Configurations as TOML files, read, and written with what each setting means as comments."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from distsearch.config import SECTIONS, RunConfig, Value
from distsearch.errors import SettingError
from distsearch.settings import Settings, declarations

MOST_BYTES = 1_000_000  # of a configuration


def read_toml(path: Path) -> dict[str, Any]:
    """Read the sections of a TOML file. Raises SettingError with the line if it is not TOML."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise SettingError(f"{path} is not a configuration: expected at most {MOST_BYTES // 10**6} MB, got more")
        return tomllib.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise SettingError(f"cannot read the configuration {path}: {error.strerror}") from None
    except RecursionError:
        raise SettingError(f"{path} is not a configuration: its brackets are nested too deeply") from None
    except UnicodeDecodeError:
        raise SettingError(f"{path} is not TOML: it is not text in UTF-8") from None
    except ValueError as error:  # also raised for integers with thousands of digits
        raise SettingError(f"{path} is not TOML: {error}") from None


def to_toml(config: RunConfig, strategy_settings: Settings | None) -> str:
    """The configuration as commented TOML that `from_sections` restores; unset settings are comments.

    Without checked `strategy_settings`, when the strategy is yet to be chosen, the settings are written as given.
    """
    lines: list[str] = []
    for section in SECTIONS:
        lines += _section(section, getattr(config, section))
        if section == "strategy":
            lines += _own_section(config, strategy_settings)
    return "\n".join(lines)


def _own_section(config: RunConfig, settings: Settings | None) -> list[str]:
    if settings is not None:
        return _section("settings", settings, f"The settings of {config.strategy.name}.")
    given = [f"{name} = {_toml_value(value)}" for name, value in config.settings.items()]
    return ["# The settings of the strategy that will be chosen.", "[settings]", *given, ""]


def _section(name: str, group: Settings, text: str | None = None) -> list[str]:
    lines = [f"# {text or type(group).__doc__}", f"[{name}]"]
    for setting in declarations(type(group)):
        value = getattr(group, setting.name)
        unit = f" [{setting.unit}]" if setting.unit else ""
        lines.append(f"# {setting.text}{unit}")
        lines.append(f"# {setting.name} =" if value is None else f"{setting.name} = {_toml_value(value)}")
    return [*lines, ""]


def _toml_value(value: Value) -> str:
    """A TOML value: the same as JSON for booleans, numbers, texts and lists of them, except that DEL is escaped."""
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
