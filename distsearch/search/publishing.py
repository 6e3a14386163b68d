"""Where a run is published, as its configuration says."""

from pathlib import Path

from msgspec import structs

from distsearch.config import RunConfig
from distsearch.errors import SettingError
from distsearch.runs.directory import Manifest
from distsearch.storage import Address, Publisher, Storage, identity


def with_storage(config: RunConfig, storage: str | None = None) -> RunConfig:
    """The configuration with another storage, if it is given; as an address that means the same from every folder."""
    text = config.output.storage if storage is None else storage
    canonical = str(Address.parse(text)) if text else ""
    return structs.replace(config, output=structs.replace(config.output, storage=canonical))


def storage_of(config: RunConfig) -> Storage | None:
    """Where a run is to be published; None if nowhere. SettingError if that is the folder of the runs itself."""
    if not config.output.storage:
        return None
    address = Address.parse(config.output.storage)
    if not address.scheme and Path(address.path).resolve() == Path(config.output.directory).resolve():
        raise SettingError(f"--storage: expected a folder other than that of the runs, got {config.output.storage!r}")
    return Storage(address)


def publisher_of(config: RunConfig, path: Path, manifest: Manifest, rounds: int) -> Publisher | None:
    """The publisher of a run that has completed `rounds` rounds; None if it is not to be published."""
    storage = storage_of(config)
    return Publisher(storage, path, identity(manifest, config.strategy.seed), rounds) if storage else None
