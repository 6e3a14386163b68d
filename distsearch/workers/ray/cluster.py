"""The Ray that the workers run on: a private one on this machine, or the cluster that this process belongs to."""

import atexit
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cache
from math import ceil
from typing import Any
from weakref import WeakSet

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # keeps Ray from warning of a change to come

import ray
from ray.exceptions import RayError

from distsearch.errors import WorkersError
from distsearch.machine import cores
from distsearch.workers.place import (
    ADDRESS,
    check_workers,
    joins_cluster,
    kept_ray_runs,
    ray_is_foreign,
    ray_is_kept,
)
from distsearch.workers.ray.home import Home
from distsearch.workers.ray.private import PrivateRay

LOG = logging.getLogger(__name__)

STARTS = 3  # tries to start Ray, which gives up after 30 seconds: where the machine is busy, that is too early
KNOCK_SECONDS = 10.0  # to wait for an answer from a cluster's head
_RAYS_OWN = ray._private.worker.print_to_stdstream
PARTS = 10_000  # of a GPU, that Ray counts
STORE_BYTES = 256 * 1024 * 1024  # of the object store, beside the data
_private: PrivateRay | None = None  # the Ray that this process has started; like Ray itself, one per process
_store_bytes = 0  # of its object store
_started: "Future[None]" = Future()  # the latest start
_given_up = threading.Event()  # set once nobody waits for the latest start any more
_turns = threading.Lock()  # of threads that start Ray, or find one that another has started
_users: "WeakSet[Any]" = WeakSet()  # the pools that are on it


@cache
def _home() -> Home:
    return Home()


@contextmanager
def connected(workers: int | None, data_bytes: int) -> Iterator[None]:
    """Ray, started once for several pools, each of which ends its own workers. SettingError if they are too many."""
    if ray_is_foreign():
        yield
        return
    connect(workers, data_bytes)
    try:
        yield
    finally:
        disconnect()


def take(user: Any, workers: int | None, data_bytes: int) -> bool:
    """Let a pool use Ray, which is connected to unless somebody else has done so already: whether it was.

    WorkersError if that fails.
    """
    with _turns:
        ours = not ray_is_foreign()
        if ours:
            connect(workers, data_bytes)
        _users.add(user)
        return ours


def leave(user: Any) -> None:
    """A pool does not use Ray any more."""
    _users.discard(user)


def is_shared() -> bool:
    """Whether pools of several threads use this process's Ray, and wait for each other's cores."""
    return len(_users) > 1


def connect(workers: int | None, data_bytes: int) -> None:
    """Start Ray here, or join the cluster that the environment names. WorkersError if that fails.

    One that was kept from an earlier search serves again, if its object store is large enough or others use it.
    """
    if joins_cluster():
        _join(os.environ[ADDRESS])
        return
    check_workers(workers)
    size = STORE_BYTES + 2 * data_bytes
    if ray.is_initialized():
        if size <= _store_bytes or _users:
            return
        disconnect()
    try:
        start(cores() if ray_is_kept() else workers or cores(), size)
    except (RayError, RuntimeError, OSError, ValueError) as error:
        raise WorkersError(f"Ray did not start: {error_lines(error)[0]}; --workers 0 searches without it") from None
    kept_ray_runs(ray_is_kept())


def start(cpus: int, store_bytes: int, runtime_env: Mapping[str, Any] | None = None) -> None:
    """Start a Ray of our own, which only this process and its workers can use."""
    global _given_up, _started
    _given_up = given_up = threading.Event()
    _started = started = _home().do(lambda: _start(cpus, store_bytes, runtime_env, given_up))
    atexit.unregister(_leave)
    atexit.register(_leave, os.getpid())
    try:
        started.result()
    except Exception:
        disconnect()
        raise
    except BaseException:  # whoever waits for it has been interrupted, and does not wait any more
        disconnect(wait=False)
        raise


class _SlowStartError(RuntimeError):
    """Ray has given up its start because it took too long."""


