"""Places that store objects by name, each written whole or not at all: what publishing needs of any storage."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

from distsearch.errors import StorageError
from distsearch.runs.files import TEMPORARY, write_chunks

CHUNK = 4 * 1024 * 1024  # bytes


class Place(ABC):
    """Objects by name. All methods raise StorageError if the storage is unreachable or denies permission."""

    @abstractmethod
    def where(self, name: str) -> str:
        """The object's location, for messages."""

    @abstractmethod
    def chunks(self, name: str) -> Iterator[bytes]:
        """An object's content, chunk by chunk. Raises FileNotFoundError if it does not exist."""

    @abstractmethod
    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write an object, replacing any of the same name."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Delete an object if it exists."""

    @abstractmethod
    def names(self, prefix: str) -> list[str]:
        """The names of all objects that begin with `prefix/`."""

    def read(self, name: str) -> bytes:
        """An object's whole content. Raises FileNotFoundError if it does not exist."""
        return b"".join(self.chunks(name))


class Streaming(Place):
    """A place whose objects are read in chunks from streams."""

    @abstractmethod
    def _open(self, name: str) -> BinaryIO:
        """Open a stream of an object's content. Raises FileNotFoundError if it does not exist."""

    @abstractmethod
    def _translating(self, action: str, name: str) -> AbstractContextManager[None]:
        """Turn the backend's errors into a one-sentence StorageError; in reading, FileNotFoundError passes through."""

    def chunks(self, name: str) -> Iterator[bytes]:
        """An object's content, chunk by chunk. Raises FileNotFoundError if it does not exist."""
        with self._translating("read", name):
            stream = self._open(name)
        with stream:
            while chunk := self._read_chunk(stream, name):
                yield chunk

    def _read_chunk(self, stream: BinaryIO, name: str) -> bytes:
        with self._translating("read", name):
            return stream.read(CHUNK)


class Folder(Streaming):
    """Files in a folder, which several machines may have mounted."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def where(self, name: str) -> str:
        """The file's path."""
        return str(self._path / name)

    def _open(self, name: str) -> BinaryIO:
        return (self._path / name).open("rb")

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write and sync a new file, then rename it into place."""
        with self._translating("write", name):
            path = self._path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_chunks(path, chunks)

    def delete(self, name: str) -> None:
        """Delete a file, and any folders that this leaves empty."""
        path = self._path / name
        with self._translating("delete", name):
            path.unlink(missing_ok=True)
            for folder in [each for each in path.parents if each == self._path or self._path in each.parents]:
                if any(folder.iterdir()):
                    break
                folder.rmdir()

    def names(self, prefix: str) -> list[str]:
        """The files in the folder `prefix`, except those never finished."""
        with self._translating("list", prefix):
            folder = self._path / prefix
            found = [path.name for path in folder.iterdir()] if folder.is_dir() else []
            return sorted(f"{prefix}/{name}" for name in found if not name.endswith(TEMPORARY))

    @contextmanager
    def _translating(self, action: str, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if isinstance(error, FileNotFoundError) and action == "read":
                raise
            raise StorageError(f"cannot {action} {self._path / name} in storage: {error.strerror}") from None
