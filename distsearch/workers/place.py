"""Where workers run, as far as that can be said without importing Ray, which takes half a second."""

import os
import shutil
import sys

from distsearch.errors import SettingError

ADDRESS = "RAY_ADDRESS"  # set inside every job
LOCAL = "local"  # Ray's word for a new one on this machine

OPENING = "distsearch-opening"
"""The name of a thread in which workers start beside a search."""

private_folders: set[str] = set()
"""The folders of the Rays of our own, with their tokens, logs and sockets, as long as they run."""

_kept = False
_kept_one_runs = False


def joins_cluster() -> bool:
    """Whether the environment names a cluster to join."""
    return os.environ.get(ADDRESS, "") not in ("", LOCAL)


def check_workers(count: int | None) -> None:
    """SettingError if this machine has too few cores for `count` workers; on a cluster they wait for free ones."""
    from distsearch.machine import cores  # imports NumPy

    if count is not None and count > cores() and not joins_cluster() and not ray_is_foreign():
        raise SettingError(f"workers.count: expected at most {cores()}, the cores of this machine, got {count}")


def ray_is_foreign() -> bool:
    """Whether somebody else in this process has connected to Ray, with as many cores as they like; they also end it."""
    ray = sys.modules.get("ray")
    return ray is not None and ray.is_initialized() and not _kept_one_runs


def keep_ray() -> None:
    """Let the Ray that a search starts on this machine stay until this process ends, for the searches after it."""
    global _kept
    _kept = True


def kept_ray_runs(runs: bool) -> None:
    """Note that a Ray that is kept has been started, or has ended."""
    global _kept_one_runs
    _kept_one_runs = runs


def ray_is_kept() -> bool:
    """Whether a Ray that a search has started outlives it."""
    return _kept


def remove_private_folders() -> None:
    """Remove what all Rays of our own have on disk: for an end without the usual clean-up."""
    while private_folders:
        shutil.rmtree(private_folders.pop(), ignore_errors=True)
