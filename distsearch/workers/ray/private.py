"""A Ray of our own that nobody else can use: it listens on loopback alone, and answers only to its own token.

Left to itself, Ray on Linux replaces 127.0.0.1 by the machine's external address, listens on every interface, and
writes its token, where it asks for one, to a file that everyone may read. What is done about it rests on Ray's
internals: pyproject.toml admits the versions on which tests/workers/ray/test_private.py has passed.
"""

import os
import secrets
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import ray
from ray._private import ray_constants
from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]  # compiled, without types

from distsearch.errors import WorkersError
from distsearch.workers.place import token_folders

LOOPBACK_ONLY = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # as on macOS: nodes of one cluster share one machine
TOKEN_BYTES = 32


class PrivateRay:
    """What keeps a Ray to ourselves, from before its start until after its end."""

    def __init__(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="distsearch-ray-"))  # of mode 0700
        token_folders.add(str(folder))
        self._remove_folder = weakref.finalize(self, _remove, str(folder))
        self._token = folder / "token"
        descriptor = os.open(self._token, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(TOKEN_BYTES))

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Start Ray within this block: its processes inherit where the token is, and that loopback is all there is.

        Raises WorkersError if the node was given an address beyond loopback all the same.
        """
        authentication = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self._token), "RAY_AUTH_TOKEN": None}
        clustered = ray_constants.ENABLE_RAY_CLUSTER  # read from the environment when Ray was imported
        ray_constants.ENABLE_RAY_CLUSTER = False
        try:
            with _environment(LOOPBACK_ONLY | authentication):
                _read_environment()
                yield
        finally:
            ray_constants.ENABLE_RAY_CLUSTER = clustered
        address = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]  # Ray's, untyped
        if not ip_address(address).is_loopback:
            raise WorkersError(
                f"Ray {ray.__version__} would listen on {address}, where others can reach it: install a version that "
                "distsearch supports (see pyproject.toml), or search without it (--workers 0)"
            )

    def ended(self) -> None:
        """Forget the token, once Ray has ended: a Ray that this process uses next has its own."""
        self._remove_folder()
        _read_environment()


def _remove(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    token_folders.discard(folder)


def _read_environment() -> None:
    """Let Ray's core, which has read the environment already, read it again."""
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


@contextmanager
def _environment(variables: Mapping[str, str | None]) -> Iterator[None]:
    """These environment variables, None for absent ones; afterwards the environment is as it was."""
    before = {name: os.environ.get(name) for name in variables}
    _set(variables)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
