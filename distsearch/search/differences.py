"""In which settings, circumstances and results two runs differ."""

from typing import Any

import msgspec

from distsearch import config
from distsearch.runs.directory import StoredRun

Pairs = dict[str, tuple[Any, Any]]

NOT_COMPARED = {"output.name"}


def differences(first: StoredRun, second: StoredRun) -> dict[str, Pairs]:
    """What is not the same in both, by name, in three groups: settings, what they were made with, and results.

    A value that only one of them has is None in the other.
    """
    pair = first, second
    settings = [_settings(each) for each in pair]
    made = [{**each.manifest.machine, "data's fingerprint": each.manifest.fingerprint} for each in pair]
    results = [{} if each.result is None else msgspec.structs.asdict(each.result) for each in pair]
    for result in results:
        result.pop("run", None)
        result.update(result.pop("metrics", None) or {})
        held = result.pop("constraints", ())
        result.update(
            {f"{each.constraint} on {each.examples}": "holds" if each.holds else "does not hold" for each in held}
        )
    return {
        "settings": _differing(*settings),
        "made with": _differing(*made),
        "results": _differing(*results),
    }


def _settings(stored: StoredRun) -> dict[str, Any]:
    flags = {f"{section}.{setting.name}": setting.flag for section, setting in config.options()}
    document: dict[str, dict[str, Any]] = msgspec.to_builtins(stored.config)
    return {
        flags.get(f"{section}.{name}", name.replace("_", "-")): value
        for section, group in document.items()
        for name, value in group.items()
        if f"{section}.{name}" not in NOT_COMPARED
    }


def _differing(first: dict[str, Any], second: dict[str, Any]) -> Pairs:
    names = dict.fromkeys([*first, *second])
    return {
        name: (first.get(name), second.get(name))
        for name in names
        if msgspec.json.encode(first.get(name)) != msgspec.json.encode(second.get(name))
    }
