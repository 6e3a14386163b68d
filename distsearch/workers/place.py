"""Where workers run, as far as that can be said without importing Ray, which takes half a second."""

import os
import sys

from distsearch.errors import SettingError

ADDRESS = "RAY_ADDRESS"  # set inside every job

OPENING = "distsearch-opening"
"""The name of a thread in which workers start beside a search."""

_kept = False


def joins_cluster() -> bool:
    """Whether the environment names a cluster to join."""
    return bool(os.environ.get(ADDRESS))


def check_workers(count: int | None) -> None:
    """SettingError if so many workers cannot be started on this machine; elsewhere they wait for room."""
    from distsearch.machine import cores  # imports NumPy

    ray = sys.modules.get("ray")  # one that somebody else has started, with as many cores as they like
    if count is None or count <= cores() or joins_cluster() or (ray is not None and ray.is_initialized()):
        return
    raise SettingError(f"workers.count: expected at most {cores()}, the cores of this machine, got {count}")


def keep_ray() -> None:
    """Let the Ray that a search starts on this machine stay until this process ends, for the searches after it."""
    global _kept
    _kept = True


def ray_is_kept() -> bool:
    """Whether a Ray that a search has started outlives it."""
    return _kept
