"""The two kinds of shared storage: a folder, and a real S3 server on loopback."""

import os
from collections.abc import Iterator
from concurrent.futures import wait
from itertools import count

import pytest
from storages import BUCKET, CREDENTIALS, served
from waiting import PATIENCE

from distsearch.runs import directory
from distsearch.storage import Publisher

NUMBERS = count()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Host and port of an S3 server with the bucket `bucket`; the credentials are in the environment."""
    with pytest.MonkeyPatch.context() as patch, served() as server:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture
def s3_storage(s3_server) -> str:
    return f"s3://{BUCKET}/prefix/{next(NUMBERS)}?endpoint_override={s3_server}&scheme=http"


@pytest.fixture(params=["folder", "s3"])
def storage(request, tmp_path) -> str:
    """An empty storage, as a user writes its address."""
    return str(tmp_path / "shared") if request.param == "folder" else request.getfixturevalue("s3_storage")


@pytest.fixture
def often(monkeypatch) -> None:
    """A checkpoint after every round, without waiting for the disk."""
    monkeypatch.setattr(os, "fsync", lambda file: None)
    monkeypatch.setattr(directory, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(directory, "SAVE_SHARE", float("inf"))


@pytest.fixture
def in_step(monkeypatch) -> None:
    """A checkpoint every five rounds, until whose publication the search waits; without waiting for the disk."""
    rounds = count(1)
    offer = Publisher.offer

    def offer_and_wait(self: Publisher, rounds: int) -> None:
        offer(self, rounds)
        wait([self._upload], PATIENCE)

    monkeypatch.setattr(os, "fsync", lambda file: None)
    monkeypatch.setattr(directory.Run, "save_is_due", property(lambda run: next(rounds) % 5 == 0))
    monkeypatch.setattr(Publisher, "offer", offer_and_wait)
