"""The command line that makes a run again, with no more words than it takes."""

import shlex
from collections.abc import Iterator

from msgspec import structs

from distsearch import config as configs
from distsearch import strategies
from distsearch.config import RunConfig
from distsearch.config.sections import DataConfig
from distsearch.errors import DistsearchError
from distsearch.search.assembly import Assembly, assemble
from distsearch.settings import AUTO, Settings, declarations, shown

NOT_TO_REPEAT = {"name", "runs", "storage", "workers"}  # settings that change no bit
OPEN = (None, AUTO)  # defaults that leave the choice to the search
MOST_TRIES = 4


def command(config: RunConfig) -> str:
    """The command line that makes a run with this configuration: the settings that are not the defaults."""
    words = ["distsearch", "run"]
    default = _default(config)
    for section in configs.SECTIONS:
        words += _flags(getattr(config, section), getattr(default, section))
        if section == "strategy" and config.settings:
            own = strategies.settings_of(config.strategy.name, config.settings)
            words += _flags(own, type(own)())
    return shlex.join(words)


def _default(config: RunConfig) -> RunConfig:
    """What a run on the data of a configuration has where nothing else is said: strategy and layers go by the data."""
    usual = configs.from_flags({"data": config.data.source, "model": config.network.model})
    return structs.replace(usual, data=DataConfig(), network=structs.replace(usual.network, model=""))


def shortest(config: RunConfig, fingerprint: str) -> RunConfig:
    """The configuration of a run without what the search would choose by itself, on data of that fingerprint.

    A stored configuration has all choices filled in. Those that are made again when left open are left open; so the
    data are read anew. Where they are not at hand, the configuration comes back as it is.
    """
    kept: set[str] = set()
    for _ in range(MOST_TRIES):
        opened = _opened(config, kept)
        try:
            again = assemble(opened)
        except DistsearchError:
            return config
        differing = _differing(again, config)
        if again.fingerprint != fingerprint:
            differing |= {"data.validation_share", "network.loss"}
        if not differing:
            return opened
        first = [name for name in differing if name.startswith(("data.", "network."))]  # others follow from these
        if differing <= kept:
            return config
        kept.update(first or differing)
    return config


def _opened(config: RunConfig, kept: set[str]) -> RunConfig:
    """The configuration with everything left open that can be, but for what is kept."""
    changed = {}
    for section in configs.SECTIONS:
        group = getattr(config, section)
        left = {
            each.name: each.default
            for each in declarations(type(group))
            if each.default in OPEN and f"{section}.{each.name}" not in kept
        }
        changed[section] = structs.replace(group, **left) if section != "stop" else group
    own = {name: value for name, value in config.settings.items() if f"settings.{name}" in kept}
    return structs.replace(config, settings=own, **changed)


def _differing(assembly: Assembly, config: RunConfig) -> set[str]:
    """The settings, as section.name, that an assembly has chosen otherwise than a configuration."""
    found = {
        f"{section}.{each.name}"
        for section in configs.SECTIONS
        for each in declarations(type(getattr(config, section)))
        if each.flag not in NOT_TO_REPEAT
        if getattr(getattr(assembly.config, section), each.name) != getattr(getattr(config, section), each.name)
    }
    own = structs.asdict(assembly.strategy.settings)
    return found | {f"settings.{name}" for name, value in config.settings.items() if own[name] != value}


def _flags(given: Settings, default: Settings) -> Iterator[str]:
    for setting in declarations(type(given)):
        value = getattr(given, setting.name)
        if setting.flag in NOT_TO_REPEAT or value == getattr(default, setting.name) or value is None:
            continue
        if isinstance(value, bool):
            yield f"--{'' if value else 'no-'}{setting.flag}"
        else:
            yield from (f"--{setting.flag}", shown(value))
