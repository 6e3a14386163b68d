"""The two kinds of shared storage: a folder, and a real S3 server on loopback."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import wait
from itertools import count

import pytest
from processes import awaited
from storages import BUCKET, CREDENTIALS, asked, free_port

from distsearch.runs import directory
from distsearch.storage import Publisher

NUMBERS = count()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Host and port of an S3 server that has the bucket `bucket`; the credentials are in the environment."""
    server = f"127.0.0.1:{free_port()}"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", server.partition(":")[2]]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            awaited(lambda: asked(server, BUCKET, "PUT"))
            yield server
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def s3_storage(s3_server) -> str:
    return f"s3://{BUCKET}/prefix/{next(NUMBERS)}?endpoint_override={s3_server}&scheme=http"


@pytest.fixture(params=["folder", "s3"])
def storage(request, tmp_path) -> str:
    """An empty storage, as a user names it."""
    return str(tmp_path / "shared") if request.param == "folder" else request.getfixturevalue("s3_storage")


@pytest.fixture
def often(monkeypatch) -> None:
    """A checkpoint after every round; the disk is not waited for."""
    monkeypatch.setattr(os, "fsync", lambda file: None)
    monkeypatch.setattr(directory, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(directory, "SAVE_SHARE", float("inf"))


@pytest.fixture
def in_step(monkeypatch) -> None:
    """A checkpoint every five rounds, which the search waits to be published; the disk is not waited for."""
    rounds = count(1)
    offer = Publisher.offer

    def offer_and_wait(self: Publisher, rounds: int) -> None:
        offer(self, rounds)
        wait([self._upload])

    monkeypatch.setattr(os, "fsync", lambda file: None)
    monkeypatch.setattr(directory.Run, "save_is_due", property(lambda run: next(rounds) % 5 == 0))
    monkeypatch.setattr(Publisher, "offer", offer_and_wait)
