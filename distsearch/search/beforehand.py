"""What is refused before the data is read, which may take minutes: all that is wrong whatever the data."""

from pathlib import Path

from distsearch import strategies
from distsearch.config import RunConfig
from distsearch.networks.modules import devices, sources
from distsearch.objectives import losses, model
from distsearch.runs import claims
from distsearch.search.naming import in_our_words, names_in
from distsearch.search.publishing import storage_of, with_storage
from distsearch.search.tracking import trackers, with_trackers
from distsearch.workers.place import check_workers


def check(config: RunConfig, *, kept: bool) -> None:
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
    if config.strategy.name != strategies.AUTO:
        strategies.settings_of(config.strategy.name, config.settings)
    if kept:
        claims.check(Path(config.output.directory), config.output.name)
        if storage := storage_of(config):
            storage.check(config.output.name)
    trackers(config.output.track)
