"""Shared storage: a copy of a run in a folder or an object store, so that it can continue elsewhere."""

from distsearch.storage.addresses import Address, is_stored
from distsearch.storage.fetching import fetch
from distsearch.storage.index import identity
from distsearch.storage.publisher import Publisher, Storage

__all__ = ["Address", "Publisher", "Storage", "fetch", "identity", "is_stored"]
