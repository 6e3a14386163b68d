"""Object stores, through pyarrow's filesystems; the only module that imports them and knows their errors."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from distsearch.errors import StorageError
from distsearch.errors.importing import importing
from distsearch.storage.addresses import Address
from distsearch.storage.places import Streaming

CONNECT_SECONDS, REQUEST_SECONDS, RETRY_SECONDS, ATTEMPTS = 5, 60, 30, 3

DRIVERS = {"s3": "S3FileSystem", "gs": "GcsFileSystem"}

_NO_BUCKET = "there is no such bucket: create it first, or use another"
_NO_PERMISSION = "permission denied: check the credentials, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_NO_ANSWER = "it cannot be reached: check the network, and AWS_ENDPOINT_URL if the server is your own"

REASONS = {
    "NO_SUCH_BUCKET": _NO_BUCKET,
    "The specified bucket does not exist": _NO_BUCKET,
    "ACCESS_DENIED": _NO_PERMISSION,
    "INVALID_ACCESS_KEY_ID": _NO_PERMISSION,
    "INVALID_CLIENT_TOKEN_ID": _NO_PERMISSION,
    "SIGNATURE_DOES_NOT_MATCH": _NO_PERMISSION,
    "UNRECOGNIZED_CLIENT": _NO_PERMISSION,
    "HTTP response code 403": _NO_PERMISSION,
    "HTTP response code 401": _NO_PERMISSION,
    "PERMISSION_DENIED": _NO_PERMISSION,
    "UNAUTHENTICATED": _NO_PERMISSION,
    "NETWORK_CONNECTION": _NO_ANSWER,
    "REQUEST_TIMEOUT": _NO_ANSWER,
    "UNAVAILABLE": _NO_ANSWER,
    "DEADLINE_EXCEEDED": _NO_ANSWER,
}
"""Phrases in the drivers' errors, and what they mean to the user."""


class ObjectStore(Streaming):
    """Objects in a bucket whose names begin with a prefix."""

    def __init__(self, address: Address) -> None:
        self._address = address
        _check_driver(address)
        with self._translating("use", ""):
            self._files = _s3(address) if address.scheme == "s3" else _google(address)

    def where(self, name: str) -> str:
        """The object's URI."""
        return str(self._address.child(name) if name else self._address)

    def _path(self, name: str) -> str:
        return f"{self._address.path}/{name}"

    def _open(self, name: str) -> Any:
        """Open a stream of the object. Raises FileNotFoundError if it or its bucket does not exist."""
        return self._files.open_input_stream(self._path(name))

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Send an object; it appears once the last byte has arrived."""
        with self._translating("write", name), self._files.open_output_stream(self._path(name)) as stream:
            for chunk in chunks:
                stream.write(chunk)

    def delete(self, name: str) -> None:
        """Delete an object if it exists."""
        with self._translating("delete", name):
            try:
                self._files.delete_file(self._path(name))
            except FileNotFoundError:
                return

    def names(self, prefix: str) -> list[str]:
        """The names of all objects that begin with `prefix/`."""
        from pyarrow import fs

        with self._translating("list", prefix):
            found = self._files.get_file_info(fs.FileSelector(self._path(prefix), allow_not_found=True))
            return sorted(f"{prefix}/{each.base_name}" for each in found if each.type == fs.FileType.File)

    @contextmanager
    def _translating(self, action: str, name: str) -> Iterator[None]:
        from pyarrow.lib import ArrowException

        try:
            yield
        except (OSError, ArrowException) as error:
            if isinstance(error, FileNotFoundError) and action == "read":
                raise
            text = " ".join(str(error).split())
            reason = next((meaning for words, meaning in REASONS.items() if words in text), text)
            raise StorageError(f"cannot {action} {self.where(name)}: {reason}") from None


def _check_driver(address: Address) -> None:
    """Raise StorageError if pyarrow is missing, or was built without the driver for the address's scheme."""
    with importing("pyarrow", f"{address} needs", extra="storage", error=StorageError):
        from pyarrow import fs
    if not hasattr(fs, DRIVERS[address.scheme]):
        raise StorageError(f"this pyarrow was built without {address.scheme}://: install an official pyarrow wheel")


def _s3(address: Address) -> Any:
    from pyarrow import fs

    options = address.options
    server = urlsplit(os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "")
    endpoint = options.get("endpoint_override") or server.netloc or None
    region = options.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if region is None and endpoint is None:
        region = fs.resolve_s3_region(address.path.partition("/")[0])
    return fs.S3FileSystem(
        region=region,
        endpoint_override=endpoint,
        scheme=options.get("scheme") or server.scheme or "https",
        anonymous=_is_anonymous(options),
        connect_timeout=CONNECT_SECONDS,
        request_timeout=REQUEST_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        allow_delayed_open=True,  # so that a small object takes a single request
    )


def _google(address: Address) -> Any:
    from pyarrow import fs

    options = address.options
    return fs.GcsFileSystem(
        anonymous=_is_anonymous(options),
        endpoint_override=options.get("endpoint_override"),
        scheme=options.get("scheme"),
        retry_time_limit=timedelta(seconds=RETRY_SECONDS),
    )


def _is_anonymous(options: dict[str, str]) -> bool:
    return options.get("anonymous", "false").lower() in ("true", "1", "yes")
