"""Shared storage for tests: addresses, servers and contents."""

import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import searches
from waiting import awaited

from distsearch.storage import Address, Storage, fetch

BUCKET = "bucket"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "not-to-be-kept",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def served() -> Iterator[str]:
    """Host and port of an S3 server with the bucket `bucket`; it ends with the block."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", f"{port}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            awaited("the S3 server", lambda: asked(f"127.0.0.1:{port}", BUCKET, "PUT"))
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()


def asked(server: str, path: str, method: str, content: bytes | None = None) -> bool:
    """Whether a server answers a request."""
    request = urllib.request.Request(
        f"http://{server}/{path}", content, {"Content-Type": "application/octet-stream"}, method=method
    )
    try:
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310  (our own server)
    except urllib.error.HTTPError:
        raise
    except OSError:
        return False
    return True


def stored(storage: str, name: str = "a") -> str:
    """The address a user gives for a run in storage."""
    return str(Address.parse(storage).child(name))


def place(storage: str, name: str = "a"):
    return Storage(Address.parse(storage)).run_at(name)


def access(server: str) -> dict[str, str]:
    """The variables that a program needs to use this server."""
    return {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://{server}"}


def tree(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def resume(run: str, folder: Path, rounds: int | None = None) -> Path:
    """Resume a run in storage, as the command does, in a folder of runs."""
    path = fetch(run, folder)
    searches.resume(path, rounds, workers=0, storage=str(Address.parse(run).parent))
    return path
