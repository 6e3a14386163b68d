"""Code of other packages and of the user's own that a run depends on: recorded with it, and compared on its return."""

from collections.abc import Iterator
from typing import Any

from distsearch.config import RunConfig
from distsearch.data.datasets import is_built_in
from distsearch.data.readers import READERS, name_for
from distsearch.networks.modules import sources
from distsearch.networks.modules.sources import IN_MEMORY
from distsearch.registry import Registry
from distsearch.search.naming import names_in
from distsearch.search.tracking import names_of

ENGINE = "engine"  # what computes a module


def origins(config: RunConfig) -> tuple[dict[str, str], ...]:
    """Where each piece of code that is not ours comes from: kind, name, path, hash, package and version."""
    found = (registry.origin(name) for registry, name in _all_names(config))
    known = tuple(origin for origin in found if origin is not None)
    return (
        (*known, {"kind": ENGINE, "name": "torch", "version": sources.torch_version()})
        if config.network.model
        else known
    )


def changed_since(recorded: tuple[dict[str, str], ...], config: RunConfig) -> str:
    """A sentence for code that is not what was recorded any more; empty if all of it is."""
    if not recorded:
        return ""
    here = {(each["kind"], each["name"]): each for each in origins(config)}
    for before in recorded:
        now = here.get((before["kind"], before["name"]), {})
        if before["kind"] == ENGINE and now.get("version") != before["version"]:
            return f"it was made with torch {before['version']}, and this is {now.get('version')}"
        if now.get("sha256") != before.get("sha256"):
            package = f" (it was that of {before['package']} {before['version']})" if "package" in before else ""
            return f"the code of the {before['kind']} {before['name']} has changed since{package}"
    return ""


def modules(config: RunConfig) -> list[str]:
    """The modules that a configuration names, as `module:attribute`."""
    named = [name for _, name in _all_names(config)] + names_of(config.output.track)  # which change no bit
    return [name.partition(":")[0] for name in named if ":" in name]


def _all_names(config: RunConfig) -> Iterator[tuple[Registry[Any], str]]:
    """Every registry, and the name in it that a configuration chooses."""
    yield from names_in(config)
    source = config.data.source
    if config.data.reader:
        yield READERS, config.data.reader
    elif source != IN_MEMORY and not is_built_in(source):
        yield READERS, name_for(source)
