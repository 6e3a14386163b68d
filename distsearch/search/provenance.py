"""Where a model comes from, as it is written into what leaves."""

from distsearch import __version__
from distsearch.config import RunConfig
from distsearch.runs.directory import Result, StoredRun


def provenance_of(stored: StoredRun) -> dict[str, str]:
    """That of a stored run's model."""
    manifest = stored.manifest
    return provenance(stored.config, manifest.fingerprint, stored.result) | {
        "run": stored.path.resolve().name,
        "created": manifest.created,
        "trained_with": manifest.machine.get("distsearch", ""),
    }


def provenance(config: RunConfig, fingerprint: str, result: Result | None) -> dict[str, str]:
    """That of the model of a search with this configuration on data of this fingerprint: names and texts."""
    network = config.network
    built = {"layers": ",".join(map(str, network.layers)), "activation": ",".join(network.activation)}
    found = {
        "program": "distsearch",
        "version": __version__,
        "fingerprint": fingerprint,
        "strategy": config.strategy.name,
        "seed": str(config.strategy.seed),
        **({"model": network.model} if network.model else built),
        "loss_function": network.loss,
    }
    if result is not None:
        found |= {"run": result.run, "rounds": str(result.rounds), "loss": repr(result.loss)}
    return found
