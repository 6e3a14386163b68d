"""What is refused before the data is read, which may take minutes: all that is wrong whatever the data."""

from pathlib import Path
from typing import NamedTuple

from distsearch import strategies
from distsearch.config import RunConfig
from distsearch.networks.modules import devices, sources
from distsearch.objectives import losses, model
from distsearch.runs import claims
from distsearch.search.naming import in_our_words, names_in
from distsearch.search.observers import Observer
from distsearch.search.publishing import storage_of, with_storage
from distsearch.search.tracking import trackers, with_trackers
from distsearch.settings import AUTO
from distsearch.storage import Storage
from distsearch.workers.place import check_workers


class Ready(NamedTuple):
    """Places to write that were found usable: a search that is given them does not ask again."""

    trackers: list[Observer]
    storage: Storage | None


def check(config: RunConfig, *, kept: bool) -> Ready:
    """Raise the UserError for what no data can mend: names, the strategy's settings, workers, device, places to write.

    kept: whether the search is to be kept as a run where its settings say. What is found right may still fail later.
    """
    config = with_storage(with_trackers(in_our_words(config)))
    check_workers(config.workers.count)
    if config.network.model:
        if config.network.model == sources.IN_MEMORY:
            sources.need_torch()
        else:
            sources.find(config.network.model)
        devices.check(devices.chosen(config.network.device)[0])
    model.check(config.network)
    losses.check(config.network)
    for registry, name in names_in(config):
        registry.find(name)
    if config.strategy.name != AUTO:
        strategies.settings_of(config.strategy.name, config.settings)
    if kept:
        claims.check(Path(config.output.directory), config.output.name)
    return places(config, kept=kept)


def places(config: RunConfig, *, kept: bool) -> Ready:
    """Where a search is to write besides its folder. UserError if that is not possible."""
    return Ready(trackers(config.output.track), usable_storage(config) if kept else None)


def usable_storage(config: RunConfig) -> Storage | None:
    """Where a run is to be published, if anywhere. UserError if that is not possible."""
    storage = storage_of(config)
    if storage is not None:
        storage.check(config.output.name)
    return storage
