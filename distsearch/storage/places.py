"""Where objects are kept by name, each written whole or not at all: the seam between publishing and the outside."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

from distsearch.errors import StorageError
from distsearch.runs.files import TEMPORARY, write_chunks

CHUNK = 4 * 1024 * 1024  # bytes


class Place(ABC):
    """Objects by name. All raise StorageError if the storage cannot be reached or does not permit it."""

    @abstractmethod
    def where(self, name: str) -> str:
        """An object as messages name it."""

    @abstractmethod
    def chunks(self, name: str) -> Iterator[bytes]:
        """An object's content. FileNotFoundError if it is not there."""

    @abstractmethod
    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write an object, in the place of one that has its name."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Delete an object, if it is there."""

    @abstractmethod
    def names(self, prefix: str) -> list[str]:
        """The names that begin with `prefix/`."""

    def read(self, name: str) -> bytes:
        """An object's whole content. FileNotFoundError if it is not there."""
        return b"".join(self.chunks(name))


class Streaming(Place):
    """A place whose objects are read chunk by chunk from streams."""

    @abstractmethod
    def _opened(self, name: str) -> BinaryIO:
        """A stream of an object's content. FileNotFoundError if it is not there."""

    @abstractmethod
    def _told(self, action: str, name: str) -> AbstractContextManager[None]:
        """One sentence, as a StorageError, instead of what the system says."""

    def chunks(self, name: str) -> Iterator[bytes]:
        """An object's content. FileNotFoundError if it is not there."""
        with self._told("read", name):
            stream = self._opened(name)
        with stream:
            while chunk := self._chunk(stream, name):
                yield chunk

    def _chunk(self, stream: BinaryIO, name: str) -> bytes:
        with self._told("read", name):
            return stream.read(CHUNK)


class Folder(Streaming):
    """Files in a folder, which may be one that several machines have mounted."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def where(self, name: str) -> str:
        """The file's path."""
        return str(self._path / name)

    def _opened(self, name: str) -> BinaryIO:
        return (self._path / name).open("rb")

    def write(self, name: str, chunks: Iterable[bytes]) -> None:
        """Write a new file, synced, which then takes the name."""
        with self._told("write", name):
            path = self._path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_chunks(path, chunks)

    def delete(self, name: str) -> None:
        """Delete a file; a folder that it leaves empty goes as well."""
        path = self._path / name
        with self._told("delete", name):
            path.unlink(missing_ok=True)
            for folder in [each for each in path.parents if each == self._path or self._path in each.parents]:
                if any(folder.iterdir()):
                    break
                folder.rmdir()

    def names(self, prefix: str) -> list[str]:
        """The files in the folder `prefix`, those left out that were never finished."""
        with self._told("read", prefix):
            folder = self._path / prefix
            found = [path.name for path in folder.iterdir()] if folder.is_dir() else []
            return sorted(f"{prefix}/{name}" for name in found if not name.endswith(TEMPORARY))

    @contextmanager
    def _told(self, action: str, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StorageError(f"cannot {action} {self._path / name} in storage: {error.strerror}") from None