def _start(cpus: int, store_bytes: int, runtime_env: Mapping[str, Any] | None, given_up: threading.Event) -> None:
    """Start Ray, and again where that took too long, unless nobody waits for it any more."""
    for tries in range(1, STARTS + 1):
        try:
            _start_once(cpus, store_bytes, runtime_env)
            return
        except _SlowStartError:
            if tries == STARTS or given_up.is_set() or not threading.main_thread().is_alive():
                raise
            LOG.warning("Ray has not started in time, as this machine is busy: starting it again")
            _end()


def _start_once(cpus: int, store_bytes: int, runtime_env: Mapping[str, Any] | None) -> None:
    global _private, _store_bytes
    _private, _store_bytes = PrivateRay(), store_bytes
    with _private.starting():
        try:
            _init(
                address="local",
                num_cpus=cpus,
                include_dashboard=False,
                object_store_memory=store_bytes,
                runtime_env=runtime_env,
                _node_ip_address="127.0.0.1",
                _temp_dir=str(_private.files),
            )
        except Exception as error:
            if type(error) is Exception:  # Ray's word for a node that has not started within 30 s
                raise _SlowStartError(*error.args) from error
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
    """ray.init, but SIGTERM stays the application's: Ray's own handler would end it with varying exit codes.

    What fails is said by whoever called; Ray's log would say more where a start is only given up.
    """
    takes_over, ray._private.utils.set_sigterm_handler = ray._private.utils.set_sigterm_handler, _left_undone
    try:
        ray.init(logging_level=logging.CRITICAL, log_to_driver=False, **options)
        logging.getLogger("ray").setLevel(logging.ERROR)
    finally:
        ray._private.utils.set_sigterm_handler = takes_over
    ray._private.worker.print_to_stdstream = _left_undone


def reclaim_signals() -> None:
    """Give SIGTERM back to whoever has it in Python: Ray would print a stack first, and abort at a second one.

    Only the main thread may do so; elsewhere it is left.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)


def _left_undone(*_: Any, **__: Any) -> None:
    """In place of what Ray would do of its own accord, such as to print many lines on stdout for a lost worker."""


def _end() -> None:
    global _private
    kept_ray_runs(False)
    if _private is not None:
        _private.ending()
    ray.shutdown()
    ray._private.worker.print_to_stdstream = _RAYS_OWN
    if _private is not None:
        _private.ended()
        _private = None


def disconnect(wait: bool = True) -> None:
    """End Ray here, in the thread that started it, because Ctrl-C would leave it half done; wait until it has ended."""
    _given_up.set()
    ending = _home().do(_end)
    if wait:
        ending.result()


def _leave(process: int) -> None:
    """End a Ray that has been kept, with this process; a child of it, made by fork, has none.

    One that is still starting is not waited for: Linux ends it with this process.
    """
    if os.getpid() != process or _private is None:
        return
    if _started.done() or sys.platform != "linux":
        disconnect()
    else:
        _given_up.set()
        _private.remove()


def cpus_of_cluster() -> int:
    """The cores of all nodes, whoever has them."""
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray's, untyped
    return int(resources.get("CPU", 0))


def gpus_of_cluster() -> int:
    """The GPUs of all nodes, whoever has them."""
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray's, untyped
    return int(resources.get("GPU", 0))


def share_of_gpu(workers: int | None, gpus: int) -> float:
    """What each of that many workers takes of a GPU; a whole one if not given. WorkersError if there are no GPUs.

    It leaves room for all of them, none of which can take parts of two.
    """
    if not gpus:
        raise WorkersError("expected a GPU for the workers, but Ray knows of none: --workers 0 searches without Ray")
    return 1.0 if workers is None else PARTS // ceil(workers / gpus) / PARTS


def free_cpus() -> float:
    """The cores that nobody has taken; one may be shared by several who take a part of it."""
    resources: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]  # Ray's, untyped
    return resources.get("CPU", 0.0)


def error_lines(error: BaseException) -> list[str]:
    """The lines of an error of Ray's: its summary first, its cause last."""
    return [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
