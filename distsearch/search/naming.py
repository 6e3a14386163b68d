"""The names in a configuration, as the registries have them, whatever the user calls things."""

from msgspec import structs

from distsearch import strategies
from distsearch.config import RunConfig
from distsearch.networks.activations import ACTIVATIONS
from distsearch.networks.initial import STARTS
from distsearch.networks.precision import PRECISIONS
from distsearch.objectives.losses import LOSSES


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
    strategy = structs.replace(
        config.strategy, name=name if name == strategies.AUTO else strategies.STRATEGIES.named(name)
    )
    return structs.replace(config, network=network, strategy=strategy)
