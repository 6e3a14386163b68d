"""RunConfig: a run's complete configuration, frozen, checked once, with defaults."""

from collections.abc import Iterator, Mapping
from typing import Any

from distsearch.config.sections import (
    DataConfig,
    NetworkConfig,
    OutputConfig,
    StopConfig,
    StrategyConfig,
    WorkersConfig,
)
from distsearch.config.usual import with_usual
from distsearch.errors import SettingError, brief, unknown
from distsearch.settings import OWN_SECTION, Declared, Settings, declarations, validate

Value = bool | int | float | str | list[int] | list[str] | list[int | str] | None


class RunConfig(Settings, frozen=True):
    """A run's complete configuration. `settings` are the strategy's own, by name; it checks them itself."""

    data: DataConfig = DataConfig()
    network: NetworkConfig = NetworkConfig()
    strategy: StrategyConfig = StrategyConfig()
    settings: dict[str, Any] = {}  # noqa: RUF012  (msgspec copies an empty default)
    stop: StopConfig = StopConfig()
    workers: WorkersConfig = WorkersConfig()
    output: OutputConfig = OutputConfig()


SECTIONS: dict[str, type[Settings]] = {
    "data": DataConfig,
    "network": NetworkConfig,
    "strategy": StrategyConfig,
    "stop": StopConfig,
    "workers": WorkersConfig,
    "output": OutputConfig,
}


def options() -> Iterator[tuple[str, Declared]]:
    """(section, setting) for every setting with its own flag, except the strategies' settings."""
    for section, group in SECTIONS.items():
        for setting in declarations(group):
            yield section, setting


def from_sections(sections: Mapping[str, Any]) -> RunConfig:
    """Make a configuration from nested mappings, such as TOML's. Raises SettingError naming what does not fit."""
    known = [*SECTIONS, OWN_SECTION]
    groups: dict[str, Any] = {}
    for section, values in sections.items():
        if section not in known:
            raise SettingError(unknown("section", section, known))
        _check_section(section, values)
        groups[section] = validate(SECTIONS[section], values, section) if section in SECTIONS else dict(values)
    return RunConfig(**groups)


def from_flags(flags: Mapping[str, Value], base: Mapping[str, Any] | None = None) -> RunConfig:
    """Make a configuration from flags, by name (`data_seed` or `data-seed`, or keyword), over the sections of `base`.

    A flag that no section declares is taken for the strategy's. What is given neither way is what `usual` chooses.
    """
    sections = {name: dict(values) if isinstance(values, Mapping) else values for name, values in (base or {}).items()}
    places = {name: (section, each.name) for section, each in options() for name in (each.flag, each.keyword)}
    given: dict[tuple[str, str], str] = {}
    for flag, value in flags.items():
        section, name = place = places.get(flag, (OWN_SECTION, flag.replace("-", "_")))
        if given.setdefault(place, flag) != flag:
            raise SettingError(f"{flag}: is the same setting as {given[place]}: leave one of them out")
        values = sections.setdefault(section, {})
        _check_section(section, values)
        values[name] = value
    return from_sections(with_usual(sections))


def _check_section(name: str, values: Any) -> None:
    if not isinstance(values, Mapping):
        raise SettingError(f"{name}: expected a section [{name}], got the value {brief(values)}")
