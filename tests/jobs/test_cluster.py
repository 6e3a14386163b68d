"""The client of Ray's job service: how its answers and errors are handled."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from answers import Answer, answering, version

from distsearch.errors import ClusterError, UserError
from distsearch.jobs.access import Access
from distsearch.jobs.cluster import LONGEST_REASON, Cluster, Job
from distsearch.jobs.submission import command

ENTRYPOINT = command(["run", "--name", "one"])


@contextmanager
def cluster(answers: dict[str, Answer]) -> Iterator[Cluster]:
    known = {"GET /api/version": (200, version("2.60.0")), **answers}
    with answering((500, b"Traceback:\n  a line\nValueError: it is broken\n"), known) as (address, shown):
        yield Cluster(Access(address, "secret"))
        assert set(shown) == {"Bearer secret"}


def details(job: str | None, started: int = 0, **others: object) -> dict[str, object]:
    told = {"type": "SUBMISSION", "submission_id": job, "status": "RUNNING", "entrypoint": ENTRYPOINT}
    return {**told, "start_time": started, "metadata": {"distsearch": "run", "run": f"run of {job}"}, **others}


def listing(*jobs: dict[str, object]) -> dict[str, Answer]:
    return {"GET /api/jobs/": (200, json.dumps(jobs).encode())}


def test_only_searches_are_listed_oldest_first():
    jobs = listing(
        details("late", 3000),
        details("early", 1000, status="FAILED", driver_exit_code=2),
        details("helper", metadata={"distsearch": "pack"}),
        details("plain", 2000, metadata={}, entrypoint="/opt/bin/distsearch resume one"),
        details("foreign", metadata={}, entrypoint="python distsearch.py run"),
        details(None, type="DRIVER"),
    )
    with cluster(jobs) as found:
        early, plain, late = found.jobs()
    assert [job.id for job in (early, plain, late)] == ["early", "plain", "late"]
    assert (early.status, early.exit_code, early.started, early.ended) == ("FAILED", 2, 1.0, True)
    assert (late.status, late.exit_code, late.run, late.ended) == ("RUNNING", None, "run of late", False)
    assert plain.run == ""


def test_a_job_is_found_by_its_id_or_as_the_latest_of_its_run():
    own = {"distsearch": "run", "run": "one"}
    jobs = [details("one-2", 2000, metadata=own), details("one", 1000, metadata=own), details("two", 0)]
    with cluster(listing(*jobs)) as found:
        assert found.find("one").id == "one"
        assert found.find("run of two").id == "two"
        with pytest.raises(UserError, match="unknown job 'tow': did you mean 'two'"):
            found.find("tow")
    with cluster(listing(*jobs[:1])) as found:
        assert found.find("one").id == "one-2"
    with cluster(listing()) as found, pytest.raises(UserError, match="expected a job, got 'one', but .* has none"):
        found.find("one")


def test_a_log_starts_where_the_program_does():
    text = f"INFO Runtime env is setting up.\nRunning entrypoint for job one: {ENTRYPOINT}\nvertical\nround 3\n"
    logs = {
        "GET /api/jobs/one/logs": (200, json.dumps({"logs": text}).encode()),
        "GET /api/jobs/two/logs": (200, json.dumps({"logs": "INFO Runtime env is setting up.\n"}).encode()),
    }
    with cluster(logs) as found:
        assert found.log("one") == "vertical\nround 3\n"
        assert found.log("two") == ""


@pytest.mark.parametrize(
    ("answer", "error", "sentence"),
    [
        ((404, b"Job one does not exist"), UserError, "has no job one: `distsearch jobs` lists them$"),
        ((401, b"Unauthorized"), UserError, "refuses this token"),
        ((403, b"Forbidden"), UserError, "refuses this token"),
        ((500, b"Traceback:\n\nValueError: it is broken\n"), ClusterError, "failed: ValueError: it is broken$"),
        ((500, b"ValueError: Job with submission_id one already exists."), UserError, "choose another --job$"),
        ((0, b""), ClusterError, "no longer answers: "),
    ],
)
def test_an_error_becomes_a_sentence(answer, error, sentence):
    with cluster({"GET /api/jobs/one": answer}) as found, pytest.raises(error, match=sentence) as raised:
        found.job("one")
    assert "\n" not in str(raised.value)


def test_a_missing_answer_times_out(monkeypatch):
    import socket

    from distsearch.jobs import cluster as room

    monkeypatch.setattr(room, "PATIENCE", 0.2)
    with cluster({}) as found, socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(found._client, "_address", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(ClusterError, match="no longer answers"):
            found.job("one")


def test_ray_s_own_variables_do_not_select_another_cluster(monkeypatch):
    with answering((403, b"")) as (other, shown):
        monkeypatch.setenv("RAY_API_SERVER_ADDRESS", other)
        monkeypatch.setenv("RAY_ADDRESS", other)
        with cluster(listing()) as found:
            assert found.jobs() == []
    assert shown == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("set-up failed\nLast lines:\n    ERROR: No such package\n    ERROR: second\nend", "No such package"),
        ("first\nIOError: no room\n\n", "IOError: no room"),
        ("", "failed"),
    ],
)
def test_a_failure_is_explained_by_its_most_informative_line(message, reason):
    assert Job("a", "FAILED", message, None, 0.0, {}).reason == reason
    assert len(Job("a", "FAILED", "x" * 1000, None, 0.0, {}).reason) == LONGEST_REASON
