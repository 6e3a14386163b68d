"""The Ray that the workers run on: a private one on this machine, or the cluster that this process belongs to."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # keeps Ray from warning of a change to come

import ray
from ray.exceptions import RayError

from distsearch.errors import SettingError, WorkersError
from distsearch.machine import cores
from distsearch.workers.ray.private import PrivateRay

ADDRESS = "RAY_ADDRESS"  # set inside every job
KNOCK_SECONDS = 10.0  # to wait for an answer from a cluster's head
_RAYS_OWN = ray._private.worker.print_to_stdstream
STORE_BYTES = 256 * 1024 * 1024  # of the object store, beside the data
_private: PrivateRay | None = None  # the Ray that this process has started; like Ray itself, one per process


def joins_cluster() -> bool:
    """Whether the environment names a cluster to join."""
    return bool(os.environ.get(ADDRESS))


@contextmanager
def connected(workers: int | None, data_bytes: int) -> Iterator[None]:
    """Ray, started once for several pools, each of which ends its own workers. SettingError if they are too many."""
    if ray.is_initialized():  # by someone else, who ends it
        yield
        return
    connect(workers, data_bytes)
    try:
        yield
    finally:
        disconnect()


def connect(workers: int | None, data_bytes: int) -> None:
    """Start Ray here, or join the cluster that the environment names. WorkersError if that fails."""
    if joins_cluster():
        _join(os.environ[ADDRESS])
        return
    if workers is not None and workers > cores():
        raise SettingError(f"workers.count: expected at most {cores()}, the cores of this machine, got {workers}")
    try:
        start(workers or cores(), STORE_BYTES + 2 * data_bytes)
    except (RayError, RuntimeError, OSError, ValueError) as error:
        raise WorkersError(f"Ray did not start: {error_lines(error)[0]}; --workers 0 searches without it") from None


def start(cpus: int, store_bytes: int) -> None:
    """Start a Ray of our own, which only this process and its workers can use."""
    global _private
    _private = PrivateRay()
    try:
        with _private.starting():
            _init(
                address="local",
                num_cpus=cpus,
                include_dashboard=False,
                object_store_memory=store_bytes,
                _node_ip_address="127.0.0.1",
            )
    except BaseException:
        _end()
        raise


def _join(address: str) -> None:
    try:
        _knock(address)
        _init()
    except (RayError, RuntimeError, OSError, ValueError, AssertionError) as error:
        raise WorkersError(
            f"expected a Ray cluster at {ADDRESS}={address}, but it cannot be joined ({error_lines(error)[0]}): "
            f"start it, or unset {ADDRESS} to search on this machine alone"
        ) from None


def _knock(address: str) -> None:
    """OSError if nobody answers at host:port, of which Ray would only be sure after minutes."""
    host, _, port = address.rpartition(":")
    if host and "/" not in host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_SECONDS).close()


def _init(**options: Any) -> None:
    """ray.init, but SIGTERM stays the application's: Ray's own handler would end it with varying exit codes."""
    takes_over, ray._private.utils.set_sigterm_handler = ray._private.utils.set_sigterm_handler, _left_undone
    try:
        ray.init(logging_level=logging.ERROR, log_to_driver=False, **options)
    finally:
        ray._private.utils.set_sigterm_handler = takes_over
    ray._private.worker.print_to_stdstream = _left_undone


def _left_undone(*_: Any, **__: Any) -> None:
    """In place of what Ray would do of its own accord, such as to print many lines on stdout for a lost worker."""


def _end() -> None:
    global _private
    ray.shutdown()
    ray._private.worker.print_to_stdstream = _RAYS_OWN
    if _private is not None:
        _private.ended()
        _private = None


def disconnect(wait: bool = True) -> None:
    """End Ray here, in a thread of its own, for Ctrl-C would leave it half done; and wait until it has ended."""
    ending = Thread(target=_end, name="ray-shutdown", daemon=True)
    ending.start()
    if wait:
        ending.join()


def cpus_of_cluster() -> int:
    """The cores of all nodes, whoever has them."""
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray's, untyped
    return int(resources.get("CPU", 0))


def free_cpus() -> float:
    """The cores that nobody has taken; one may be shared by several who take a part of it."""
    resources: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]  # Ray's, untyped
    return resources.get("CPU", 0.0)


def error_lines(error: BaseException) -> list[str]:
    """The lines of an error of Ray's: its summary first, what is behind it last."""
    return [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
