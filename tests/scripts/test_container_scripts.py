"""The programs inside the containers: what they create and how they start Ray."""

import os
import sys
from pathlib import Path

import pytest
from answers import answering

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "container"))

import healthy
import node
import prepare


@pytest.fixture
def runs(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(prepare, "RUNS", tmp_path)
    monkeypatch.setattr(prepare, "CLUSTER", tmp_path / ".cluster")
    monkeypatch.setattr(prepare, "TOKEN", tmp_path / ".cluster" / "token")
    return tmp_path


def test_the_token_is_created_once_and_readable_only_by_its_owner(runs):
    assert prepare.prepare(os.getuid(), os.getgid()) == ""
    token = runs / ".cluster" / "token"
    made = token.read_text()
    assert len(bytes.fromhex(made)) == 32
    assert [path.stat().st_mode & 0o777 for path in (token, token.parent)] == [0o600, 0o700]
    assert [path.name for path in token.parent.iterdir()] == ["token"]
    assert prepare.prepare(os.getuid(), os.getgid()) == ""
    assert token.read_text() == made
    token.unlink()
    assert prepare.prepare(os.getuid(), os.getgid()) == ""
    assert token.read_text() != made


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_folder_created_by_docker_changes_owner_and_others_do_not(runs):
    assert prepare.prepare(1234, 5678) == ""
    for path in (runs, runs / ".cluster", runs / ".cluster" / "token"):
        assert (path.stat().st_uid, path.stat().st_gid) == (1234, 5678)
    said = prepare.prepare(1000, 1000)
    assert "belongs to user 1234" in said
    assert "put UID=1234 and GID=5678 into the file .env" in said
    assert runs.stat().st_uid == 1234


@pytest.mark.skipif(sys.platform != "linux", reason="containers run Linux")
def test_a_head_computes_nothing_and_a_worker_respects_its_core_limit(monkeypatch):
    def option(line: list[str], name: str) -> str:
        return line[line.index(name) + 1]

    head = node.command("head")
    assert (option(head, "--num-cpus"), "--head" in head) == ("0", True)
    for limit, cpus in (("3", "3"), ("2.5", "2"), ("0.5", "1")):
        monkeypatch.setenv("DISTSEARCH_WORKER_CPUS", limit)
        worker = node.command("worker")
        assert option(worker, "--num-cpus") == cpus
        assert option(worker, "--address") == "head:6379"
    shared = os.statvfs("/dev/shm")  # noqa: S108  (where the object store lives)
    assert 0 < int(option(head, "--object-store-memory")) < shared.f_frsize * shared.f_blocks


def test_a_node_is_healthy_when_ray_answers_200():
    with answering((503, b""), {"GET /well": (200, b"")}) as (address, _):
        port = int(address.rpartition(":")[2])
        assert healthy.healthy(port, "/well")
        assert not healthy.healthy(port, "/ill")
    assert not healthy.healthy(port, "/well")
