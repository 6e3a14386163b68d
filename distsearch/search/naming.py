"""The names in a configuration, as the registries have them, whatever the user calls things."""

from collections.abc import Iterator
from typing import Any

from msgspec import structs

from distsearch import strategies
from distsearch.config import RunConfig
from distsearch.networks.activations import ACTIVATIONS
from distsearch.networks.initial import STARTS, is_start
from distsearch.networks.kinds import KINDS, kinds_in
from distsearch.networks.modules.sources import IN_MEMORY, MODELS
from distsearch.networks.precision import PRECISIONS
from distsearch.objectives import constraints
from distsearch.objectives.losses import LOSSES
from distsearch.objectives.metrics import METRICS, column_in
from distsearch.registry import Registry
from distsearch.settings import AUTO


def in_our_words(config: RunConfig) -> RunConfig:
    """The configuration with mean-squared-error for mse, relu for ReLU and so on; unknown names stay as they are."""
    network = structs.replace(
        config.network,
        activation=tuple(map(ACTIVATIONS.named, config.network.activation)),
        precision=tuple(map(PRECISIONS.named, config.network.precision)),
        start=config.network.start and STARTS.named(config.network.start),
        loss=LOSSES.named(config.network.loss),
    )
    name = config.strategy.name
    strategy = structs.replace(config.strategy, name=name if name == AUTO else strategies.STRATEGIES.named(name))
    return structs.replace(config, network=network, strategy=strategy)


def names_in(config: RunConfig) -> Iterator[tuple[Registry[Any], str]]:
    """The registries but the readers', each with a name in it that a configuration chooses."""
    if config.strategy.name != AUTO:
        yield strategies.STRATEGIES, config.strategy.name
    if config.network.loss != AUTO:  # as it stays where a function is searched
        yield LOSSES, config.network.loss
    if config.network.model not in ("", IN_MEMORY):
        yield MODELS, config.network.model
    for metric in dict.fromkeys((*config.output.metrics, *constraints.names_in(config.network.subject_to))):
        if column_in(metric) is None:
            yield METRICS, metric
    for kind in kinds_in(config.network.layers):
        yield KINDS, kind
    for activation in config.network.activation:
        yield ACTIVATIONS, activation
    for precision in () if config.network.model else config.network.precision:
        yield PRECISIONS, precision
    if config.network.start and is_start(config.network.start):
        yield STARTS, config.network.start
