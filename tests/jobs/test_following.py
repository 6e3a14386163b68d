"""Following a job: every line once, across failing connections, until it has ended."""

import pytest
from scripted_cluster import ScriptedCluster, described

from distsearch.errors import ClusterError, UserError
from distsearch.jobs import following
from distsearch.jobs.following import follow, wait_out_start, wait_until_begun, wait_until_ended

LOST = ClusterError("the cluster no longer answers")


@pytest.fixture(autouse=True)
def clock(monkeypatch) -> list[float]:
    """The pauses that were made; each advances the clock."""
    pauses = []
    monkeypatch.setattr(following.time, "monotonic", lambda: sum(pauses))
    monkeypatch.setattr(following.time, "sleep", pauses.append)
    return pauses


def test_each_line_is_shown_once_and_an_unfinished_last_line_too():
    cluster = ScriptedCluster(
        [
            ("PENDING", None, ""),
            ("RUNNING", None, "one\ntw"),
            ("RUNNING", None, "one\ntwo\n"),
            ("RUNNING", None, "one\ntwo\n"),
            ("FAILED", 4, "one\ntwo\nthree\nfour"),
        ]
    )
    shown = []
    done = follow(cluster, "a", shown.append)
    assert shown == ["one\n", "two\n", "three\nfour"]
    assert (done.status, done.exit_code) == ("FAILED", 4)


def test_a_brief_loss_of_connection_goes_unnoticed(clock):
    cluster = ScriptedCluster([("RUNNING", None, "one\n"), *[LOST] * 20, ("SUCCEEDED", 0, "one\ntwo\n")])
    shown = []
    assert follow(cluster, "a", shown.append).exit_code == 0
    assert shown == ["one\n", "two\n"]
    assert 20 <= sum(clock) <= 30


def test_a_lasting_loss_of_connection_is_reported_after_a_while(clock):
    with pytest.raises(ClusterError, match="no longer answers; the job may still be running: `distsearch logs`"):
        follow(ScriptedCluster([("RUNNING", None, ""), LOST]), "a", lambda text: None)
    assert 60 <= sum(clock) <= 120


def test_errors_that_waiting_cannot_cure_are_raised_at_once(clock):
    with pytest.raises(UserError, match="no job a"):
        follow(ScriptedCluster([UserError("no job a")]), "a", lambda text: None)
    assert clock == []


def test_a_job_has_started_once_its_program_prints_or_has_ended():
    speaking = ScriptedCluster([("PENDING", None, ""), ("RUNNING", None, ""), ("RUNNING", None, "vertical\n")])
    assert wait_until_begun(speaking, "a", lambda: None).status == "RUNNING"
    missing = "/bin/sh: 1: distsearch: not found\n"
    absent = ScriptedCluster([("RUNNING", None, ""), ("RUNNING", None, missing), ("FAILED", 127, missing)])
    assert wait_until_begun(absent, "a", lambda: None).exit_code == 127


def test_a_job_that_runs_without_a_word_has_begun(monkeypatch):
    seconds = iter(range(1000))
    monkeypatch.setattr(following.time, "monotonic", lambda: float(next(seconds)))
    told = []
    quiet = ScriptedCluster([("PENDING", None, ""), *[("RUNNING", None, "")] * 100, ("SUCCEEDED", 0, "")])
    assert wait_until_begun(quiet, "a", lambda: told.append("slow")).status == "RUNNING"


def test_a_slow_start_is_reported_once():
    told = []
    cluster = ScriptedCluster([*[("PENDING", None, "")] * 100, ("SUCCEEDED", 0, "")])
    wait_until_begun(cluster, "a", lambda: told.append("slow"))
    assert told == ["slow"]
    wait_until_begun(
        ScriptedCluster([*[("PENDING", None, "")] * 3, ("SUCCEEDED", 0, "")]), "a", lambda: told.append("fast")
    )
    assert told == ["slow"]


def test_a_job_that_fails_at_once_is_noticed(clock):
    cluster = ScriptedCluster([("FAILED", 2, "")])
    assert wait_out_start(cluster, described("a", "RUNNING", None)).exit_code == 2
    assert sum(clock) == following.SURVIVAL_SECONDS


def test_following_waits_for_the_job_to_end():
    assert (
        wait_until_ended(ScriptedCluster([("RUNNING", None, ""), LOST, ("STOPPED", None, "")]), "a").status == "STOPPED"
    )
