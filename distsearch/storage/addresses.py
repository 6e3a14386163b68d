"""Addresses of shared storage: a folder, or the URI of an object store."""

from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from distsearch.errors import SettingError, StorageError, unknown
from distsearch.storage.index import INDEX
from distsearch.text import as_path

OPTIONS = {
    "s3": ("anonymous", "endpoint_override", "region", "scheme"),
    "gs": ("anonymous", "endpoint_override", "scheme"),
}
"""The schemes of object stores, each with the options allowed in its URIs' query."""


class Address(NamedTuple):
    """A folder (no scheme), or a bucket and a prefix in it."""

    scheme: str
    path: str
    query: str = ""

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Parse an address typed by the user; folders become absolute. Raises SettingError if it cannot be used."""
        if "://" not in text:
            return cls("", str(as_path(text).absolute()))
        try:
            parts = urlsplit(text)
        except ValueError as error:
            raise SettingError(f"expected a storage URI, got {text!r}: {error}") from None
        if "@" in parts.netloc:
            raise SettingError(
                "expected a storage URI without user and password, which would be stored with the run: "
                "give them the provider's way, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        if parts.scheme == "file":
            return _of_file(text, parts.netloc, parts.path)
        if parts.scheme not in OPTIONS:
            raise SettingError(f"expected a folder, file://, s3:// or gs:// for storage, got {text!r}")
        path = f"{parts.netloc}/{parts.path.strip('/')}".rstrip("/")
        if not parts.netloc or parts.fragment or "//" in path or {".", ".."} & set(path.split("/")):
            raise SettingError(f"expected {parts.scheme}://BUCKET/PREFIX for storage, got {text!r}")
        for name, _ in parse_qsl(parts.query, keep_blank_values=True):
            if name not in OPTIONS[parts.scheme]:
                raise SettingError(f"storage: {unknown(f'option of {parts.scheme}://', name, OPTIONS[parts.scheme])}")
        return cls(parts.scheme, path, parts.query)

    @property
    def options(self) -> dict[str, str]:
        """The options in the query."""
        return dict(parse_qsl(self.query))

    @property
    def name(self) -> str:
        """The last part of the path; for a stored run, its name."""
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> "Address":
        """The address one level up; for a stored run, the storage."""
        return self._replace(path=self.path.rpartition("/")[0] or ("" if self.scheme else "/"))

    def child(self, name: str) -> "Address":
        """The address of a name within this one."""
        return self._replace(path=f"{self.path.rstrip('/')}/{name}")

    def __str__(self) -> str:
        if not self.scheme:
            return self.path
        return f"{self.scheme}://{self.path}{'?' if self.query else ''}{self.query}"


def is_stored(run: str) -> bool:
    """Whether a run is given by its address in storage."""
    return "://" in run or (as_path(run) / INDEX).exists()


def stored_run(text: str) -> Address:
    """The address of a run in storage. Raises StorageError if it is only a bucket."""
    address = Address.parse(text)
    if address.scheme and not address.parent.path:
        raise StorageError(f"expected {address}/NAME, the storage and a run's name, got {text!r}")
    return address


def _of_file(text: str, host: str, path: str) -> Address:
    if host not in ("", "localhost") or not path.startswith("/"):
        raise SettingError(f"expected file:///PATH for a folder on this machine, got {text!r}")
    return Address("", str(Path(unquote(path))))
