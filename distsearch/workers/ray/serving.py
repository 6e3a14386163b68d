"""Ray Serve on a Ray of our own, which nobody beyond this machine can reach.

Left to itself, each of Serve's replicas opens a port for the others on every interface, and unpickles what comes there.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import ray
from ray.exceptions import RayError

from distsearch.errors import SettingError, WorkersError
from distsearch.errors.importing import importing
from distsearch.machine import cores
from distsearch.workers.place import ray_is_foreign
from distsearch.workers.ray.cluster import STORE_BYTES, disconnect, error_lines, start

LOOPBACK = "127.0.0.1"
READY_SECONDS = "30"  # that Serve gives its proxy to start, instead of 5, after which it is started anew, for ever


@contextmanager
def on_loopback(port: int = 8000, cpus: int | None = None) -> Iterator[None]:
    """Ray Serve at http://127.0.0.1:port while entered: `ray.serve.run` starts deployments, and the end ends them.

    cpus is the number of replicas that can run; None: one for each core. Whoever can open that port, all users of this
    machine, can ask for predictions; nothing else answers without a token.

    Raises SettingError if Ray Serve is not installed, or if this process uses another Ray already; WorkersError if
    Ray or Serve does not start, as when the port is taken.
    """
    with importing("ray.serve", "on_loopback needs", package="Ray Serve", extra="serve"):
        from ray import serve
    if ray_is_foreign():
        raise SettingError(
            "on_loopback: expected no Ray in this process yet, as it starts one of its own, got one that runs; end it "
            "with ray.shutdown(), or serve there"
        )
    if ray.is_initialized():  # kept from an earlier search
        disconnect()
    os.environ.setdefault("RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S", READY_SECONDS)
    with _failing_as("Ray did not start"):
        start(cpus or cores(), STORE_BYTES, {"worker_process_setup_hook": _open_on_loopback})
    try:
        with _failing_as(f"Ray Serve did not start at port {port}"):
            serve.start(http_options={"host": LOOPBACK, "port": port})
        yield
    finally:
        with suppress(RayError):
            serve.shutdown()  # type: ignore[no-untyped-call]  # Ray's, untyped
        disconnect()


@contextmanager
def _failing_as(what: str) -> Iterator[None]:
    try:
        yield
    except (RayError, RuntimeError, OSError, ValueError) as error:
        raise WorkersError(f"{what}: {error_lines(error)[-1]}") from None


def _open_on_loopback() -> None:
    """In a worker: let gRPC open a port on 127.0.0.1 where it is asked to open it on every interface."""
    from grpc.aio import _server

    opened = _server.Server.add_insecure_port
    _server.Server.add_insecure_port = lambda server, address: opened(server, address.replace("[::]", LOOPBACK))
